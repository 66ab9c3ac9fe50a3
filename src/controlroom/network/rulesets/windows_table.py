"""The rules of Windows Firewall as a table, and what they do together.

Rules have no order: an allowing rule that overrides blocks comes before every block, a block before every other
allowing rule, then the profile's default (MS-FASP 2.2.34, and "Windows Firewall rules" in Microsoft's documentation).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from controlroom.network.addresses import Addresses, parse_addresses
from controlroom.network.analysis import Effect, Match, Program, Protocol, Rule, Verdict
from controlroom.network.analysis.model import ALL_PROTOCOLS
from controlroom.network.errors import BadPorts, BadRuleset
from controlroom.network.intervals import IntervalSet
from controlroom.network.ports import parse_ports
from controlroom.network.projection import Direction
from controlroom.network.rulesets.interface import Ruleset
from controlroom.network.rulesets.packet_words import ONLY_FAMILY

PROFILES = frozenset({"Domain", "Private", "Public"})
ASSUMPTIONS = (
    "A packet is the first of its connection: replies and related errors pass, as Windows keeps state.",
    "Packets on the loopback interface are left out: they never leave the host.",
    "The table is all that filters: no other product has filters in the Windows Filtering Platform, and the "
    "hardening of Windows' own services blocks nothing that the contract needs.",
)
MOST_RULES = 100_000
_PROTOCOLS = {
    "ANY": ALL_PROTOCOLS,
    "TCP": IntervalSet.single(Protocol.TCP),
    "UDP": IntervalSet.single(Protocol.UDP),
    "ICMPV4": IntervalSet.single(Protocol.ICMP),
    "ICMPV6": IntervalSet.single(Protocol.ICMPV6),
}
_WITH_PORTS = IntervalSet.of(((Protocol.TCP, Protocol.TCP), (Protocol.UDP, Protocol.UDP)))
ANY = ("Any",)


@dataclass(frozen=True, slots=True)
class WindowsRule:
    """One rule in Windows' own words; ``doubts`` say what else decides whether it applies."""

    name: str
    direction: Direction
    allows: bool
    protocol: str
    local_addresses: tuple[str, ...] = ANY
    remote_addresses: tuple[str, ...] = ANY
    local_ports: tuple[str, ...] = ANY
    remote_ports: tuple[str, ...] = ANY
    icmp_types: tuple[str, ...] = ANY
    profiles: frozenset[str] = PROFILES
    overrides: bool = False
    doubts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class WindowsProfile:
    """One profile: whether the firewall is on, what becomes of what no rule decides, and whether inbound rules count."""

    name: str
    enabled: bool = True
    inbound_allowed: bool = False
    outbound_allowed: bool = True
    shielded: bool = False


def ruleset_of(parser: str, profiles: Sequence[WindowsProfile], rules: Sequence[WindowsRule]) -> Ruleset:
    """Return what the table does; raise `BadRuleset` where it is too large or a profile is missing."""
    if len(rules) > MOST_RULES:
        raise BadRuleset(f"{len(rules)} rules of Windows Firewall are more than {MOST_RULES}")
    if missing := PROFILES - {one.name for one in profiles}:
        raise BadRuleset(f"nothing is said of profile {', '.join(sorted(missing))}")
    programs = {
        direction: _program(direction, profiles, rules)
        for direction in (Direction.INBOUND, Direction.OUTBOUND)
    }
    reason = "what Windows forwards is not in its firewall's rules"
    programs[Direction.FORWARD] = Program(
        (Rule("forwarding", Match(), Effect.ALLOW, certain=False, reason=reason),), Verdict.DENY, "forwarding"
    )
    return Ruleset(parser, programs, ASSUMPTIONS)


def _program(
    direction: Direction, profiles: Sequence[WindowsProfile], rules: Sequence[WindowsRule]
) -> Program:
    own = [one for one in rules if one.direction is direction]
    inbound = direction is Direction.INBOUND
    laid = [
        *_in_profiles("firewall off", [one.name for one in profiles if not one.enabled], Effect.ALLOW),
        *_in_profiles(
            "all inbound blocked", [one.name for one in profiles if inbound and one.shielded], Effect.DENY
        ),
        *(found for one in own if one.allows and one.overrides for found in _rules(one)),
        *(found for one in own if not one.allows for found in _rules(one)),
        *(found for one in own if one.allows and not one.overrides for found in _rules(one)),
        *_in_profiles(
            f"default {direction} allow",
            [one.name for one in profiles if (one.inbound_allowed if inbound else one.outbound_allowed)],
            Effect.ALLOW,
        ),
    ]
    return Program(tuple(laid), Verdict.DENY, f"default {direction} block")


def _in_profiles(name: str, profiles: Sequence[str], effect: Effect) -> Iterator[Rule]:
    if profiles:
        reason = _profile_doubt(frozenset(profiles))
        yield Rule(f"{name} ({', '.join(profiles)})", Match(), effect, certain=not reason, reason=reason)


def _profile_doubt(profiles: frozenset[str]) -> str:
    if profiles >= PROFILES:
        return ""
    return f"only in profile {', '.join(sorted(profiles))}, and which one is active is not known"


def _rules(rule: WindowsRule) -> Iterator[Rule]:
    effect = Effect.ALLOW if rule.allows else Effect.DENY
    doubts = list(rule.doubts)
    if doubt := _profile_doubt(rule.profiles):
        doubts.append(doubt)
    match = _protocol(rule, doubts) & _sides(rule, doubts)
    yield Rule(rule.name, match, effect, certain=not doubts, reason="; ".join(doubts))


def _protocol(rule: WindowsRule, doubts: list[str]) -> Match:
    word = rule.protocol.upper()
    numbers = _PROTOCOLS.get(word)
    if numbers is None and word.isdecimal() and len(word) < 4 and int(word) < 256:
        numbers = IntervalSet.single(int(word))
    if numbers is None:
        doubts.append(f"protocol {rule.protocol!r} is not understood")
        return Match()
    match = Match(numbers)
    for ports, is_local in ((rule.local_ports, True), (rule.remote_ports, False)):
        is_destination = is_local is (rule.direction is Direction.INBOUND)
        found = _ports(ports, doubts)
        if found is not None:
            match &= Match(_WITH_PORTS)
            match &= Match(destination_ports=found) if is_destination else Match(source_ports=found)
    for protocol, family in ((Protocol.ICMP, "ip"), (Protocol.ICMPV6, "ip6")):
        if numbers == IntervalSet.single(protocol):
            match &= ONLY_FAMILY[family] & _icmp(rule.icmp_types, doubts)
    return match


def _ports(words: tuple[str, ...], doubts: list[str]) -> IntervalSet | None:
    if _is_any(words):
        return None
    try:
        return parse_ports(",".join(words))
    except BadPorts:
        doubts.append(f"ports {', '.join(words[:3])} are not understood")
        return None


def _icmp(words: tuple[str, ...], doubts: list[str]) -> Match:
    if _is_any(words):
        return Match()
    types: list[tuple[int, int]] = []
    for word in words:
        number, colon, code = word.partition(":")
        if (
            not number.isdecimal()
            or len(number) > 3
            or int(number) > 255
            or (colon and code not in {"*", "Any", "any"})
        ):
            doubts.append(f"ICMP type {word!r} is not understood")
            return Match()
        types.append((int(number), int(number)))
    return Match(destination_ports=IntervalSet.of(types))


def _sides(rule: WindowsRule, doubts: list[str]) -> Match:
    local, remote = _addresses(rule.local_addresses, doubts), _addresses(rule.remote_addresses, doubts)
    match = Match()
    for found, is_local in ((local, True), (remote, False)):
        if found is not None:
            is_source = is_local is not (rule.direction is Direction.INBOUND)
            match &= Match(sources=found) if is_source else Match(destinations=found)
    return match


def _addresses(words: tuple[str, ...], doubts: list[str]) -> Addresses | None:
    """Return the addresses, or None for all; words such as LocalSubnet may mean any."""
    if _is_any(words):
        return None
    try:
        return parse_addresses(words)
    except ValueError as error:
        doubts.append(f"{error}; it may be any address")
        return None


def _is_any(words: tuple[str, ...]) -> bool:
    return any(word.lower() == "any" for word in words)
