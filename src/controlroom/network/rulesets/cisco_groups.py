"""Objects and object groups of IOS and ASA: what addresses and services their names stand for, groups within groups."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import TypeVar

from controlroom.network.addresses import Addresses, only
from controlroom.network.errors import BadRuleset
from controlroom.network.intervals import IntervalSet, union
from controlroom.network.ports import ALL_PORTS
from controlroom.network.rulesets.cisco_words import (
    ICMP_TYPES,
    CommandLine,
    NotUnderstood,
    Words,
    address,
    icmp_type,
    masked,
    prefix,
    protocol,
    span,
    sub_lines,
    take_ports,
)
from controlroom.network.rulesets.cloud_rules import EVERYONE, Service, Side, doubtful

# Groups within groups; the devices' own limit is lower, and a loop never ends.
_DEEPEST = 32
_MOST_SERVICES = 10_000
_SILENT = frozenset({"description", "nat", "fqdn-description"})
_HEADS = {
    ("object-group", "network"): "network",
    ("object-group", "v6-network"): "network",
    ("object", "network"): "network",
    ("object-group", "service"): "service",
    ("object-group", "v6-service"): "service",
    ("object", "service"): "service",
    ("object-group", "protocol"): "protocol",
    ("object-group", "icmp-type"): "icmp",
}
_Value = TypeVar("_Value")


@dataclass(slots=True)
class Groups:
    """All named objects of a configuration. ``kinds`` tells a name's kind; ports are services of a given protocol."""

    kinds: dict[str, str] = field(default_factory=dict)
    _lines: dict[str, list[CommandLine]] = field(default_factory=dict)
    _transports: dict[str, IntervalSet] = field(default_factory=dict)
    _known: dict[str, object] = field(default_factory=dict)
    _open: list[str] = field(default_factory=list)

    def add(self, line: CommandLine) -> bool:
        """Take a command that begins an object or a group; say whether it was one."""
        kind = _HEADS.get((line.words[0], line.words[1] if len(line.words) > 1 else ""))
        if kind is None or len(line.words) < 3:
            return False
        name = line.words[2]
        if len(line.words) > 3 and kind == "service":
            kind = "ports"
            words = {"tcp": [(6, 6)], "udp": [(17, 17)], "tcp-udp": [(6, 6), (17, 17)]}
            self._transports[name] = IntervalSet.of(words.get(line.words[3], []))
        if self.kinds.setdefault(name, kind) != kind:
            raise BadRuleset(f"line {line.number}: {name!r} is a group of two kinds")
        self._lines.setdefault(name, []).extend(line.under)
        return True

    def network(self, name: str) -> Side:
        """Return the addresses that a name stands for, with a reason for what is not known of them."""
        return self._resolve(name, ("network",), self._network, lambda reason: Side(Addresses(), (reason,)))

    def services(self, name: str) -> tuple[Service, ...]:
        """Return the services that a name stands for."""
        return self._resolve(name, ("service",), self._services, lambda reason: (doubtful(reason),))

    def ports(self, name: str) -> IntervalSet:
        """Return the ports of a group of ports; raise `NotUnderstood`."""
        return self._exact(name, "ports", self._ports)

    def protocols(self, name: str) -> IntervalSet:
        """Return the protocols of a group; raise `NotUnderstood`."""
        return self._exact(name, "protocol", self._protocols)

    def icmp_types(self, name: str) -> IntervalSet:
        """Return the message types of a group; raise `NotUnderstood`."""
        return self._exact(name, "icmp", self._icmp_types)

    def _resolve(
        self,
        name: str,
        kinds: tuple[str, ...],
        read: Callable[[str], _Value],
        unknown: Callable[[str], _Value],
    ) -> _Value:
        if self.kinds.get(name) not in kinds:
            return unknown(f"there is no such group {name[:64]!r}")
        if name in self._open or len(self._open) > _DEEPEST:
            raise BadRuleset(f"group {name!r} holds itself, or groups lie more than {_DEEPEST} deep")
        if name not in self._known:
            self._open.append(name)
            try:
                self._known[name] = read(name)
            finally:
                self._open.pop()
        return self._known[name]  # type: ignore[return-value]  # a name has one kind, and a kind one type

    def _exact(self, name: str, kind: str, read: Callable[[str], IntervalSet]) -> IntervalSet:
        found: IntervalSet | None = self._resolve(name, (kind,), read, lambda _: None)
        if found is None:
            raise NotUnderstood(f"there is no such group {name[:64]!r}")
        return found

    def _members(self, name: str) -> Iterable[Words]:
        for line in sub_lines(self._lines[name], ignored=_SILENT):
            yield Words(line.words)

    def _network(self, name: str) -> Side:
        sides: list[Side] = []
        for words in self._members(name):
            try:
                sides.append(self._member(words))
            except NotUnderstood as doubt:
                sides.append(Side(Addresses(), (f"group {name}: {doubt}",)))
        return Side(
            Addresses(union(one.known.v4 for one in sides), union(one.known.v6 for one in sides)),
            tuple(dict.fromkeys(reason for one in sides for reason in one.unknown)),
        )

    def _member(self, words: Words) -> Side:
        words.skip("network-object", "subnet")
        first = words.take()
        if first in {"group-object", "object"}:
            side = self.network(words.take())
        elif first == "any":
            side = EVERYONE
        elif first == "host":
            family, value = address(words.take())
            side = Side(only(family, IntervalSet.single(value)))
        elif first == "range":
            side = Side(span(words.take(), words.take()))
        elif "/" in first:
            side = Side(prefix(first))
        elif first in {"fqdn", "interface", "security-group"}:
            raise NotUnderstood(f"{first} {words.peek()[:60]} is not an address")
        else:
            side = Side(masked(first, words.take(), wildcard=False))
        words.end()
        return side

    def _services(self, name: str) -> tuple[Service, ...]:
        found: dict[Service, None] = {}
        for words in self._members(name):
            try:
                for one in self._service(words):
                    found[one] = None
            except NotUnderstood as doubt:
                found[doubtful(f"group {name}: {doubt}")] = None
            if len(found) > _MOST_SERVICES:
                raise BadRuleset(f"group {name!r} has more than {_MOST_SERVICES} services")
        return tuple(found)

    def _service(self, words: Words) -> tuple[Service, ...]:
        if words.skip("group-object"):
            return self.services(words.take())
        words.skip("service-object", "service")
        if words.skip("object", "object-group"):
            return self.services(words.take())
        word = words.take()
        protocols = IntervalSet.of([(6, 6), (17, 17)]) if word == "tcp-udp" else protocol(word)
        if word in {"icmp", "icmp6"} and words.peek():
            types = icmp_type(words.take(), ICMP_TYPES)
            words.end()
            return (Service(protocols, types),)
        source = ALL_PORTS
        if words.skip("source"):
            source = take_ports(words) or _nothing(words)
        words.skip("destination")
        ports = take_ports(words)
        words.end()
        return (Service(protocols, ALL_PORTS if ports is None else ports, source),)

    def _ports(self, name: str) -> IntervalSet:
        found: list[IntervalSet] = []
        for words in self._members(name):
            if words.skip("group-object"):
                found.append(self.ports(words.take()))
            else:
                words.skip("port-object")
                ports = take_ports(words)
                found.append(_nothing(words) if ports is None else ports)
            words.end()
        return union(found)

    def _protocols(self, name: str) -> IntervalSet:
        found = [
            self.protocols(words.take()) if words.skip("group-object") else _one(words, "protocol-object")
            for words in self._members(name)
        ]
        return union(found)

    def _icmp_types(self, name: str) -> IntervalSet:
        found: list[IntervalSet] = []
        for words in self._members(name):
            if words.skip("group-object"):
                found.append(self.icmp_types(words.take()))
            else:
                words.skip("icmp-object")
                found.append(icmp_type(words.take(), ICMP_TYPES))
        return union(found)


def _one(words: Words, head: str) -> IntervalSet:
    words.skip(head)
    return protocol(words.take())


def _nothing(words: Words) -> IntervalSet:
    raise NotUnderstood(f"{words.peek()[:40]!r} is no port")
