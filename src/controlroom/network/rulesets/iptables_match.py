"""Reads one line of ``iptables-save`` (iptables(8), iptables-extensions(8)) into a line of a chain."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from controlroom.network.addresses import Addresses, Family, only, parse_addresses
from controlroom.network.analysis import Match
from controlroom.network.analysis.model import ALL_PROTOCOLS
from controlroom.network.errors import BadPorts
from controlroom.network.intervals import IntervalSet
from controlroom.network.ports import ALL_PORTS, parse_ports
from controlroom.network.rulesets.chains import CONDITION_WORDS, Action, Condition, Line
from controlroom.network.rulesets.iptables_translations import TRANSLATIONS, read_translation
from controlroom.network.rulesets.line_tests import (
    ByAddressKind,
    ByFlags,
    ByInterface,
    ByReversePath,
    ByRoutingHeader,
    LineTest,
    flags_of,
)
from controlroom.network.rulesets.packet_words import ONLY_FAMILY, PROTOCOL_NUMBERS

_TARGETS = {"ACCEPT": Action.ACCEPT, "DROP": Action.DROP, "REJECT": Action.DROP, "RETURN": Action.RETURN}
# Targets that let the packet go on to the next line as it is, as far as any match here can tell.
_GOES_ON = frozenset(
    {
        "LOG",
        "NFLOG",
        "ULOG",
        "AUDIT",
        "TRACE",
        "MARK",
        "CONNMARK",
        "TCPMSS",
        "TOS",
        "DSCP",
        "CLASSIFY",
        "SET",
        "CHECKSUM",
    }
)
# Targets that may make another packet of it, or send it past the other chains.
_ALTERS = frozenset({"NFQUEUE", "QUEUE", "TPROXY", "SYNPROXY", "CT", "TEE", "DNPT", "SNPT"})
_MATCHES_KNOWN = frozenset(
    {
        "tcp",
        "udp",
        "multiport",
        "set",
        "conntrack",
        "state",
        "comment",
        "icmp6",
        "icmp",
        "addrtype",
        "iprange",
        "hl",
    }
    # Only counts.
    | {"nfacct"}
)
# Messages whose receivers throw away what has another hop limit: neighbour discovery (RFC 4861, 6.1 and 7.1; RFC 3122,
# 4.3; RFC 3971, 6.3) and the discovery of multicast routers (RFC 4286, 5).
_HOP_LIMITS = {
    "255": IntervalSet(((133, 137), (141, 142), (148, 149))),
    "1": IntervalSet(((151, 153),)),
}
# Options of targets.
_TARGET_OPTIONS = ("--reject-with", "--log-", "--nflog-", "--to", "--set-", "--clamp-")
# What may begin with a dash or be a mark without beginning anew.
_WITH_TEXT = frozenset({"--log-prefix", "--nflog-prefix"})
# Where a word like this follows, the option before it had no value; else it would swallow the line's target.
_BEGINS_ANEW = re.compile(r"-[a-z]|--[a-z]|!$")
_REVERSE_PATH_FLAGS = frozenset({"--loose", "--validmark", "--accept-local"})
_ANY_ROUTING_HEADER = "match 'rt' is not understood"
_FLAGS = frozenset({"--notrack", "--random", "--random-fully", "--persistent", "--clamp-mss-to-pmtu"})


@dataclass(slots=True)
class _Reading:
    family: Family
    sets: Mapping[str, Addresses | None]
    match: Match
    possible: bool = True
    target: str = ""
    goto: bool = False
    conditions: list[Condition] = field(default_factory=list)
    tests: list[LineTest] = field(default_factory=list)
    target_options: dict[str, str] = field(default_factory=dict)
    doubts: list[str] = field(default_factory=list)


def read_line(
    name: str, words: list[str], family: Family, sets: Mapping[str, Addresses | None], prefix: str
) -> list[Line]:
    """Return the line: none where it cannot match, or lets everything go on. ``prefix`` begins its chains' names."""
    reading = _Reading(family, sets, ONLY_FAMILY["ip" if family is Family.IPV4 else "ip6"])
    rest = list(words)
    comment = ""
    while rest:
        negated = rest[0] == "!"
        if negated:
            rest.pop(0)
        option = rest.pop(0) if rest else "!"
        if option == "--comment" and rest:
            comment = rest.pop(0)
        elif option == "--match-set" and len(rest) > 1:
            _set(reading, rest.pop(0), rest.pop(0), negated=negated)
        elif option == "--tcp-flags" and len(rest) > 1:
            _flags(reading, rest.pop(0), rest.pop(0), negated=negated)
        elif option == "--syn":
            _flags(reading, "FIN,SYN,RST,ACK", "SYN", negated=negated)
        elif option in _FLAGS:
            reading.target_options[option] = ""
        elif option == "--invert" and ByReversePath(negated=True) in reading.tests:
            reading.tests[reading.tests.index(ByReversePath(negated=True))] = ByReversePath()
        elif option in _REVERSE_PATH_FLAGS:
            continue
        elif option.startswith("-") and rest and (option in _WITH_TEXT or not _BEGINS_ANEW.match(rest[0])):
            _option(reading, option, rest.pop(0), negated=negated)
        else:
            reading.doubts.append(f"{option!r} is not understood")
    return _finish(f"{name} ({comment})" if comment else name, reading, prefix)


def _finish(name: str, reading: _Reading, prefix: str) -> list[Line]:
    target = reading.target
    if not reading.possible or target in _GOES_ON or not target:
        return []
    line = Line(
        name,
        reading.match,
        Action.JUMP,
        reason="; ".join(reading.doubts),
        conditions=tuple(reading.conditions),
        tests=tuple(reading.tests),
    )
    if target in _TARGETS:
        return [replace(line, action=_TARGETS[target])]
    if target == "NOTRACK" or (target == "CT" and "--notrack" in reading.target_options):
        return [replace(line, action=Action.UNTRACK)]
    if target in TRANSLATIONS:
        try:
            rewrite = read_translation(target, reading.target_options, reading.family, reading.match)
            return [replace(line, action=Action.TRANSLATE, rewrite=rewrite)]
        except ValueError:
            return [replace(line, action=Action.ALTER, reason=f"what {target} does is not understood")]
    if target in _ALTERS:
        return [replace(line, action=Action.ALTER, reason=f"target {target} is not followed")]
    return [replace(line, action=Action.GOTO if reading.goto else Action.JUMP, chain=f"{prefix}{target}")]


def _option(reading: _Reading, option: str, value: str, *, negated: bool) -> None:
    try:
        _understand(reading, option, value, negated=negated)
    except (ValueError, BadPorts):
        reading.doubts.append(f"{option} {value!r} is not understood")


def _understand(reading: _Reading, option: str, value: str, *, negated: bool) -> None:
    match option:
        case "-j" | "-g":
            reading.target, reading.goto = value, option == "-g"
        case "-s" | "-d":
            _address(reading, parse_addresses([value]), source=option == "-s", negated=negated)
        case "-p":
            number = PROTOCOL_NUMBERS.get(value) if not value.isdecimal() else int(value)
            if number is None:
                raise ValueError(value)
            one = IntervalSet.single(number)
            reading.match &= Match(ALL_PROTOCOLS - one if negated else one)
        case "--dport" | "--dports" | "--sport" | "--sports":
            _ports(reading, value, destination=option.startswith("--d"), negated=negated)
        case "--icmpv6-type" | "--icmp-type":
            _icmp(reading, value, negated=negated)
        case "--ctstate" | "--state" | "--ctdir":
            _tracked(reading, value, negated=negated)
        case "--src-range" | "--dst-range":
            _address(reading, parse_addresses([value]), source=option == "--src-range", negated=negated)
        case _ if option.startswith(_TARGET_OPTIONS):
            reading.target_options[option] = value
        case _:
            _test(reading, option, value, negated=negated)


def _test(reading: _Reading, option: str, value: str, *, negated: bool) -> None:
    """Understand what is asked beside addresses and ports."""
    match option:
        case "-i" | "-o" if value == "lo":
            # Packets on the loopback interface are left out.
            reading.possible = reading.possible and negated
        case "-i" | "-o":
            names = frozenset({f"{value[:-1]}*" if value.endswith("+") else value})
            reading.tests.append(ByInterface(names, option == "-o", negated))
        case "--dst-type" | "--src-type":
            kinds = frozenset(value.lower().split(","))
            reading.tests.append(ByAddressKind(kinds, option == "--src-type", negated))
        case "-m" if value == "rpfilter":
            reading.tests.append(ByReversePath(negated=True))
        case "--rt-type" if value == "0" and _ANY_ROUTING_HEADER in reading.doubts:
            reading.doubts.remove(_ANY_ROUTING_HEADER)
            reading.tests.append(ByRoutingHeader(negated))
        case "--hl-eq" if not negated and _always_has(value, reading.match):
            pass
        case "--nfacct-name":
            pass
        case "-m" if value == "rt":
            reading.doubts.append(_ANY_ROUTING_HEADER)
        case "-m" if value not in _MATCHES_KNOWN:
            reading.doubts.append(f"match {value!r} is not understood")
        case "-m":
            pass
        case _:
            reading.doubts.append(f"{option} {value} is not understood")


def _icmp(reading: _Reading, value: str, *, negated: bool) -> None:
    kind, slash, _ = value.partition("/")
    if kind in {"any", "255"} and not negated:
        return
    types = IntervalSet.single(int(kind))
    if slash:
        reading.doubts.append(f"code {value!r} is not understood")
    if not (slash and negated):
        reading.match &= Match(destination_ports=ALL_PORTS - types if negated else types)


def _always_has(hop_limit: str, match: Match) -> bool:
    types = _HOP_LIMITS.get(hop_limit)
    icmp = match.protocols == IntervalSet.single(PROTOCOL_NUMBERS["icmpv6"])
    return icmp and types is not None and types.covers(match.destination_ports)


def _flags(reading: _Reading, mask: str, wanted: str, *, negated: bool) -> None:
    try:
        reading.tests.append(ByFlags(flags_of(mask), flags_of(wanted), negated))
    except ValueError as error:
        reading.doubts.append(f"TCP flags {error} are not understood")


def _tracked(reading: _Reading, value: str, *, negated: bool) -> None:
    words = frozenset(value.lower().split(","))
    if not words <= CONDITION_WORDS:
        raise ValueError(value)
    reading.conditions.append(Condition(words, negated))


def _ports(reading: _Reading, value: str, *, destination: bool, negated: bool) -> None:
    # iptables counts port 0 in; a range that is open on one side ends at the first or last port.
    parts = [_range(part) for part in value.split(",")]
    found = IntervalSet.of(parts)
    found = ALL_PORTS - found if negated else found
    reading.match &= Match(destination_ports=found) if destination else Match(source_ports=found)


def _range(text: str) -> tuple[int, int]:
    low, colon, high = text.partition(":")
    if not colon:
        return parse_ports(text).intervals[0] if text != "0" else (0, 0)
    bounds = (int(low or 0), int(high or ALL_PORTS.intervals[0][1]))
    if bounds[0] > bounds[1] or bounds[1] > ALL_PORTS.intervals[0][1]:
        raise ValueError(text)
    return bounds


def _set(reading: _Reading, name: str, sides: str, *, negated: bool) -> None:
    found = reading.sets.get(name)
    if found is None or sides not in {"src", "dst"}:
        reading.doubts.append(f"set {name!r} ({sides}) is not given or not understood")
        return
    _address(reading, found, source=sides == "src", negated=negated)


def _address(reading: _Reading, found: Addresses, *, source: bool, negated: bool) -> None:
    own = found.of(reading.family)
    everything = reading.family.everything
    kept = only(reading.family, everything - own if negated else own)
    full = only(reading.family, everything)
    reading.match &= (
        Match(sources=kept, destinations=full) if source else Match(sources=full, destinations=kept)
    )
