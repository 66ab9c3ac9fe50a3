"""Reads one file of ufw's rules into lines as ``iptables-save`` would print them, each with its place as a comment.

What such a file may say by name, or what only holds of packets that do not occur, is put into plain words here.
"""

import re
import shlex
from collections.abc import Iterator

from controlroom.network.addresses import Family
from controlroom.network.errors import BadRuleset
from controlroom.network.rulesets.interface import RulesetText

_CHAIN = re.compile(r":(\S+) (\S+)(?: \[\d+:\d+\])?")
_TUPLE_COMMENT = re.compile(r"### tuple ###.* comment=([0-9a-fA-F]*)\s*")
_MULTICAST = {Family.IPV4: "224.0.0.0/4", Family.IPV6: "ff00::/8"}
# iptables' names of ICMP types (iptables -p icmp -h), of both spellings.
_TYPES = {
    "--icmp-type": {
        "echo-reply": 0,
        "pong": 0,
        "destination-unreachable": 3,
        "source-quench": 4,
        "redirect": 5,
        "echo-request": 8,
        "ping": 8,
        "router-advertisement": 9,
        "router-solicitation": 10,
        "time-exceeded": 11,
        "ttl-exceeded": 11,
        "parameter-problem": 12,
        "timestamp-request": 13,
        "timestamp-reply": 14,
    },
    "--icmpv6-type": {
        "destination-unreachable": 1,
        "packet-too-big": 2,
        "time-exceeded": 3,
        "ttl-exceeded": 3,
        "parameter-problem": 4,
        "echo-request": 128,
        "ping": 128,
        "echo-reply": 129,
        "pong": 129,
        "router-solicitation": 133,
        "router-advertisement": 134,
        "neighbour-solicitation": 135,
        "neighbor-solicitation": 135,
        "neighbour-advertisement": 136,
        "neighbor-advertisement": 136,
        "redirect": 137,
    },
}
# These always carry hop limit 255 and are thrown away by the receiver otherwise (RFC 4861, 6.1, 7.1).
_HOP_LIMIT_255 = frozenset({"133", "134", "135", "136", "137"})


def read_lines(file: RulesetText, family: Family) -> Iterator[tuple[str, str]]:
    """Yield the table and the text of each chain and rule; raise `BadRuleset` for what no such file holds."""
    table = ""
    comment = ""
    for number, raw in enumerate(file.text.splitlines(), start=1):
        line = raw.strip()
        place = f"{file.name}:{number}"
        if found := _TUPLE_COMMENT.fullmatch(line):
            comment = _decoded(found[1])
        elif not line:
            comment = ""
        elif line.startswith("#"):
            continue
        elif line.startswith("*"):
            table = line[1:]
        elif line == "COMMIT":
            table = ""
        elif not table:
            raise BadRuleset(f"{place}: {line[:60]!r} stands in no table")
        elif line.startswith(":"):
            yield table, _chain(place, line)
        else:
            yield from ((table, rule) for rule in _rule(place, line, family, comment))
    if table:
        raise BadRuleset(f"{file.name}: cut off: table {table!r} has no COMMIT")


def _decoded(text: str) -> str:
    try:
        return bytes.fromhex(text).decode(errors="replace")
    except ValueError:
        return ""


def _chain(place: str, line: str) -> str:
    found = _CHAIN.fullmatch(line)
    if found is None:
        raise BadRuleset(f"{place}: {line[:60]!r} is no chain")
    return f":{found[1]} {found[2]} [0:0]"


def _rule(place: str, line: str, family: Family, comment: str) -> Iterator[str]:
    try:
        words = shlex.split(line)
    except ValueError as error:
        raise BadRuleset(f"{place}: {error}") from None
    if len(words) < 3 or words[0] not in {"-A", "-I"}:
        raise BadRuleset(f"{place}: {line[:60]!r} is no rule")
    words, said = _without_comment(words)
    rest = _in_plain_words(words, family)
    if rest is not None:
        note = " ".join(part for part in (place, comment or said) if part)
        if family is Family.IPV4:
            # The words by which a file of IPv6 rules is known are no part of one for IPv4.
            note = re.sub(r"(ipv?)6", r"\1-6", note, flags=re.IGNORECASE)
        yield shlex.join([*rest[:2], "-m", "comment", "--comment", _one_line(note), *rest[2:]])


def _one_line(text: str) -> str:
    return re.sub(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]", "?", text)


def _without_comment(words: list[str]) -> tuple[list[str], str]:
    kept: list[str] = []
    said = ""
    position = 0
    while position < len(words):
        pair = words[position : position + 2]
        if pair == ["-m", "comment"]:
            position += 2
        elif pair[0] == "--comment":
            said = pair[1] if len(pair) > 1 else ""
            position += 2
        else:
            kept.append(words[position])
            position += 1
    return kept, said


def _in_plain_words(words: list[str], family: Family) -> list[str] | None:
    """Return a rule as ``iptables-save`` would print it; None where it only matches what does not occur."""
    if _drop(words, ["-m", "rt"], ["--rt-type", "0"]):
        return None
    kept = list(words)
    for option, names in _TYPES.items():
        for position, word in enumerate(kept[:-1]):
            if word == option:
                kept[position + 1] = str(names.get(kept[position + 1], kept[position + 1]))
    if _value(kept, "--icmpv6-type") in _HOP_LIMIT_255 and (
        fewer := _drop(kept, ["-m", "hl"], ["--hl-eq", "255"])
    ):
        kept = fewer
    if "!" not in kept:
        for word, plain in (
            ("LOCAL", ["!", "-d", _MULTICAST[family]]),
            ("MULTICAST", ["-d", _MULTICAST[family]]),
        ):
            # Only what is for this host meets these; on the way out and across, an address type says more.
            if kept[1].endswith(("-before-input", "-not-local")) and (
                fewer := _drop(kept, ["-m", "addrtype"], ["--dst-type", word])
            ):
                kept = [*fewer[:2], *plain, *fewer[2:]]
    return kept


def _value(words: list[str], option: str) -> str:
    return words[words.index(option) + 1] if option in words[:-1] else ""


def _drop(words: list[str], *pairs: list[str]) -> list[str] | None:
    """Return the words without some neighbouring pairs, or None where one of them is missing or negated."""
    kept = list(words)
    for pair in pairs:
        at = next((n for n in range(len(kept) - 1) if kept[n : n + 2] == pair), None)
        if at is None or (at and kept[at - 1] == "!"):
            return None
        del kept[at : at + 2]
    return kept
