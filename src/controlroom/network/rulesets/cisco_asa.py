"""Reads what a Cisco ASA holds: extended access lists, objects and groups, and which lists are asked."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from controlroom.network.errors import BadRuleset
from controlroom.network.rulesets.cisco_entries import ASA, Entry, read_entry
from controlroom.network.rulesets.cisco_groups import Groups
from controlroom.network.rulesets.cisco_programs import AccessList, programs_of
from controlroom.network.rulesets.cisco_words import CommandLine, NotUnderstood, Words, command_lines
from controlroom.network.rulesets.interface import Ruleset, RulesetText

_SIGN = re.compile(
    r"^(access-list \S+ (line \d+ )?extended |access-group \S+ (global|in interface|out interface))", re.M
)
_ASSUMPTIONS = (
    "A packet is the first of its connection: replies pass by the device's table of connections.",
    "What the device itself sends or receives is not part of it.",
    "Inspection of protocols, threat detection and TCP normalisation block nothing that the contract needs.",
)


@dataclass(slots=True)
class _Held:
    """What a configuration holds, as it is read."""

    groups: Groups = field(default_factory=Groups)
    lines: dict[str, list[CommandLine]] = field(default_factory=dict)
    everywhere: str = ""
    placed: dict[str, list[str]] = field(default_factory=dict)
    translations: int = 0


class CiscoAsaParser:
    """Reads ``show running-config``, whole or the lists, groups and access groups of it, up to its ``: end``."""

    name = "cisco-asa"

    def recognises(self, file: RulesetText) -> bool:
        """Say whether a file has ASA access lists."""
        return _SIGN.search(file.text) is not None and not re.search(
            r"^ip(v6)? access-list ", file.text, re.M
        )

    def parse(self, files: tuple[RulesetText, ...]) -> Ruleset:
        """Read the configuration of one device; raise `BadRuleset`."""
        held = _Held()
        for file in files:
            for line in command_lines(file, ":", ": end"):
                _take(held, line)
        if not held.lines:
            raise BadRuleset(f"{', '.join(file.name for file in files)}: no extended access list is in it")
        chosen = _choose(held)
        lists = [AccessList(name, None, tuple(_entries(name, held))) for name in chosen]
        return Ruleset(self.name, programs_of([lists]), tuple(_assumptions(held)))


PARSER = CiscoAsaParser()


def _take(held: _Held, line: CommandLine) -> None:
    match line.words:
        case ("access-list", name, "line", _, "extended", *rest) | (
            "access-list",
            name,
            "extended",
            *rest,
        ) if rest:
            held.lines.setdefault(name, []).append(CommandLine(line.number, tuple(rest)))
        case ("access-list", _, "remark" | "line" | "standard" | "webtype" | "ethertype", *_):
            pass
        case ("access-list", name, *_) if name not in {"alert-interval", "deny-flow-max"}:
            raise BadRuleset(f"line {line.number}: {line.text[:80]!r} is no line of an access list")
        case ("access-group", name, "global"):
            held.everywhere = name
        case ("access-group", _, "in" | "out", "interface", _, "control-plane"):
            pass
        case ("access-group", name, "in" | "out" as way, "interface", interface, *_):
            held.placed.setdefault(name, []).append(f"{interface} ({way})")
        case ("access-group", *_):
            raise BadRuleset(f"line {line.number}: {line.text[:80]!r} does not say where the list lies")
        case ("nat", *_):
            held.translations += 1
        case ("object" | "object-group", *_):
            held.groups.add(line)
            # Translation of an object stands under it.
            held.translations += sum(one.words[0] == "nat" for one in line.under)
        case _:
            pass


def _choose(held: _Held) -> list[str]:
    """Return the names of the lists that packets may meet."""
    names = list(dict.fromkeys([*held.placed, *([held.everywhere] if held.everywhere else [])]))
    if not names and len(held.lines) > 1:
        found = ", ".join(held.lines)[:200]
        raise BadRuleset(f"which of the lists {found} is asked? Give the access-group commands too")
    for name in names:
        if name not in held.lines:
            raise BadRuleset(f"list {name!r} is asked and not in the configuration")
    return names or list(held.lines)


def _entries(name: str, held: _Held) -> Sequence[Entry]:
    found: list[Entry] = []
    for line in held.lines[name]:
        if line.words[0] not in {"permit", "deny"}:
            raise BadRuleset(f"line {line.number}: {line.text[:80]!r} neither permits nor denies")
        try:
            found.append(read_entry(name, Words(line.words), line.text, ASA, held.groups))
        except NotUnderstood as doubt:
            raise BadRuleset(f"line {line.number}: {line.text[:80]!r}: {doubt}") from None
    return found


def _assumptions(held: _Held) -> list[str]:
    found = list(_ASSUMPTIONS)
    places = [f"{name} on {', '.join(where)}" for name, where in held.placed.items()]
    if held.everywhere:
        places.append(f"{held.everywhere} on every interface")
    if places:
        found.append(f"Each packet in question meets one of these lists: {'; '.join(places)}.")
    else:
        found.append("The list is asked about every packet that crosses the border.")
    if held.translations:
        found.append(
            "Address translation is not followed: the rules are asked about addresses as the list sees them."
        )
    return found
