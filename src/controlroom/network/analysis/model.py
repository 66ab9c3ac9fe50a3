"""Packets, matches, rules and programs: the common tongue in which every firewall is judged.

A program is a list of rules tried in order. Besides allowing and denying, a rule may send a packet on to a later
rule, which is how chains that return, and firewalls that stand behind one another, are said.
"""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum, StrEnum

from controlroom.network.addresses import EVERY_ADDRESS, Addresses, Family, format_address
from controlroom.network.intervals import IntervalSet
from controlroom.network.ports import ALL_PORTS

# The first port that senders are given by RFC 6335, section 6: what a witness is sent from where any port will do.
UNIMPORTANT_SENDER = 49152

ALL_PROTOCOLS = IntervalSet(((0, 255),))


class Protocol(IntEnum):
    """IP protocol numbers that have names here (IANA protocol numbers)."""

    ICMP = 1
    TCP = 6
    UDP = 17
    ICMPV6 = 58


class Verdict(StrEnum):
    """What becomes of a packet; unknown where a rule was not understood."""

    ALLOW = "allow"
    DENY = "deny"
    UNKNOWN = "unknown"


class Effect(StrEnum):
    """What a rule does with a packet that it matches."""

    ALLOW = "allow"
    DENY = "deny"
    SKIP = "skip"


@dataclass(frozen=True, slots=True)
class Packet:
    """The first packet of a connection. For ICMP the destination port is the message type."""

    family: Family
    protocol: int
    source: int
    destination: int
    source_port: int
    destination_port: int

    def __str__(self) -> str:
        source, destination = (
            format_address(self.family, value) for value in (self.source, self.destination)
        )
        if self.protocol in {Protocol.TCP, Protocol.UDP}:
            if self.family is Family.IPV6:
                source, destination = f"[{source}]", f"[{destination}]"
            name = Protocol(self.protocol).name.lower()
            return f"{name} {source}:{self.source_port} -> {destination}:{self.destination_port}"
        if self.protocol in {Protocol.ICMP, Protocol.ICMPV6}:
            name = Protocol(self.protocol).name.lower()
            return f"{name} type {self.destination_port} {source} -> {destination}"
        return f"{self.family.title} protocol {self.protocol} {source} -> {destination}"


@dataclass(frozen=True, slots=True)
class Match:
    """A box of packets: the product of six sets. An address set that is empty in a family matches nothing in it."""

    protocols: IntervalSet = ALL_PROTOCOLS
    sources: Addresses = EVERY_ADDRESS
    destinations: Addresses = EVERY_ADDRESS
    source_ports: IntervalSet = ALL_PORTS
    destination_ports: IntervalSet = ALL_PORTS

    def __and__(self, other: "Match") -> "Match":
        return Match(
            self.protocols & other.protocols,
            self.sources & other.sources,
            self.destinations & other.destinations,
            self.source_ports & other.source_ports,
            self.destination_ports & other.destination_ports,
        )

    def fields(self, family: Family) -> tuple[IntervalSet, ...]:
        """Return the five sets of one family, in the order of `Field`."""
        return (
            self.protocols,
            self.destination_ports,
            self.destinations.of(family),
            self.sources.of(family),
            self.source_ports,
        )

    def is_empty(self, family: Family) -> bool:
        """Say whether no packet of the family can match."""
        return not all(self.fields(family))

    def contains(self, packet: Packet) -> bool:
        """Say whether a packet is in the box."""
        return self.holds(values_of(packet), packet.family)

    def holds(self, values: tuple[int, ...], family: Family) -> bool:
        """Say whether a packet of the family with these values, in the order of `Field`, is in the box."""
        return all(value in one for value, one in zip(values, self.fields(family), strict=True))


class Field(IntEnum):
    """The fields of a packet in the order in which they tell rules apart most cheaply."""

    PROTOCOL = 0
    DESTINATION_PORT = 1
    DESTINATION = 2
    SOURCE = 3
    SOURCE_PORT = 4


def values_of(packet: Packet) -> tuple[int, ...]:
    """Return a packet's values in the order of `Field`."""
    return (packet.protocol, packet.destination_port, packet.destination, packet.source, packet.source_port)


@dataclass(frozen=True, slots=True)
class Rewrite:
    """What a translation puts in place of a packet's own values: one of a set, or None where it keeps its own.

    A shift is added to the packet's own address instead. ``local`` says that the new address is this host's own.
    """

    family: Family
    sources: IntervalSet | None = None
    destinations: IntervalSet | None = None
    source_ports: IntervalSet | None = None
    destination_ports: IntervalSet | None = None
    source_shift: int = 0
    destination_shift: int = 0
    local: bool = False


@dataclass(frozen=True, slots=True)
class Rule:
    """One line of a firewall as far as it is understood.

    ``name`` lets a person find it. A rule that is not ``certain`` may or may not match what its box holds, for
    ``reason``. A skip goes on at the rule with number ``target``, which is later than the rule itself. A ``path``
    only leads from one rule to another: it is never named as what let a packet through. A rule with a ``rewrite``
    leads to the rules as they look to the packet before it is rewritten so.
    """

    name: str
    match: Match
    effect: Effect
    target: int = 0
    certain: bool = True
    reason: str = ""
    path: bool = False
    rewrite: Rewrite | None = None


@dataclass(frozen=True, slots=True)
class Program:
    """Rules tried in order, and what happens when none decides."""

    rules: tuple[Rule, ...]
    default: Verdict = Verdict.DENY
    default_name: str = "default"

    def name_of(self, number: int) -> str:
        """Return the name of a rule by its number, or of the default for -1."""
        return self.default_name if number < 0 else self.rules[number].name


@dataclass(frozen=True, slots=True)
class Ruling:
    """What a program does with a packet, and the number of the rule that decided, -1 for the default."""

    verdict: Verdict
    rule: int


def decide(program: Program, matching: Sequence[int]) -> Ruling:
    """Return the ruling on a packet that exactly these rules match, given in ascending order (Kleene logic).

    Where nothing is left to decide after a skip, the skip is what decided: that is how an accept is said.
    """
    position = 0
    through = -1
    while position < len(matching):
        rule = program.rules[matching[position]]
        if not rule.certain:
            ruling = _decide_uncertain(program, matching, position)
            return ruling if ruling.rule >= 0 else Ruling(ruling.verdict, through)
        if rule.effect is not Effect.SKIP:
            return Ruling(Verdict(rule.effect.value), through if rule.path else matching[position])
        if not rule.path:
            through = matching[position]
        position = bisect_left(matching, rule.target, position + 1)
    return Ruling(program.default, through)


def _decide_uncertain(program: Program, matching: Sequence[int], start: int) -> Ruling:
    """Rule from the last rule backwards, so that many uncertain rules cost no more than many certain ones."""
    rulings = [Ruling(program.default, -1)] * (len(matching) + 1)
    for position in range(len(matching) - 1, start - 1, -1):
        number = matching[position]
        rule = program.rules[number]
        if rule.effect is Effect.SKIP:
            after = rulings[bisect_left(matching, rule.target, position + 1)]
            matched = after if after.rule >= 0 or rule.path else Ruling(after.verdict, number)
        else:
            matched = Ruling(Verdict(rule.effect.value), -1 if rule.path else number)
        if rule.certain:
            rulings[position] = matched
        elif rulings[position + 1].verdict is matched.verdict:
            rulings[position] = rulings[position + 1]
        else:
            rulings[position] = Ruling(Verdict.UNKNOWN, number)
    return rulings[start]


def judge(program: Program, packet: Packet) -> Ruling:
    """Return the ruling on one packet by trying the rules one by one."""
    values, family = values_of(packet), packet.family
    return decide(
        program, [number for number, rule in enumerate(program.rules) if rule.match.holds(values, family)]
    )
