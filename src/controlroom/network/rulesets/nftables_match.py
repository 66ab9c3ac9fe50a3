"""Reads one nftables rule, as nft's JSON schema (libnftables-json(5)) says it, into lines of a chain."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from controlroom.network.addresses import EVERY_ADDRESS, Addresses, Family, only, parse_range
from controlroom.network.analysis import Match, Protocol, Rewrite
from controlroom.network.analysis.model import ALL_PROTOCOLS
from controlroom.network.intervals import NOTHING, IntervalSet
from controlroom.network.ports import ALL_PORTS
from controlroom.network.rulesets.chains import CONDITION_WORDS, Action, Condition, Line
from controlroom.network.rulesets.line_tests import (
    ByAddressKind,
    ByFlags,
    ByInterface,
    ByReversePath,
    LineTest,
    flags_of,
)

_V4, _V6 = (only(family, family.everything) for family in Family)
ONLY_FAMILY = {
    "inet": Match(),
    "ip": Match(sources=_V4, destinations=_V4),
    "ip6": Match(sources=_V6, destinations=_V6),
}
PROTOCOL_NUMBERS = {
    "icmp": 1,
    "tcp": 6,
    "udp": 17,
    "ipv6-icmp": 58,
    "icmpv6": 58,
    "gre": 47,
    "esp": 50,
    "sctp": 132,
}
ICMPV6_TYPES = {
    "destination-unreachable": 1,
    "packet-too-big": 2,
    "time-exceeded": 3,
    "parameter-problem": 4,
    "echo-request": 128,
    "echo-reply": 129,
    "mld-listener-query": 130,
    "mld-listener-report": 131,
    "mld-listener-done": 132,
    "mld-listener-reduction": 132,
    "nd-router-solicit": 133,
    "nd-router-advert": 134,
    "nd-neighbor-solicit": 135,
    "nd-neighbor-advert": 136,
    "nd-redirect": 137,
    "mld2-listener-report": 143,
}
_ICMP_TYPES = {"echo-reply": 0, "destination-unreachable": 3, "echo-request": 8, "time-exceeded": 11}
_TCP_FLAGS = {"protocol": "tcp", "field": "flags"}
ALL_FLAGS = 255
# Statements that let the packet go on as it is, as far as any match here can tell.
_HARMLESS = frozenset({"counter", "log", "comment", "quota-object", "last"})
_TRANSLATIONS = frozenset({"dnat", "snat", "redirect", "masquerade"})
_VERDICTS = {"accept": Action.ACCEPT, "drop": Action.DROP, "reject": Action.DROP, "return": Action.RETURN}


class _NotUnderstood(Exception):
    """A signal within this file that a match is beyond us; its text says what was met."""


@dataclass(slots=True)
class _Reading:
    sets: Mapping[str, Sequence[object]]
    prefix: str
    match: Match = field(default_factory=Match)
    family: str = "inet"
    possible: bool = True
    conditions: list[Condition] = field(default_factory=list)
    tests: list[LineTest] = field(default_factory=list)
    doubts: list[str] = field(default_factory=list)


def read_rule(
    name: str, expressions: Sequence[object], sets: Mapping[str, Sequence[object]], prefix: str
) -> list[Line]:
    """Return the lines that a rule stands for: none where it cannot match or does nothing, one, or one a map's element."""
    reading = _Reading(sets, prefix, family=prefix.partition(" ")[0])
    lines: list[Line] = []
    for expression in expressions:
        if not isinstance(expression, Mapping) or len(expression) != 1:
            return [
                *lines,
                Line(name, reading.match, Action.ALTER, reason="an expression of an unknown shape"),
            ]
        kind, body = next(iter(expression.items()))
        if kind == "vmap" and isinstance(body, Mapping):
            lines += _mapped(name, reading, body)
        elif kind == "notrack":
            lines += _line(name, reading, Action.UNTRACK)
        elif kind == "match" and isinstance(body, Mapping):
            _apply(reading, body)
        elif kind == "xt" and isinstance(body, Mapping) and body.get("type") == "match":
            reading.doubts.append(
                f"match {body.get('name')!r} of iptables is not understood; give iptables-save too"
            )
        elif kind == "mangle" and isinstance(body, Mapping) and not _changes_addresses(body):
            continue
        elif kind == "limit":
            reading.doubts.append("limit depends on the rate")
        elif kind not in _HARMLESS:
            return [*lines, *_end(name, reading, kind, body)]
    return lines


def _end(name: str, reading: _Reading, kind: str, body: object) -> list[Line]:
    """Return the line that a closing statement makes."""
    if kind in _VERDICTS:
        return _line(name, reading, _VERDICTS[kind])
    if kind in {"jump", "goto"} and isinstance(body, Mapping):
        return _line(name, reading, Action(kind), f"{reading.prefix}{body.get('target')}")
    if kind in _TRANSLATIONS and (body is None or isinstance(body, Mapping)):
        return _translation(name, reading, kind, body or {})
    return _line(name, reading, Action.ALTER, doubt=f"{kind!r} is not understood")


def _changes_addresses(body: Mapping[str, object]) -> bool:
    key = body.get("key")
    payload = key.get("payload") if isinstance(key, Mapping) else None
    harmless = {"dscp", "ecn", "ttl", "hoplimit", "flowlabel", "version"}
    return payload is not None and not (isinstance(payload, Mapping) and payload.get("field") in harmless)


def _line(
    name: str,
    reading: _Reading,
    action: Action,
    chain: str = "",
    *,
    doubt: str = "",
    rewrite: Rewrite | None = None,
) -> list[Line]:
    if not reading.possible:
        return []
    reason = "; ".join([*reading.doubts, *([doubt] if doubt else [])])
    conditions, tests = tuple(reading.conditions), tuple(reading.tests)
    return [Line(name, reading.match, action, chain, reason, conditions, rewrite, tests)]


def _translation(name: str, reading: _Reading, kind: str, body: Mapping[str, object]) -> list[Line]:
    """Return the line of a dnat, snat, redirect or masquerade statement, one a family where it is for both."""
    said = body.get("family") or reading.family
    families = [one for one in Family if said not in {"ip", "ip6"} or said == ("ip" if one == 4 else "ip6")]
    lines: list[Line] = []
    for family in families:
        own = replace(reading, match=reading.match & ONLY_FAMILY["ip" if family is Family.IPV4 else "ip6"])
        try:
            lines += _line(name, own, Action.TRANSLATE, rewrite=_rewrite(own, kind, body, family))
        except _NotUnderstood as doubt:
            lines += _line(name, own, Action.ALTER, doubt=f"{kind} to {doubt} is not followed")
    return lines


def _rewrite(reading: _Reading, kind: str, body: Mapping[str, object], family: Family) -> Rewrite:
    local = kind in {"redirect", "masquerade"}
    address, port = body.get("addr"), body.get("port")
    if isinstance(address, Mapping) and not {"range", "prefix"} & set(address):
        raise _NotUnderstood("a map")
    addresses = IntervalSet.of([_interval(family, address)]) if address is not None else None
    ports = _numbers(reading, port, {}) if port is not None else None
    if kind in {"snat", "masquerade"}:
        # The kernel changes the source port by itself where two connections would become one.
        return Rewrite(
            family, sources=NOTHING if local else addresses, source_ports=ports or ALL_PORTS, local=local
        )
    return Rewrite(family, destinations=NOTHING if local else addresses, destination_ports=ports, local=local)


def _mapped(name: str, reading: _Reading, body: Mapping[str, object]) -> list[Line]:
    """Return a line for each element of a verdict map."""
    data = body.get("data")
    elements: object = data.get("set") if isinstance(data, Mapping) else None
    if isinstance(data, str) and data.startswith("@"):
        elements = reading.sets.get(reading.prefix + data[1:])
    if not isinstance(elements, Sequence):
        return _line(name, reading, Action.OPAQUE, doubt="'vmap' is not understood")
    lines: list[Line] = []
    for element in elements:
        if not isinstance(element, Sequence) or len(element) != 2 or not isinstance(element[1], Mapping):
            return [
                *lines,
                *_line(name, reading, Action.OPAQUE, doubt="an element of 'vmap' is not understood"),
            ]
        own = replace(
            reading, conditions=[*reading.conditions], tests=[*reading.tests], doubts=[*reading.doubts]
        )
        _apply(own, {"op": "==", "left": body.get("key"), "right": {"set": [element[0]]}})
        kind, what = next(iter(element[1].items()), ("", None))
        if kind in _VERDICTS or kind in {"jump", "goto"}:
            lines += _end(name, own, kind, what)
        elif kind != "continue":
            lines += _line(name, own, Action.OPAQUE, doubt=f"{kind!r} in 'vmap' is not understood")
    return lines


def _apply(reading: _Reading, body: Mapping[str, object]) -> None:
    operator, left, right = body.get("op"), body.get("left"), body.get("right")
    try:
        if operator not in {"==", "!=", "in"} or not isinstance(left, Mapping) or len(left) != 1:
            raise _NotUnderstood(f"operator {operator!r}")
        kind, what = next(iter(left.items()))
        negated = operator == "!="
        if kind == "&" or what == _TCP_FLAGS:
            _flags(reading, what, right, operator=str(operator))
        elif kind == "payload" and isinstance(what, Mapping):
            _payload(reading, str(what.get("protocol")), str(what.get("field")), right, negated=negated)
        elif kind == "fib" and isinstance(what, Mapping):
            _fib(reading, what, right, negated=negated)
        elif kind == "meta" and isinstance(what, Mapping):
            _meta(reading, str(what.get("key")), right, negated=negated)
        elif (
            kind == "ct" and isinstance(what, Mapping) and what.get("key") in {"state", "status", "direction"}
        ):
            _tracked(reading, _words(right), negated=negated)
        elif kind == "concat" and isinstance(what, list) and not negated:
            _joined(reading, what, right)
        else:
            raise _NotUnderstood(f"match on {kind!r}")
    except _NotUnderstood as doubt:
        reading.doubts.append(f"{doubt} is not understood")


def _decided(reading: _Reading, *, truth: bool, negated: bool) -> None:
    reading.possible = reading.possible and truth is not negated


def _tracked(reading: _Reading, words: set[str], *, negated: bool) -> None:
    if not words <= CONDITION_WORDS:
        raise _NotUnderstood(f"connection tracking with {', '.join(sorted(words - CONDITION_WORDS))}")
    reading.conditions.append(Condition(frozenset(words), negated))


def _joined(reading: _Reading, keys: list[object], right: object) -> None:
    """Understand a concatenation where it has one element; more would be no box."""
    members = _members(reading, right)
    if len(members) != 1 or not isinstance(members[0], Mapping):
        raise _NotUnderstood("a concatenation of several elements")
    values = members[0].get("concat")
    if not isinstance(values, list) or len(values) != len(keys):
        raise _NotUnderstood("a concatenation of an unknown shape")
    for key, value in zip(keys, values, strict=True):
        _apply(reading, {"op": "==", "left": key, "right": value})


def _words(right: object) -> set[str]:
    if isinstance(right, str):
        return {part.strip() for part in right.split(",")}
    if isinstance(right, Mapping) and isinstance(right.get("set"), list):
        right = right["set"]
    if isinstance(right, list) and all(isinstance(one, str) for one in right):
        return set(right)
    raise _NotUnderstood("a set of flags")


def _payload(reading: _Reading, protocol: str, name: str, right: object, *, negated: bool) -> None:
    if protocol in {"ip", "ip6"} and name in {"saddr", "daddr"}:
        _address(reading, Family.IPV4 if protocol == "ip" else Family.IPV6, name, right, negated=negated)
    elif (protocol, name) in {("ip", "protocol"), ("ip6", "nexthdr")}:
        reading.match &= ONLY_FAMILY[protocol]
        reading.match &= Match(
            _negate(_numbers(reading, right, PROTOCOL_NUMBERS), ALL_PROTOCOLS, negated=negated)
        )
    elif protocol in {"tcp", "udp", "th"} and name in {"sport", "dport"}:
        carriers = [PROTOCOL_NUMBERS[protocol]] if protocol != "th" else [Protocol.TCP, Protocol.UDP]
        ports = _negate(_numbers(reading, right, {}), ALL_PORTS, negated=negated)
        reading.match &= Match(IntervalSet.of((one, one) for one in carriers))
        reading.match &= Match(destination_ports=ports) if name == "dport" else Match(source_ports=ports)
    elif protocol in {"icmp", "icmpv6"} and name == "type":
        names = _ICMP_TYPES if protocol == "icmp" else ICMPV6_TYPES
        types = _negate(_numbers(reading, right, names), ALL_PORTS, negated=negated)
        # nft adds the family by itself (nfproto), in a table of family inet too, and does not print it.
        reading.match &= ONLY_FAMILY["ip" if protocol == "icmp" else "ip6"]
        reading.match &= Match(IntervalSet.single(PROTOCOL_NUMBERS[protocol]), destination_ports=types)
    else:
        raise _NotUnderstood(f"{protocol} {name}")


def _meta(reading: _Reading, key: str, right: object, *, negated: bool) -> None:
    if key in {"iif", "iifname", "oif", "oifname"}:
        _interface(reading, key, right, negated=negated)
    elif key == "l4proto":
        reading.match &= Match(
            _negate(_numbers(reading, right, PROTOCOL_NUMBERS), ALL_PROTOCOLS, negated=negated)
        )
    elif key in {"nfproto", "protocol"} and not negated and right in {"ipv4", "ip", "ipv6", "ip6"}:
        reading.match &= ONLY_FAMILY["ip" if right in {"ipv4", "ip"} else "ip6"]
    else:
        raise _NotUnderstood(f"meta {key}")


def _interface(reading: _Reading, key: str, right: object, *, negated: bool) -> None:
    members = _members(reading, right)
    if not all(isinstance(one, str) for one in members):
        raise _NotUnderstood(f"meta {key} of an unknown shape")
    # Packets on the loopback interface are left out.
    names = frozenset(str(one) for one in members) - {"lo"}
    if not names:
        _decided(reading, truth=False, negated=negated)
    else:
        reading.tests.append(ByInterface(names, key.startswith("oif"), negated))


def _fib(reading: _Reading, what: Mapping[str, object], right: object, *, negated: bool) -> None:
    flags = what.get("flags")
    asked = frozenset([flags] if isinstance(flags, str) else flags if isinstance(flags, list) else [])
    result = what.get("result")
    if result == "type" and asked in ({"daddr"}, {"saddr"}):
        reading.tests.append(ByAddressKind(frozenset(_words(right)), "saddr" in asked, negated))
    elif result in {"oif", "oifname"} and "saddr" in asked and "iif" in asked and isinstance(right, bool):
        # Whether there is a way back to the source by the interface it came from: false is "missing".
        reading.tests.append(ByReversePath(negated=right is not negated))
    else:
        raise _NotUnderstood("match on 'fib'")


def _flags(reading: _Reading, what: object, right: object, *, operator: str) -> None:
    """Understand ``tcp flags syn``, which asks for one of them, ``== syn``, and ``& (syn | ack) == syn``."""
    mask = ALL_FLAGS
    if isinstance(what, list):
        if len(what) != 2 or what[0] != {"payload": _TCP_FLAGS}:
            raise _NotUnderstood("a match on bits")
        mask = _bits(what[1])
    reading.match &= Match(IntervalSet.single(Protocol.TCP))
    plain = not isinstance(what, list)
    if plain and isinstance(right, Mapping) and isinstance(members := right.get("set"), list):
        raise _NotUnderstood(f"a set of {len(members)} combinations of TCP flags")
    reading.tests.append(
        ByFlags(mask, _bits(right), negated=operator == "!=", any_of=plain and operator == "in")
    )


def _bits(value: object) -> int:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if isinstance(value, Mapping) and isinstance(parts := value.get("|"), list):
        value = parts
    try:
        return flags_of(",".join(_words(value)))
    except ValueError as error:
        raise _NotUnderstood(f"TCP flags {error}") from None


def _address(reading: _Reading, family: Family, name: str, right: object, *, negated: bool) -> None:
    found = IntervalSet.of(_interval(family, one) for one in _members(reading, right))
    kept = only(family, _negate(found, family.everything, negated=negated))
    own: Addresses = only(family, EVERY_ADDRESS.of(family))
    reading.match &= (
        Match(sources=kept, destinations=own) if name == "saddr" else Match(sources=own, destinations=kept)
    )


def _interval(family: Family, value: object) -> tuple[int, int]:
    try:
        if isinstance(value, Mapping) and isinstance(prefix := value.get("prefix"), Mapping):
            found = parse_range(f"{prefix['addr']}/{prefix['len']}")
        elif isinstance(value, Mapping) and isinstance(ends := value.get("range"), list) and len(ends) == 2:
            found = parse_range(f"{ends[0]}-{ends[1]}")
        elif isinstance(value, str):
            found = parse_range(value)
        else:
            raise _NotUnderstood("an address of an unknown shape")
    except (ValueError, KeyError):
        raise _NotUnderstood(f"address {value!r}") from None
    if found[0] is not family:
        raise _NotUnderstood(f"address {value!r} of the other family")
    return found[1], found[2]


def _members(reading: _Reading, right: object) -> Sequence[object]:
    """Spell a right-hand side out: one value, an anonymous set, or a named set."""
    if isinstance(right, str) and right.startswith("@"):
        named = reading.sets.get(reading.prefix + right[1:])
        if named is None:
            raise _NotUnderstood(f"set {right!r}, which is not there,")
        return [_bare(one) for one in named]
    if isinstance(right, Mapping) and isinstance(inner := right.get("set"), list):
        return [_bare(one) for one in inner]
    return [right]


def _bare(element: object) -> object:
    """Take an element out of the wrapping that carries its counter, time-out or comment."""
    if isinstance(element, Mapping) and isinstance(inner := element.get("elem"), Mapping):
        return inner.get("val")
    return element


def _numbers(reading: _Reading, right: object, names: Mapping[str, int]) -> IntervalSet:
    def number(value: object) -> int:
        if isinstance(value, int) and not isinstance(value, bool):
            return value
        if isinstance(value, str) and value in names:
            return names[value]
        if isinstance(value, str) and value.isdecimal():
            return int(value)
        raise _NotUnderstood(f"value {value!r}")

    found: list[tuple[int, int]] = []
    for one in _members(reading, right):
        ends = one.get("range") if isinstance(one, Mapping) else [one, one]
        if not isinstance(ends, list) or len(ends) != 2:
            raise _NotUnderstood("a value of an unknown shape")
        low, high = number(ends[0]), number(ends[1])
        if low > high:
            raise _NotUnderstood(f"range {low}-{high}")
        found.append((low, high))
    return IntervalSet.of(found)


def _negate(found: IntervalSet, everything: IntervalSet, *, negated: bool) -> IntervalSet:
    return everything - found if negated else found
