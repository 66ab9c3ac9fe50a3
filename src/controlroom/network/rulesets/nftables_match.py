"""Reads one nftables rule, as nft's JSON schema (libnftables-json(5)) says it, into lines of a chain."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from controlroom.network.addresses import EVERY_ADDRESS, Addresses, Family, only
from controlroom.network.analysis import Match, Protocol, Rewrite
from controlroom.network.analysis.model import ALL_PROTOCOLS
from controlroom.network.intervals import NOTHING, IntervalSet
from controlroom.network.ports import ALL_PORTS
from controlroom.network.rulesets.chains import CONDITION_WORDS, Action, Condition, Line
from controlroom.network.rulesets.line_tests import ByAddressKind, ByFlags, ByInterface, ByReversePath
from controlroom.network.rulesets.nftables_values import (
    NotUnderstood,
    Reading,
    flag_bits,
    interval_of,
    members_of,
    numbers_of,
    unless_negated,
    words_of,
)
from controlroom.network.rulesets.packet_words import ICMPV6_TYPES, ONLY_FAMILY, PROTOCOL_NUMBERS

_ICMP_TYPES = {"echo-reply": 0, "destination-unreachable": 3, "echo-request": 8, "time-exceeded": 11}
_TCP_FLAGS = {"protocol": "tcp", "field": "flags"}
ALL_FLAGS = 255
# Statements that let the packet go on as it is, as far as any match here can tell.
_HARMLESS = frozenset({"counter", "log", "comment", "quota-object", "last"})
_TRANSLATIONS = frozenset({"dnat", "snat", "redirect", "masquerade"})
_VERDICTS = {"accept": Action.ACCEPT, "drop": Action.DROP, "reject": Action.DROP, "return": Action.RETURN}


def read_rule(
    name: str, expressions: Sequence[object], sets: Mapping[str, Sequence[object]], prefix: str
) -> list[Line]:
    """Return the lines that a rule stands for: none where it cannot match or does nothing, one, or one a map's element."""
    reading = Reading(sets, prefix, family=prefix.partition(" ")[0])
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


def _end(name: str, reading: Reading, kind: str, body: object) -> list[Line]:
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
    reading: Reading,
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


def _translation(name: str, reading: Reading, kind: str, body: Mapping[str, object]) -> list[Line]:
    """Return the line of a dnat, snat, redirect or masquerade statement, one a family where it is for both."""
    said = body.get("family") or reading.family
    families = [one for one in Family if said not in {"ip", "ip6"} or said == ("ip" if one == 4 else "ip6")]
    lines: list[Line] = []
    for family in families:
        own = replace(reading, match=reading.match & ONLY_FAMILY["ip" if family is Family.IPV4 else "ip6"])
        try:
            lines += _line(name, own, Action.TRANSLATE, rewrite=_rewrite(own, kind, body, family))
        except NotUnderstood as doubt:
            lines += _line(name, own, Action.ALTER, doubt=f"{kind} to {doubt} is not followed")
    return lines


def _rewrite(reading: Reading, kind: str, body: Mapping[str, object], family: Family) -> Rewrite:
    local = kind in {"redirect", "masquerade"}
    address, port = body.get("addr"), body.get("port")
    if isinstance(address, Mapping) and not {"range", "prefix"} & set(address):
        raise NotUnderstood("a map")
    addresses = IntervalSet.of([interval_of(family, address)]) if address is not None else None
    ports = numbers_of(reading, port, {}) if port is not None else None
    if kind in {"snat", "masquerade"}:
        # The kernel changes the source port by itself where two connections would become one.
        return Rewrite(
            family, sources=NOTHING if local else addresses, source_ports=ports or ALL_PORTS, local=local
        )
    return Rewrite(family, destinations=NOTHING if local else addresses, destination_ports=ports, local=local)


def _mapped(name: str, reading: Reading, body: Mapping[str, object]) -> list[Line]:
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


def _apply(reading: Reading, body: Mapping[str, object]) -> None:
    operator, left, right = body.get("op"), body.get("left"), body.get("right")
    try:
        if operator not in {"==", "!=", "in"} or not isinstance(left, Mapping) or len(left) != 1:
            raise NotUnderstood(f"operator {operator!r}")
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
            _tracked(reading, words_of(right), negated=negated)
        elif kind == "concat" and isinstance(what, list) and not negated:
            _joined(reading, what, right)
        else:
            raise NotUnderstood(f"match on {kind!r}")
    except NotUnderstood as doubt:
        reading.doubts.append(f"{doubt} is not understood")


def _decided(reading: Reading, *, truth: bool, negated: bool) -> None:
    reading.possible = reading.possible and truth is not negated


def _tracked(reading: Reading, words: set[str], *, negated: bool) -> None:
    if not words <= CONDITION_WORDS:
        raise NotUnderstood(f"connection tracking with {', '.join(sorted(words - CONDITION_WORDS))}")
    reading.conditions.append(Condition(frozenset(words), negated))


def _joined(reading: Reading, keys: list[object], right: object) -> None:
    """Understand a concatenation where it has one element; more would be no box."""
    members = members_of(reading, right)
    if len(members) != 1 or not isinstance(members[0], Mapping):
        raise NotUnderstood("a concatenation of several elements")
    values = members[0].get("concat")
    if not isinstance(values, list) or len(values) != len(keys):
        raise NotUnderstood("a concatenation of an unknown shape")
    for key, value in zip(keys, values, strict=True):
        _apply(reading, {"op": "==", "left": key, "right": value})


def _payload(reading: Reading, protocol: str, name: str, right: object, *, negated: bool) -> None:
    if protocol in {"ip", "ip6"} and name in {"saddr", "daddr"}:
        _address(reading, Family.IPV4 if protocol == "ip" else Family.IPV6, name, right, negated=negated)
    elif (protocol, name) in {("ip", "protocol"), ("ip6", "nexthdr")}:
        reading.match &= ONLY_FAMILY[protocol]
        reading.match &= Match(
            unless_negated(numbers_of(reading, right, PROTOCOL_NUMBERS), ALL_PROTOCOLS, negated=negated)
        )
    elif protocol in {"tcp", "udp", "th"} and name in {"sport", "dport"}:
        carriers = [PROTOCOL_NUMBERS[protocol]] if protocol != "th" else [Protocol.TCP, Protocol.UDP]
        ports = unless_negated(numbers_of(reading, right, {}), ALL_PORTS, negated=negated)
        reading.match &= Match(IntervalSet.of((one, one) for one in carriers))
        reading.match &= Match(destination_ports=ports) if name == "dport" else Match(source_ports=ports)
    elif protocol in {"icmp", "icmpv6"} and name == "type":
        names = _ICMP_TYPES if protocol == "icmp" else ICMPV6_TYPES
        types = unless_negated(numbers_of(reading, right, names), ALL_PORTS, negated=negated)
        # nft adds the family by itself (nfproto), in a table of family inet too, and does not print it.
        reading.match &= ONLY_FAMILY["ip" if protocol == "icmp" else "ip6"]
        reading.match &= Match(IntervalSet.single(PROTOCOL_NUMBERS[protocol]), destination_ports=types)
    else:
        raise NotUnderstood(f"{protocol} {name}")


def _meta(reading: Reading, key: str, right: object, *, negated: bool) -> None:
    if key in {"iif", "iifname", "oif", "oifname"}:
        _interface(reading, key, right, negated=negated)
    elif key == "l4proto":
        reading.match &= Match(
            unless_negated(numbers_of(reading, right, PROTOCOL_NUMBERS), ALL_PROTOCOLS, negated=negated)
        )
    elif key in {"nfproto", "protocol"} and not negated and right in {"ipv4", "ip", "ipv6", "ip6"}:
        reading.match &= ONLY_FAMILY["ip" if right in {"ipv4", "ip"} else "ip6"]
    else:
        raise NotUnderstood(f"meta {key}")


def _interface(reading: Reading, key: str, right: object, *, negated: bool) -> None:
    members = members_of(reading, right)
    if not all(isinstance(one, str) for one in members):
        raise NotUnderstood(f"meta {key} of an unknown shape")
    # Packets on the loopback interface are left out.
    names = frozenset(str(one) for one in members) - {"lo"}
    if not names:
        _decided(reading, truth=False, negated=negated)
    else:
        reading.tests.append(ByInterface(names, key.startswith("oif"), negated))


def _fib(reading: Reading, what: Mapping[str, object], right: object, *, negated: bool) -> None:
    flags = what.get("flags")
    asked = frozenset([flags] if isinstance(flags, str) else flags if isinstance(flags, list) else [])
    result = what.get("result")
    if result == "type" and asked in ({"daddr"}, {"saddr"}):
        reading.tests.append(ByAddressKind(frozenset(words_of(right)), "saddr" in asked, negated))
    elif result in {"oif", "oifname"} and "saddr" in asked and "iif" in asked and isinstance(right, bool):
        # Whether there is a way back to the source by the interface it came from: false is "missing".
        reading.tests.append(ByReversePath(negated=right is not negated))
    else:
        raise NotUnderstood("match on 'fib'")


def _flags(reading: Reading, what: object, right: object, *, operator: str) -> None:
    """Understand ``tcp flags syn``, which asks for one of them, ``== syn``, and ``& (syn | ack) == syn``."""
    mask = ALL_FLAGS
    if isinstance(what, list):
        if len(what) != 2 or what[0] != {"payload": _TCP_FLAGS}:
            raise NotUnderstood("a match on bits")
        mask = flag_bits(what[1])
    reading.match &= Match(IntervalSet.single(Protocol.TCP))
    plain = not isinstance(what, list)
    if plain and isinstance(right, Mapping) and isinstance(members := right.get("set"), list):
        raise NotUnderstood(f"a set of {len(members)} combinations of TCP flags")
    reading.tests.append(
        ByFlags(mask, flag_bits(right), negated=operator == "!=", any_of=plain and operator == "in")
    )


def _address(reading: Reading, family: Family, name: str, right: object, *, negated: bool) -> None:
    found = IntervalSet.of(interval_of(family, one) for one in members_of(reading, right))
    kept = only(family, unless_negated(found, family.everything, negated=negated))
    own: Addresses = only(family, EVERY_ADDRESS.of(family))
    reading.match &= (
        Match(sources=kept, destinations=own) if name == "saddr" else Match(sources=own, destinations=kept)
    )
