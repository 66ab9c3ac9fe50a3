"""Reads what a Cisco IOS or IOS XE router holds: access lists, object groups, and where they lie.

A configuration with interfaces says which lists are asked; one of lists alone is taken to hold the one that is.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from controlroom.network.addresses import Family
from controlroom.network.analysis import Effect, Match, Rule
from controlroom.network.errors import BadRuleset
from controlroom.network.rulesets.cisco_entries import (
    IOS_V4,
    IOS_V6,
    Dialect,
    Entry,
    read_entry,
    read_standard,
)
from controlroom.network.rulesets.cisco_groups import Groups
from controlroom.network.rulesets.cisco_programs import AccessList, later_of, programs_of
from controlroom.network.rulesets.cisco_words import CommandLine, NotUnderstood, Words, command_lines
from controlroom.network.rulesets.interface import Ruleset, RulesetText

_SIGN = re.compile(
    r"^(ip access-list (extended|standard) |ipv6 access-list |access-list \d+ (permit|deny|remark) )", re.M
)
_EXTENDED_NUMBERS = (*range(100, 200), *range(2000, 2700))
_STANDARD_NUMBERS = (*range(1, 100), *range(1300, 2000))
# Steps in which IOS numbers lines that were given none.
_STEP = 10
_TAG = "controlroom-"
_ASSUMPTIONS = (
    "The lists are asked about every packet that crosses the border, and about the replies to it.",
    "What the router itself sends or receives is not part of it; neighbour discovery is never forwarded.",
    "Later fragments of a packet carry no ports, and are harmless without the first one.",
)


@dataclass(slots=True)
class _Held:
    """What a configuration holds, as it is read."""

    groups: Groups = field(default_factory=Groups)
    lines: dict[tuple[str, Family], list[tuple[str, CommandLine]]] = field(default_factory=dict)
    applied: dict[tuple[str, Family], list[str]] = field(default_factory=dict)
    whole: bool = False
    translations: int = 0
    doubts: list[Rule] = field(default_factory=list)


class CiscoIosParser:
    """Reads ``show running-config``, whole or the lists and groups of it, up to its ``end``."""

    name = "cisco-ios"

    def recognises(self, file: RulesetText) -> bool:
        """Say whether a file has IOS access lists."""
        return _SIGN.search(file.text) is not None

    def parse(self, files: tuple[RulesetText, ...]) -> Ruleset:
        """Read the configuration of one router; raise `BadRuleset`."""
        held = _Held()
        for file in files:
            for line in command_lines(file, "!", "end"):
                _take(held, line)
        lists = {key: _read(key, lines, held.groups) for key, lines in held.lines.items()}
        if not lists:
            raise BadRuleset(f"{', '.join(file.name for file in files)}: no access list is in it")
        chosen = [found for family in Family if (found := _choose(lists, held, family))]
        alone = [one for found in chosen for one in found] if all(len(one) == 1 for one in chosen) else []
        return Ruleset(
            self.name,
            programs_of(chosen, held.doubts),
            tuple(_assumptions(held, chosen)),
            later=later_of(alone) if alone else {},
        )


PARSER = CiscoIosParser()


def _take(held: _Held, line: CommandLine) -> None:
    match line.words:
        case ("ip", "access-list", "extended" | "standard" as kind, name):
            held.lines.setdefault((name, Family.IPV4), []).extend((kind, one) for one in line.under)
        case ("ipv6", "access-list", name):
            held.lines.setdefault((name, Family.IPV6), []).extend(("extended", one) for one in line.under)
        case ("access-list", number, *rest) if number.isdecimal() and len(number) < 5 and rest:
            one = CommandLine(line.number, tuple(rest))
            held.lines.setdefault((number, Family.IPV4), []).append((_kind(int(number), line), one))
        case ("interface", *_):
            held.whole = True
            for one in line.under:
                _interface(held, line.text, one)
        case ("ip", "nat", *_):
            held.translations += 1
        case _ if line.words[0].startswith("object"):
            held.groups.add(line)
        case _:
            pass


def _kind(number: int, line: CommandLine) -> str:
    if number in _EXTENDED_NUMBERS:
        return "extended"
    if number in _STANDARD_NUMBERS:
        return "standard"
    raise BadRuleset(f"line {line.number}: list {number} is of none of the kinds that filter IP")


def _interface(held: _Held, interface: str, line: CommandLine) -> None:
    match line.words:
        case ("ip", "access-group", name, "in" | "out", *_):
            held.applied.setdefault((name, Family.IPV4), []).append(interface)
        case ("ipv6", "traffic-filter", name, "in" | "out"):
            held.applied.setdefault((name, Family.IPV6), []).append(interface)
        case ("zone-member", *_):
            reason = "the zone-based firewall decides it too, and is not read"
            held.doubts.append(
                Rule(f"{interface}: {line.text}", Match(), Effect.DENY, certain=False, reason=reason)
            )
        case _:
            pass


def _read(key: tuple[str, Family], lines: Sequence[tuple[str, CommandLine]], groups: Groups) -> AccessList:
    name, family = key
    dialect = IOS_V4 if family is Family.IPV4 else IOS_V6
    found: list[tuple[int, Entry]] = []
    last = 0
    for kind, line in lines:
        words = Words(line.words)
        words.skip("sequence")
        number = int(words.take()) if words.peek().isdecimal() and len(words.peek()) < 11 else last + _STEP
        if words.peek() in {"remark", "description"}:
            continue
        last = max(last, number)
        if words.skip("evaluate"):
            found.append((number, Entry(f"{name}: {line.text}", True, family, evaluates=words.peek())))
        elif words.peek() not in {"permit", "deny"}:
            raise BadRuleset(f"line {line.number}: {line.text[:80]!r} is no line of an access list")
        elif kind == "standard":
            found.append((number, read_standard(name, words, line.text)))
        else:
            found.append((number, _entry(name, words, line, dialect, groups)))
    numbers = [number for number, _ in found]
    if len(set(numbers)) != len(numbers):
        raise BadRuleset(f"list {name!r} has two lines of one number")
    return AccessList(name, family, tuple(entry for _, entry in sorted(found, key=lambda one: one[0])))


def _entry(name: str, words: Words, line: CommandLine, dialect: Dialect, groups: Groups) -> Entry:
    try:
        return read_entry(name, words, line.text, dialect, groups)
    except NotUnderstood as doubt:
        raise BadRuleset(f"line {line.number}: {line.text[:80]!r}: {doubt}") from None


def _choose(lists: Mapping[tuple[str, Family], AccessList], held: _Held, family: Family) -> list[AccessList]:
    """Return the lists of a family that packets meet; none where nothing filters it."""
    if held.whole:
        names = [name for name, its in held.applied if its is family]
        for name in names:
            if (name, family) not in lists:
                # IOS lets everything pass where the list that lies on an interface does not exist.
                raise BadRuleset(f"list {name!r} lies on an interface and is not in the configuration")
        return [lists[name, family] for name in names]
    mine = [one for (_, its), one in lists.items() if its is family]
    ours = [one for one in mine if one.name.startswith(_TAG)]
    if len(mine) > 1 and len(ours) != 1:
        several = ", ".join(one.name for one in mine)[:200]
        raise BadRuleset(
            f"which of the lists {several} lies on the border? Give the interfaces too, or one list alone"
        )
    return ours if len(mine) > 1 else mine


def _assumptions(held: _Held, chosen: Sequence[Sequence[AccessList]]) -> list[str]:
    found = list(_ASSUMPTIONS)
    if held.whole:
        places = ", ".join(dict.fromkeys(one for where in held.applied.values() for one in where)) or "none"
        found.append(
            f"Lists lie on these interfaces, and each packet in question meets one of them: {places}."
        )
    filtered = {one.family for lists in chosen for one in lists}
    found += [f"No list filters {family.title}." for family in Family if family not in filtered]
    if held.translations:
        found.append(
            "Address translation is not followed: the rules are asked about addresses as the lists see them."
        )
    return found
