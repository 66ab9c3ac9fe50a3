"""Reads ``iptables-save`` and ``ip6tables-save`` with ``ipset save``, and the files that our renderer writes.

A file is IPv6 where its name or first comment says so (``ip6tables``, ``IPv6``) or where it has an IPv6 address;
a family of which nothing is given is unknown, not open and not closed.
"""

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass, field

from controlroom.network.addresses import Addresses, Family, parse_addresses
from controlroom.network.errors import BadRuleset
from controlroom.network.projection import Direction
from controlroom.network.rulesets.chains import Action, BaseChain, Line
from controlroom.network.rulesets.layout import lay_out
from controlroom.network.rulesets.interface import Ruleset, RulesetText
from controlroom.network.rulesets.iptables_match import read_line
from controlroom.network.rulesets.nftables import ASSUMPTIONS
from controlroom.network.rulesets.nftables_match import ONLY_FAMILY

_HOOKS = {Direction.INBOUND: "INPUT", Direction.OUTBOUND: "OUTPUT", Direction.FORWARD: "FORWARD"}
_SCOPES = {Family.IPV4: ONLY_FAMILY["ip"], Family.IPV6: ONLY_FAMILY["ip6"]}
_POLICIES = {"ACCEPT": Action.ACCEPT, "DROP": Action.DROP}
_UFW = re.compile(r"^:ufw6?-", re.MULTILINE)
_SIX = re.compile(r"ip6tables|IPv6|ip6|ipv6-icmp|rules6|-[sd] [0-9a-f]*:[0-9a-f:]*")


@dataclass(slots=True)
class _Filter:
    """The filter table of one family, and whatever other tables hold that could change an answer."""

    policies: dict[str, Action] = field(default_factory=dict)
    chains: dict[str, list[Line]] = field(default_factory=dict)
    foreign: list[str] = field(default_factory=list)


class IptablesParser:
    """Reads the filter table; busy raw, mangle and nat tables make the answers unknown."""

    name = "iptables"

    def recognises(self, file: RulesetText) -> bool:
        """Say whether a file is one of iptables-save, or of ipset save; ufw's own files are its parser's."""
        if _UFW.search(file.text[:20_000]) and ":INPUT " not in file.text:
            return False
        return any(line.startswith(("*filter", "create ")) for line in file.text.splitlines()[:2000])

    def parse(self, files: tuple[RulesetText, ...]) -> Ruleset:
        """Read the files of both families and of ipset as one firewall; raise `BadRuleset`."""
        sets: dict[str, Addresses | None] = {}
        for file in files:
            if not _is_rules(file):
                sets |= _read_sets(file)
        found: dict[Family, _Filter] = {}
        for file in files:
            if _is_rules(file):
                family = Family.IPV6 if _SIX.search(f"{file.name}\n{file.text}") else Family.IPV4
                if family in found:
                    raise BadRuleset(f"{file.name}: a second file of {family.title}; give one a family")
                found[family] = _read_filter(file, family, sets)
        programs = {direction: lay_out(*_laid(direction, found)) for direction in Direction}
        return Ruleset(self.name, programs, ASSUMPTIONS)


PARSER = IptablesParser()


def _is_rules(file: RulesetText) -> bool:
    return any(line.startswith("*") for line in file.text.splitlines())


def _laid(
    direction: Direction, found: dict[Family, _Filter]
) -> tuple[list[BaseChain], dict[str, list[Line]]]:
    bases: list[BaseChain] = []
    chains: dict[str, list[Line]] = {}
    hook = _HOOKS[direction]
    for family in Family:
        scope = _SCOPES[family]
        if family not in found:
            name = f"{family.title} (no file given)"
            reason = f"nothing of {family.title} was given; add {'ip6tables-save' if family == 6 else 'iptables-save'}"
            chains[name] = [Line(name, scope, Action.OPAQUE, reason=reason)]
            bases.append(BaseChain(name, Action.ACCEPT, scope))
            continue
        table = found[family]
        chains |= table.chains
        for foreign in table.foreign:
            chains[foreign] = [
                Line(foreign, scope, Action.OPAQUE, reason="a table that rewrites packets is not followed")
            ]
            bases.append(BaseChain(foreign, Action.ACCEPT, scope))
        base = f"{family.title} {hook}"
        bases.append(BaseChain(base, table.policies.get(base, Action.ACCEPT), scope))
    return bases, chains


def _read_filter(file: RulesetText, family: Family, sets: dict[str, Addresses | None]) -> _Filter:
    table = _Filter()
    current = ""
    for number, text in _lines(file):
        if text.startswith("*"):
            current = text[1:]
        elif text == "COMMIT":
            current = ""
        elif current != "filter":
            if text.startswith(("-A", "-I")) or not current:
                table.foreign.append(f"{family.title} table {current or '?'} line {number}: {text[:80]}")
        elif text.startswith(":"):
            chain, policy = (*text[1:].split(), "-")[:2]
            table.chains.setdefault(f"{family.title} {chain}", [])
            if policy in _POLICIES:
                table.policies[f"{family.title} {chain}"] = _POLICIES[policy]
        else:
            _add(table, f"{file.name}:{number}", text, family, sets)
    if current:
        raise BadRuleset(f"{file.name}: cut off: table {current!r} has no COMMIT")
    return table


def _add(table: _Filter, place: str, text: str, family: Family, sets: dict[str, Addresses | None]) -> None:
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise BadRuleset(f"{place}: {error}") from None
    if len(words) < 2 or words[0] not in {"-A", "-I"}:
        raise BadRuleset(f"{place}: {text[:60]!r} is no line of iptables-save")
    chain = f"{family.title} {words[1]}"
    rest = words[2:]
    lines = table.chains.setdefault(chain, [])
    name = f"{chain} line {place.rpartition(':')[2]}"
    if words[0] == "-A":
        lines.extend(read_line(name, rest, family, sets))
        return
    at = int(rest.pop(0)) - 1 if rest and rest[0].isdecimal() else 0
    lines[at:at] = read_line(name, rest, family, sets)


def _lines(file: RulesetText) -> Iterator[tuple[int, str]]:
    for number, raw in enumerate(file.text.splitlines(), start=1):
        text = re.sub(r"^\[\d+:\d+\] ", "", raw.strip())
        if text and not text.startswith("#"):
            yield number, text


def _read_sets(file: RulesetText) -> dict[str, Addresses | None]:
    """Return the sets of addresses; None for a set of a kind or with an element that is not understood."""
    members: dict[str, list[str]] = {}
    odd: set[str] = set()
    for number, text in _lines(file):
        words = text.split()
        if len(words) < 3 or words[0] not in {"create", "add"}:
            raise BadRuleset(f"{file.name}:{number}: {text[:60]!r} is no line of ipset save")
        if words[0] == "create":
            members[words[1]] = []
            if words[2] not in {"hash:net", "hash:ip"} or "timeout" in words:
                odd.add(words[1])
        else:
            members.setdefault(words[1], []).append(words[2])
            if set(words[3:]) - {"-exist"}:
                odd.add(words[1])
    return {name: None if name in odd else _addresses(texts) for name, texts in members.items()}


def _addresses(texts: list[str]) -> Addresses | None:
    try:
        return parse_addresses(texts)
    except ValueError:
        return None
