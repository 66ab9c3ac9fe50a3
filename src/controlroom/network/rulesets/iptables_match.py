"""Reads one line of ``iptables-save`` (iptables(8), iptables-extensions(8)) into a line of a chain."""

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
from controlroom.network.rulesets.nftables_match import ONLY_FAMILY, PROTOCOL_NUMBERS

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
    {"tcp", "udp", "multiport", "set", "conntrack", "state", "comment", "icmp6", "icmp", "addrtype"}
)
# Options of targets.
_TARGET_OPTIONS = ("--reject-with", "--log-", "--nflog-", "--to", "--set-", "--clamp-")
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
        elif option in _FLAGS:
            reading.target_options[option] = ""
        elif option.startswith("-") and rest:
            _option(reading, option, rest.pop(0), negated=negated)
        else:
            reading.doubts.append(f"{option!r} is not understood")
    return _finish(f"{name} ({comment})" if comment else name, reading, prefix)


def _finish(name: str, reading: _Reading, prefix: str) -> list[Line]:
    target = reading.target
    if not reading.possible or target in _GOES_ON or not target:
        return []
    line = Line(name, reading.match, Action.JUMP, "", "; ".join(reading.doubts), tuple(reading.conditions))
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
            types = IntervalSet.single(int(value))
            reading.match &= Match(destination_ports=ALL_PORTS - types if negated else types)
        case "--ctstate" | "--state" | "--ctdir":
            _tracked(reading, value, negated=negated)
        case "-i" | "-o" if value == "lo":
            reading.possible = reading.possible and negated
        case "-m" if value in _MATCHES_KNOWN:
            pass
        case "-m":
            reading.doubts.append(f"match {value!r} is not understood")
        case _ if option.startswith(_TARGET_OPTIONS):
            reading.target_options[option] = value
        case _:
            reading.doubts.append(f"{option} {value} is not understood")


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
