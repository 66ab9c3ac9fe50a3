"""Single lines of Cisco access lists: who, whom, by which service, under which conditions."""

from dataclasses import dataclass, replace

from controlroom.network.addresses import Addresses, Family, only
from controlroom.network.analysis import Effect, Match, Rule
from controlroom.network.intervals import IntervalSet
from controlroom.network.rulesets.cisco_groups import Groups
from controlroom.network.rulesets.cisco_words import (
    ICMP_TYPES,
    ICMPV6_TYPES,
    NotUnderstood,
    Words,
    address,
    icmp_type,
    masked,
    prefix,
    protocol,
    take_ports,
)
from controlroom.network.rulesets.cloud_rules import Service, Side, doubtful, rules_of
from controlroom.network.rulesets.packet_words import ONLY_FAMILY

_LONGEST_NAME = 160
_FAMILY_BOX = {None: Match(), Family.IPV4: ONLY_FAMILY["ip"], Family.IPV6: ONLY_FAMILY["ip6"]}
_LOG_WORDS = frozenset({"log", "log-input"})
_PAIRED = frozenset(
    {"dscp", "precedence", "tos", "ttl", "option", "flow-label", "routing-type", "dest-option-type"}
)


@dataclass(frozen=True, slots=True)
class Dialect:
    """How a list writes addresses: IOS speaks of one family and of wildcard masks, ASA of both and of net masks."""

    family: Family | None
    wildcards: bool


IOS_V4, IOS_V6, ASA = Dialect(Family.IPV4, True), Dialect(Family.IPV6, False), Dialect(None, False)


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of a list as far as it is understood.

    ``established`` ones match no first packet. ``reflects`` names the reflexive list that remembers what matched,
    ``evaluates`` the one that is asked.
    """

    name: str
    permits: bool
    family: Family | None
    services: tuple[Service, ...] = ()
    sources: Side = Side(Addresses())  # noqa: RUF009  # immutable
    destinations: Side = Side(Addresses())  # noqa: RUF009  # immutable
    established: bool = False
    reflects: str = ""
    evaluates: str = ""

    def rules(self) -> list[Rule]:
        """Return the rules that the line is for a packet which it may match."""
        effect = Effect.ALLOW if self.permits else Effect.DENY
        found: list[Rule] = []
        for service in self.services:
            found += rules_of(self.name, effect, service, self.sources, self.destinations)
        return found if self.family is None else [_within(rule, self.family) for rule in found]


def _within(rule: Rule, family: Family) -> Rule:
    sides = (rule.match.sources, rule.match.destinations)
    if not any(side.v6 if family is Family.IPV4 else side.v4 for side in sides):
        return rule
    return replace(rule, match=rule.match & _FAMILY_BOX[family])


def read_entry(list_name: str, words: Words, text: str, dialect: Dialect, groups: Groups) -> Entry:
    """Read a line from its ``permit`` or ``deny`` on; what is not understood makes it uncertain."""
    name = f"{list_name}: {text}"[:_LONGEST_NAME]
    permits = words.take() == "permit"
    everyone = _everyone(dialect)
    try:
        return _entry(name, words, dialect, groups, permits=permits)
    except NotUnderstood as doubt:
        return Entry(name, permits, dialect.family, (doubtful(str(doubt)),), everyone, everyone)


def read_standard(list_name: str, words: Words, text: str) -> Entry:
    """Read a line of a standard list, which knows sources alone."""
    name = f"{list_name}: {text}"[:_LONGEST_NAME]
    permits = words.take() == "permit"
    everyone = _everyone(IOS_V4)
    try:
        if words.peek() not in {"any", "host"} and not words.after().replace(".", "").isdecimal():
            family, value = address(words.take())
            sources = Side(only(family, IntervalSet.single(value)))
        else:
            sources = _side(words, IOS_V4, Groups())
        while words.peek() in _LOG_WORDS:
            words.take()
        words.end()
    except NotUnderstood as doubt:
        return Entry(name, permits, Family.IPV4, (doubtful(str(doubt)),), everyone, everyone)
    return Entry(name, permits, Family.IPV4, (Service(),), sources, everyone)


def _entry(name: str, words: Words, dialect: Dialect, groups: Groups, *, permits: bool) -> Entry:
    services = _services(words, dialect, groups)
    carries_ports = all(
        service.protocols in (IntervalSet.single(6), IntervalSet.single(17), _BOTH) for service in services
    )
    sources = _side(words, dialect, groups)
    source_ports = _ports(words, groups) if carries_ports else None
    destinations = _side(words, dialect, groups)
    ports = _ports(words, groups) if carries_ports else _icmp(words, services, dialect, groups)
    services = tuple(
        replace(
            one,
            source_ports=one.source_ports if source_ports is None else one.source_ports & source_ports,
            ports=one.ports if ports is None else one.ports & ports,
        )
        for one in services
    )
    entry = Entry(name, permits, dialect.family, services, sources, destinations)
    return _options(entry, words)


_BOTH = IntervalSet(((6, 6), (17, 17)))


def _services(words: Words, dialect: Dialect, groups: Groups) -> tuple[Service, ...]:
    if words.skip("object-group", "object"):
        name = words.take()
        if groups.kinds.get(name) == "protocol":
            return (Service(groups.protocols(name)),)
        return groups.services(name)
    word = words.take()
    if word == "icmp" and dialect.family is Family.IPV6:
        return (Service(IntervalSet.single(58)),)
    return (Service(protocol(word)),)


def _side(words: Words, dialect: Dialect, groups: Groups) -> Side:
    word = words.take()
    if word in {"any", "any4", "any6"}:
        family = {"any": dialect.family, "any4": Family.IPV4, "any6": Family.IPV6}[word]
        return Side(_FAMILY_BOX[family].sources)
    if word == "host":
        family, value = address(words.take())
        return Side(only(family, IntervalSet.single(value)))
    if word in {"object-group", "object"}:
        return groups.network(words.take())
    if word in {
        "interface",
        "object-group-user",
        "user",
        "user-group",
        "object-group-security",
        "security-group",
        "addrgroup",
    }:
        raise NotUnderstood(f"{word} {words.peek()[:40]} is no address")
    if "/" in word:
        return Side(prefix(word))
    return Side(masked(word, words.take(), wildcard=dialect.wildcards))


def _ports(words: Words, groups: Groups) -> IntervalSet | None:
    if words.peek() in {"object-group", "object"} and groups.kinds.get(words.after()) == "ports":
        words.take()
        return groups.ports(words.take())
    return take_ports(words)


def _icmp(
    words: Words, services: tuple[Service, ...], dialect: Dialect, groups: Groups
) -> IntervalSet | None:
    """Take an ICMP message type, which stands where a port would."""
    word = words.peek()
    numbers = {low for one in services for low, _ in one.protocols}
    if not word or word in _LOG_WORDS or word in _PAIRED or not numbers <= {1, 58}:
        return None
    if word == "object-group":
        words.take()
        return groups.icmp_types(words.take())
    names = ICMPV6_TYPES if numbers == {58} or dialect.family is Family.IPV6 else ICMP_TYPES
    if word not in names and not word.isdecimal():
        return None
    return icmp_type(words.take(), names)


def _options(entry: Entry, words: Words) -> Entry:
    """Read what stands behind the addresses: conditions that are followed, and others that make the line uncertain."""
    while word := words.peek():
        words.take()
        if word == "established":
            entry = replace(entry, established=True)
        elif word == "reflect":
            entry = replace(entry, reflects=words.take())
        elif word == "timeout" and entry.reflects:
            words.take()
        elif word in _LOG_WORDS:
            # A level, an interval, "default" or "disable" may follow: none of them changes what passes.
            while words.peek() and words.peek() not in {"inactive", "time-range"}:
                words.take()
        elif word == "inactive":
            return replace(entry, services=())
        elif word == "sequence" and words.peek().isdecimal():
            words.take()
        else:
            detail = f" {words.take()}" if word in _PAIRED | {"time-range"} and words.peek() else ""
            raise NotUnderstood(f"{word}{detail} decides it"[:100])
    return entry


def _everyone(dialect: Dialect) -> Side:
    return Side(_FAMILY_BOX[dialect.family].sources)
