"""Reads firewalld's files: zones, policies, ipsets and services in XML, with ``firewalld.conf``.

They are what a reload loads. Inbound and crossing packets belong to the zone of their source address, else of their
interface, else to the default zone; policies of negative priority come before the zone's own rules, those of positive
priority after them (firewalld.policies(5), firewalld.zones(5)). Interfaces are not known here, so that a zone that is
bound to one may or may not be meant.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import PurePosixPath

from controlroom.network.addresses import EVERY_ADDRESS, Addresses
from controlroom.network.analysis import Effect, Match, Program, Protocol, Rule, Verdict
from controlroom.network.errors import BadRuleset
from controlroom.network.intervals import IntervalSet
from controlroom.network.projection import Direction
from controlroom.network.rulesets.firewalld_rules import Holder, read_holder
from controlroom.network.rulesets.firewalld_words import Words, read_ipset, read_service
from controlroom.network.rulesets.firewalld_xml import Element, read_xml
from controlroom.network.rulesets.interface import Ruleset, RulesetText
from controlroom.network.rulesets.packet_words import ONLY_FAMILY

ASSUMPTIONS = (
    "A packet is the first of its connection: replies and related errors pass by connection tracking.",
    "Packets on the loopback interface are left out: they never leave the host.",
    "firewalld has loaded the files as they stand (firewall-cmd --reload), and nothing was changed at run time alone.",
    "No flow leads to the addresses that firewalld itself rejects as unroutable (RFC3964_IPv4: 2002::/24, ::/96 and such).",
    "Source addresses are true, which firewalld checks itself for IPv6 (IPv6_rpfilter).",
)
_TARGETS = {"ACCEPT": Effect.ALLOW, "DROP": Effect.DENY, "REJECT": Effect.DENY, "%%REJECT%%": Effect.DENY}
_ICMP = Match(IntervalSet.of((one, one) for one in (Protocol.ICMP, Protocol.ICMPV6)))
_KINDS = ("zone", "policy", "ipset", "service", "direct")
# firewalld's own policy, and what its versions let in: neighbour discovery, redirects, and MLD in newer ones.
_STOCK_POLICY = "allow-host-ipv6"
_STOCK_TYPES = IntervalSet(((130, 137), (143, 143)))
# What ANY and HOST mean as the side of a policy.
_ANY, _HOST = "ANY", "HOST"


@dataclass(slots=True)
class _Config:
    zones: dict[str, Holder] = field(default_factory=dict)
    policies: dict[str, Holder] = field(default_factory=dict)
    default_zone: str = ""
    direct: str = ""


class FirewalldParser:
    """Lays zones and policies out as a program for each direction."""

    name = "firewalld"

    def recognises(self, file: RulesetText) -> bool:
        """Say whether a file is one of firewalld's."""
        start = file.text[:20_000]
        return any(f"<{kind}" in start for kind in _KINDS) or "DefaultZone=" in start

    def parse(self, files: tuple[RulesetText, ...]) -> Ruleset:
        """Read the files of one firewalld; raise `BadRuleset`."""
        config = _read(files)
        programs = {
            Direction.INBOUND: _by_zone(config, Direction.INBOUND),
            Direction.OUTBOUND: _outbound(config),
            Direction.FORWARD: _by_zone(config, Direction.FORWARD),
        }
        return Ruleset(self.name, programs, ASSUMPTIONS)


PARSER = FirewalldParser()


def _read(files: tuple[RulesetText, ...]) -> _Config:
    config = _Config()
    elements: dict[str, dict[str, Element]] = {kind: {} for kind in _KINDS}
    for file in files:
        if file.name.endswith(".conf") or not file.text.lstrip().startswith("<"):
            config.default_zone = _default_zone(file) or config.default_zone
            continue
        element = read_xml(file)
        name = PurePosixPath(file.name).stem
        if name in elements.get(element.tag, ()):
            raise BadRuleset(
                f"{file.name}: a second {element.tag} {name!r}; one in /etc/firewalld stands for that in /usr/lib/firewalld"
            )
        if element.tag in elements:
            elements[element.tag][name] = element
    words = Words(
        {name: read_ipset(element) for name, element in elements["ipset"].items()},
        {name: read_service(element) for name, element in elements["service"].items()},
    )
    config.zones = {name: read_holder(name, one, words) for name, one in elements["zone"].items()}
    config.policies = {name: read_holder(name, one, words) for name, one in elements["policy"].items()}
    config.policies.setdefault(_STOCK_POLICY, _stock_policy())
    config.direct = (
        "direct.xml" if elements["direct"] and len(next(iter(elements["direct"].values()))) else ""
    )
    return config


def _stock_policy() -> Holder:
    """Return what firewalld's own policy for IPv6 may let in, where its file was not given: it differs by version."""
    types = Match(IntervalSet.single(Protocol.ICMPV6), destination_ports=_STOCK_TYPES)
    reason = f"policy {_STOCK_POLICY!r} of /usr/lib/firewalld was not given"
    rule = Rule(
        f"policy {_STOCK_POLICY}", ONLY_FAMILY["ip6"] & types, Effect.ALLOW, certain=False, reason=reason
    )
    sides = frozenset({_ANY}), frozenset({_HOST})
    return Holder(_STOCK_POLICY, "CONTINUE", -15_000, (rule,), ingress=sides[0], egress=sides[1])


def _default_zone(file: RulesetText) -> str:
    for number, raw in enumerate(file.text.splitlines(), start=1):
        line = raw.strip()
        if line and not line.startswith(("#", ";")) and "=" not in line:
            raise BadRuleset(
                f"{file.name}:{number}: {line[:60]!r} is neither XML nor a setting of firewalld.conf"
            )
        key, _, value = line.partition("=")
        if key.strip() == "DefaultZone":
            return value.strip()
    return ""


def _unsure(name: str, reason: str, match: Match = Match()) -> Iterator[Rule]:  # immutable
    """Yield rules that may deny or allow whatever they match."""
    yield Rule(name, match, Effect.DENY, certain=False, reason=reason)
    yield Rule(name, match, Effect.ALLOW, certain=False, reason=reason)


def _before(config: _Config) -> Iterator[Rule]:
    if config.direct:
        yield from _unsure(config.direct, "direct rules are not followed")


def _outbound(config: _Config) -> Program:
    rules = list(_before(config))
    for policy in _ordered(config):
        if _HOST in policy.ingress:
            rules += _restricted(policy, _towards(config, policy))
    return Program(tuple(rules), Verdict.ALLOW, "firewalld lets out what no policy stops")


def _ordered(config: _Config, *, negative: bool | None = None) -> list[Holder]:
    kept = sorted(config.policies.values(), key=lambda one: (one.priority, one.name))
    return [one for one in kept if negative is None or (one.priority < 0) is negative]


def _by_zone(config: _Config, direction: Direction) -> Program:
    """Lay out a block a zone: those of source addresses first, then what interfaces may lead to, then the default."""
    rules = list(_before(config))
    left = EVERY_ADDRESS
    bound = [
        zone for name, zone in sorted(config.zones.items()) if zone.interfaces and name != config.default_zone
    ]
    for _, zone in sorted(config.zones.items()):
        own = zone.source_addresses & left
        if own:
            rules += [
                replace(one, match=one.match & Match(sources=own)) for one in _block(config, zone, direction)
            ]
            left -= own
        if zone.source_doubt:
            bound.append(zone)
    blocks: list[tuple[str, list[Rule]]] = [
        (zone.name, list(_block(config, zone, direction))) for zone in bound
    ]
    default = config.zones.get(config.default_zone)
    position = len(rules) + len(blocks)
    end = _end_block(config, default, direction)
    target = position + len(end)
    for name, block in blocks:
        reason = f"zone {name!r} is bound to an interface or to sources that are not understood"
        rules.append(
            Rule(f"zone {name}", Match(sources=left), Effect.SKIP, target, certain=False, reason=reason)
        )
        target += len(block)
    rules += end
    for _, block in blocks:
        rules += block
    return Program(tuple(rules), Verdict.DENY, "firewalld rejects what no zone takes")


def _end_block(config: _Config, default: Holder | None, direction: Direction) -> list[Rule]:
    if default is not None:
        return list(_block(config, default, direction))
    name = config.default_zone
    reason = f"zone {name!r} was not given" if name else "firewalld.conf with DefaultZone= was not given"
    return [*_policies(config, name, direction, negative=True), *_unsure("default zone", reason)]


def _block(config: _Config, zone: Holder, direction: Direction) -> Iterator[Rule]:
    """Yield all that a packet of a zone meets; the last rule matches everything."""
    yield from _policies(config, zone.name, direction, negative=True)
    if direction is Direction.INBOUND:
        yield from zone.rules
    else:
        yield from zone.forward_rules
    yield from _policies(config, zone.name, direction, negative=False)
    target = f"zone {zone.name} target {zone.target}"
    if zone.target in _TARGETS and (direction is Direction.INBOUND or zone.target != "ACCEPT"):
        yield Rule(target, Match(), _TARGETS[zone.target])
    elif zone.target == "default":
        yield Rule(target, _ICMP, Effect.ALLOW)
        yield Rule(target, Match(), Effect.DENY)
    else:
        yield from _unsure(target, "what this target does is not followed")
        yield Rule(target, Match(), Effect.DENY)


def _policies(config: _Config, zone: str, direction: Direction, *, negative: bool) -> Iterator[Rule]:
    for policy in _ordered(config, negative=negative):
        coming = _coming(config, policy, zone)
        if direction is Direction.INBOUND:
            if _HOST in policy.egress:
                yield from _restricted(policy, coming)
        elif _HOST not in policy.egress:
            going = _towards(config, policy)
            both = None if coming is None or going is None else coming & going
            yield from _restricted(policy, both)


def _coming(config: _Config, policy: Holder, zone: str) -> Match | None:
    """Return the packets of a zone's block that come from a policy's ingress zones; None where interfaces decide it.

    Policies are chosen by the sources and interfaces of their zones, not by the zone that takes the packet: what only
    falls to the default zone, for want of a better one, comes from no zone at all.
    """
    if _ANY in policy.ingress:
        return Match()
    if zone in policy.ingress and zone != config.default_zone and zone in config.zones:
        return Match()
    found = _by_address(config, policy.ingress)
    return None if found is None else Match(sources=found)


def _towards(config: _Config, policy: Holder) -> Match | None:
    """Return the packets that go to a policy's egress zones; None where interfaces decide it."""
    if _ANY in policy.egress:
        return Match()
    found = _by_address(config, policy.egress)
    return None if found is None else Match(destinations=found)


def _by_address(config: _Config, names: frozenset[str]) -> Addresses | None:
    found = Addresses()
    for name in names - {_HOST}:
        zone = config.zones.get(name)
        if zone is None or zone.interfaces or zone.source_doubt or name == config.default_zone:
            return None
        found |= zone.source_addresses
    return found


def _restricted(policy: Holder, region: Match | None) -> Iterable[Rule]:
    names = ", ".join(sorted((policy.ingress | policy.egress) - {_ANY, _HOST}))
    for rule in policy.with_target(_TARGETS):
        if region is not None:
            yield replace(rule, match=rule.match & region)
        else:
            reason = rule.reason or f"whether a packet belongs to {names} depends on interfaces"
            yield replace(rule, certain=False, reason=reason)
