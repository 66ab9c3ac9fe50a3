"""Proofs of a ruleset against the policy: what is missing, what is exposed, and what was not understood."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

from controlroom.network.addresses import Addresses, Family, format_address, join, only
from controlroom.network.analysis import (
    DEFAULT_BUDGET,
    Difference,
    Effect,
    Field,
    Match,
    Packet,
    Program,
    Protocol,
    Rule,
    Verdict,
    compare,
    find_idle,
    find_stopped,
)
from controlroom.network.analysis.rewriting import rewrites_on, rewritten
from controlroom.network.baseline import (
    NEIGHBOUR_DISCOVERY_NAME,
    needs_neighbour_discovery,
    neighbour_discovery_match,
)
from controlroom.network.catalogue import Transport
from controlroom.network.errors import ProofFailed
from controlroom.network.intervals import IntervalSet, union
from controlroom.network.policy import Permit
from controlroom.network.projection import Direction, Projection
from controlroom.network.renderers import Rendering, renderer
from controlroom.network.rulesets import Ruleset, RulesetText, parse_ruleset
from controlroom.network.rulesets.hooks import Phase

PROTOCOLS = {Transport.TCP: Protocol.TCP, Transport.UDP: Protocol.UDP, Transport.ICMPV6: Protocol.ICMPV6}

# Of other protocols no reply is followed: neighbour discovery has none that connection tracking knows.
_CONNECTIONS = Match(IntervalSet.of([(Protocol.TCP, Protocol.TCP), (Protocol.UDP, Protocol.UDP)]))


class FindingKind(StrEnum):
    """What a proof can find, worst first."""

    CLUSTER_EXPOSURE = "cluster-exposure"
    EXCESS = "excess"
    MISSING = "missing"
    UNKNOWN = "unknown"
    SHADOWED = "shadowed"
    REDUNDANT = "redundant"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is not as it should be; ``rule`` is the firewall's, ``flow`` the policy's.

    ``packet`` is a witness as it arrives, ``rewritten`` what a translation makes of it where that is one packet.
    """

    kind: FindingKind
    direction: Direction
    message: str
    rule: str = ""
    flow: str = ""
    packet: Packet | None = None
    rewritten: Packet | None = None


@dataclass(frozen=True, slots=True)
class Verdicts:
    """The outcome of a proof; it holds under its assumptions only."""

    findings: tuple[Finding, ...]
    assumptions: tuple[str, ...]
    nodes: int

    @property
    def holds(self) -> bool:
        """Say whether what is allowed is exactly what is needed; idle rules do not count against it."""
        return not any(
            finding.kind not in {FindingKind.SHADOWED, FindingKind.REDUNDANT} for finding in self.findings
        )


def program_of(projection: Projection, direction: Direction) -> Program:
    """Return the policy of one direction as a program: allow each permit, deny the rest."""
    rules = [_allow(permit) for permit in projection.permits[direction]]
    if needs_neighbour_discovery(projection):
        rules.append(Rule(NEIGHBOUR_DISCOVERY_NAME, neighbour_discovery_match(), Effect.ALLOW))
    return Program(tuple(rules), Verdict.DENY, "no flow")


def _allow(permit: Permit) -> Rule:
    match = Match(
        IntervalSet.single(PROTOCOLS[permit.transport]),
        only(permit.family, permit.sources),
        only(permit.family, permit.destinations),
        destination_ports=permit.ports,
    )
    return Rule(permit.flow, match, Effect.ALLOW)


def prove(
    projection: Projection, ruleset: Ruleset, *, idle: bool = False, budget: int = DEFAULT_BUDGET
) -> Verdicts:
    """Compare a ruleset with the policy in every direction that the policy filters. Raise `BudgetExceeded`."""
    if ruleset.seen_from is not None:
        ruleset = ruleset.seen_from(projection)
    findings = [
        Finding(FindingKind.MISSING, direction, message, flow=flow)
        for direction, flow, message in ruleset.missing
    ]
    findings.extend(_known_by_name(projection, ruleset))
    nodes = 0
    hints = _known_addresses(projection)
    nearest = _nearest_addresses(projection, hints)
    for direction in projection.filtered:
        wanted, real = program_of(projection, direction), ruleset.programs[direction]
        comparison = compare(wanted, real, hints=hints, nearest=nearest.get(direction), budget=budget)
        nodes += comparison.nodes
        exposed: list[Finding] = []
        if direction is not Direction.OUTBOUND and not comparison.equal:
            exposed = list(_cluster_exposure(direction, projection, wanted, real, hints))
        told = {(one.rule, one.packet) for one in exposed}
        others = (_finding(direction, one, wanted, real, projection) for one in comparison.differences)
        findings.extend([*exposed, *(one for one in others if (one.rule, one.packet) not in told)])
        for phase, programs in ruleset.later.items():
            stopped = find_stopped(
                wanted,
                None if comparison.equal else real,
                programs[direction],
                within=_CONNECTIONS,
                hints=hints,
                budget=budget,
            )
            nodes += stopped.nodes
            findings.extend(
                _stopped(direction, phase, one, wanted, programs[direction]) for one in stopped.differences
            )
        if idle:
            findings.extend(_idle(direction, real, budget))
    findings = [_translated(one, ruleset) for one in findings]
    order = list(FindingKind)
    findings.sort(key=lambda one: (order.index(one.kind), one.direction, one.rule, one.flow, str(one.packet)))
    return Verdicts(tuple(findings), ruleset.assumptions, nodes)


def _known_by_name(projection: Projection, ruleset: Ruleset) -> Iterator[Finding]:
    """Say which flows nothing is said about, because the site knows a side of them by name and the rules by address."""
    for direction, one, party in projection.named():
        if party.service_tag and ruleset.knows_service_tags:
            continue
        message = (
            f"flow {one.flow} may pass or not: {party.name} is known only as "
            f"{', '.join(party.names) or party.service_tag}, and these rules hold addresses; "
            f"give [external.{party.name}] prefixes = [...]"
        )
        yield Finding(FindingKind.UNKNOWN, direction, message, flow=one.flow)


def prove_rendering(projection: Projection, rendering: Rendering) -> None:
    """Read a rendering back and prove it equal to the policy; raise `ProofFailed` with the first witness."""
    parser = renderer(rendering.target).parser
    if not parser:
        return
    files = tuple(RulesetText(file.name, file.text) for file in rendering.files if file.is_rules)
    verdicts = prove(projection, parse_ruleset(files, format_name=parser))
    if not verdicts.holds:
        raise ProofFailed(f"{rendering.target} of {projection.name}: {verdicts.findings[0].message}")


def _known_addresses(projection: Projection) -> Addresses:
    """Return telling addresses for witnesses: the ends of what the policy knows."""
    sets = [
        only(permit.family, permit.sources | permit.destinations)
        for permits in projection.permits.values()
        for permit in permits
    ]
    return join([projection.addresses, *sets])


def _nearest_addresses(
    projection: Projection, known: Addresses
) -> dict[Direction, Mapping[Field, Addresses]]:
    """Return which ends a host's witnesses should have: what arrives is for its own address, and from another."""
    own = projection.addresses
    if not own:
        return {}
    return {
        Direction.INBOUND: {Field.DESTINATION: own, Field.SOURCE: known - own},
        Direction.OUTBOUND: {Field.SOURCE: own, Field.DESTINATION: known - own},
    }


def _finding(
    direction: Direction, difference: Difference, wanted: Program, real: Program, projection: Projection
) -> Finding:
    packet, rule = difference.packet, real.name_of(difference.second_rule)
    flow = wanted.name_of(difference.first_rule) if difference.first_rule >= 0 else ""
    if difference.second is Verdict.UNKNOWN:
        reason = real.rules[difference.second_rule].reason
        need = f"flow {flow} needs it" if flow else "no flow needs it"
        message = f"{packet} may pass or not, and {need}: {rule!r}: {reason}"
        return Finding(FindingKind.UNKNOWN, direction, message, rule, flow, packet)
    if difference.second is Verdict.DENY:
        message = f"{packet} is stopped by {rule!r}, but flow {flow} needs it"
        return Finding(FindingKind.MISSING, direction, message, rule, flow, packet)
    message = (
        f"{packet} is let through by {rule!r}, but no flow needs it{_strange(packet, direction, projection)}"
    )
    return Finding(FindingKind.EXCESS, direction, message, rule, flow, packet)


def _strange(packet: Packet, direction: Direction, projection: Projection) -> str:
    """Say where a host's end of a witness is no address that the site knows: the rule names none, or the site not all."""
    own = projection.addresses.of(packet.family)
    near = packet.source if direction is Direction.OUTBOUND else packet.destination
    if direction is Direction.FORWARD or not own or near in own:
        return ""
    return f"; the site declares no address {format_address(packet.family, near)} of {projection.name}, and the rule does not ask"


def _stopped(
    direction: Direction, phase: Phase, difference: Difference, wanted: Program, later: Program
) -> Finding:
    packet, rule, flow = (
        difference.packet,
        later.name_of(difference.second_rule),
        wanted.name_of(difference.first_rule),
    )
    what = "replies to it" if phase is Phase.REPLY else "packets after it"
    if difference.second is Verdict.UNKNOWN:
        reason = later.rules[difference.second_rule].reason
        message = f"{packet} opens flow {flow}, but {what} may pass or not: {rule!r}: {reason}"
        return Finding(FindingKind.UNKNOWN, direction, message, rule, flow, packet)
    message = f"{packet} opens flow {flow}, but {what} are stopped by {rule!r}"
    return Finding(FindingKind.MISSING, direction, message, rule, flow, packet)


def _translated(finding: Finding, ruleset: Ruleset) -> Finding:
    """Tell what becomes of a witness that is rewritten on its way."""
    program = ruleset.translations.get(finding.direction)
    if program is None or finding.packet is None:
        return finding
    rewrites, sure = rewrites_on(program, finding.packet)
    if sure and not rewrites:
        return finding
    after = rewritten(finding.packet, rewrites) if sure else None
    words = f"it is rewritten to {after}" if after else "it may be rewritten in more than one way"
    return replace(finding, message=f"{finding.message} ({words})", rewritten=after)


def cluster_regions(projection: Projection) -> list[tuple[str, Match]]:
    """Return what nobody but Control Room servers may reach: each cluster service, family by family."""
    groups: dict[tuple[str, Family], list[Permit]] = {}
    for permit in projection.cluster:
        groups.setdefault((permit.flow, permit.family), []).append(permit)
    return [
        (
            flow,
            Match(
                IntervalSet.of((PROTOCOLS[one.transport], PROTOCOLS[one.transport]) for one in permits),
                only(family, family.everything),
                only(family, union(one.destinations for one in permits)),
                destination_ports=union(one.ports for one in permits),
            ),
        )
        for (flow, family), permits in groups.items()
    ]


def _cluster_exposure(
    direction: Direction, projection: Projection, wanted: Program, real: Program, hints: Addresses
) -> Iterator[Finding]:
    """Ask anew about the cluster ports alone, so that a wide opening elsewhere cannot hide them."""
    for flow, region in cluster_regions(projection):
        for one in compare(wanted, real, within=region, hints=hints).differences:
            if one.first is Verdict.DENY and one.second is Verdict.ALLOW:
                rule = real.name_of(one.second_rule)
                message = f"{one.packet} reaches a cluster port, let through by {rule!r}; only Control Room servers may"
                yield Finding(FindingKind.CLUSTER_EXPOSURE, direction, message, rule, flow, one.packet)


def _idle(direction: Direction, real: Program, budget: int) -> Iterator[Finding]:
    found = find_idle(real, budget=budget)
    for kind, numbers, why in (
        (FindingKind.SHADOWED, found.shadowed, "never decides: rules before it take all that it matches"),
        (FindingKind.REDUNDANT, found.redundant, "changes nothing: without it the same packets pass"),
    ):
        for number in numbers:
            if not real.rules[number].match.is_empty(Family.IPV4) or not real.rules[number].match.is_empty(
                Family.IPV6
            ):
                name = real.name_of(number)
                yield Finding(kind, direction, f"{name!r} {why}", name)
