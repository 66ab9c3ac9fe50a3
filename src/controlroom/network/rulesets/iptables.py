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
from controlroom.network.rulesets.chains import Action, BaseChain, Line
from controlroom.network.rulesets.hooks import Hook, Hooked
from controlroom.network.rulesets.interface import Ruleset, RulesetText
from controlroom.network.rulesets.iptables_match import read_line
from controlroom.network.rulesets.netfilter import Stack
from controlroom.network.rulesets.packet_words import ONLY_FAMILY
from controlroom.network.rulesets.stacks import SNAPSHOT, ruleset_of

# The hooks of each table with its priority there (enum nf_ip_hook_priorities).
_TABLES = {
    "raw": ("PREROUTING OUTPUT", -300),
    "mangle": ("PREROUTING INPUT FORWARD OUTPUT POSTROUTING", -150),
    "nat": ("PREROUTING INPUT OUTPUT POSTROUTING", -100),
    "filter": ("INPUT FORWARD OUTPUT", 0),
    "security": ("INPUT FORWARD OUTPUT", 50),
}
_SCOPES = {Family.IPV4: ONLY_FAMILY["ip"], Family.IPV6: ONLY_FAMILY["ip6"]}
_POLICIES = {"ACCEPT": Action.ACCEPT, "DROP": Action.DROP}
_UFW = re.compile(r"^:ufw6?-", re.MULTILINE)
_SIX = re.compile(r"ip6tables|IPv6|ip6|ipv6-icmp|rules6|-[sd] [0-9a-f]*:[0-9a-f:]*")


@dataclass(slots=True)
class _File:
    """The tables of one family as one program keeps them, and what its chains' names begin with."""

    family: Family
    mark: str
    policies: dict[str, Action] = field(default_factory=dict)
    chains: dict[str, list[Line]] = field(default_factory=dict)

    def chain(self, table: str, name: str) -> str:
        """Return what a chain is called here; the filter table goes without its name."""
        return f"{self.prefix(table)}{name}"

    def prefix(self, table: str) -> str:
        """Return what the names of a table's chains begin with."""
        return f"{self.mark}{self.family.title} " + ("" if table == "filter" else f"{table} ")

    def hooked(self) -> Iterator[Hooked]:
        """Yield the base chains with their hooks."""
        for table, (hooks, priority) in _TABLES.items():
            for hook in hooks.split():
                name = self.chain(table, hook)
                if name in self.chains:
                    base = BaseChain(name, self.policies.get(name, Action.ACCEPT), _SCOPES[self.family])
                    yield Hooked(base, Hook(hook.lower()), priority, table == "nat")


class IptablesParser:
    """Reads all tables of both families; several files of one family, as of iptables-nft and -legacy, stack."""

    name = "iptables"

    def recognises(self, file: RulesetText) -> bool:
        """Say whether a file is one of iptables-save, or of ipset save; ufw's own files are its parser's."""
        if _UFW.search(file.text[:20_000]) and ":INPUT " not in file.text:
            return False
        return any(line.startswith(("*filter", "create ")) for line in file.text.splitlines()[:2000])

    def parse(self, files: tuple[RulesetText, ...]) -> Ruleset:
        """Read the files of both families and of ipset as one firewall; raise `BadRuleset`."""
        return ruleset_of(self.name, stack_of(files), SNAPSHOT if _has_passing(files) else ())


PARSER = IptablesParser()


def stack_of(files: tuple[RulesetText, ...]) -> Stack:
    """Return what the files put on the hooks; raise `BadRuleset`."""
    sets: dict[str, Addresses | None] = {}
    for file in files:
        if not _is_rules(file):
            sets |= _read_sets(file)
    found: list[_File] = []
    for file in files:
        if _is_rules(file):
            family = Family.IPV6 if _SIX.search(f"{file.name}\n{file.text}") else Family.IPV4
            second = any(one.family is family for one in found)
            found.append(_read_file(file, family, f"{file.name}: " if second else "", sets))
    chains = {name: lines for one in found for name, lines in one.chains.items()}
    better = [
        f"{'ip' if family is Family.IPV4 else 'ip6'} {table} {hook}"
        for family in {one.family for one in found}
        if any("(nf_tables)" in file.text for file in files)
        for table, (hooks, _) in _TABLES.items()
        for hook in hooks.split()
    ]
    absent = frozenset(Family) - {one.family for one in found}
    hooked = tuple(base for one in found for base in one.hooked())
    return Stack(hooked, chains, absent, tuple(better))


def _is_rules(file: RulesetText) -> bool:
    return any(line.startswith("*") for line in file.text.splitlines())


def _read_file(file: RulesetText, family: Family, mark: str, sets: dict[str, Addresses | None]) -> _File:
    found = _File(family, mark)
    current = ""
    for number, text in _lines(file):
        if text.startswith("*"):
            current = text[1:]
            if current not in _TABLES:
                raise BadRuleset(f"{file.name}:{number}: there is no table {current[:40]!r} in iptables")
        elif text == "COMMIT":
            current = ""
        elif not current:
            raise BadRuleset(f"{file.name}:{number}: {text[:60]!r} stands in no table")
        elif text.startswith(":"):
            chain, policy = (*text[1:].split(), "-")[:2]
            name = found.chain(current, chain)
            found.chains.setdefault(name, [])
            if policy in _POLICIES:
                found.policies[name] = _POLICIES[policy]
        else:
            _add(found, current, f"{file.name}:{number}", text, sets)
    if current:
        raise BadRuleset(f"{file.name}: cut off: table {current!r} has no COMMIT")
    return found


def _add(found: _File, table: str, place: str, text: str, sets: dict[str, Addresses | None]) -> None:
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise BadRuleset(f"{place}: {error}") from None
    if len(words) < 2 or words[0] not in {"-A", "-I"}:
        raise BadRuleset(f"{place}: {text[:60]!r} is no line of iptables-save")
    chain = found.chain(table, words[1])
    rest = words[2:]
    lines = found.chains.setdefault(chain, [])
    name = f"{chain} line {place.rpartition(':')[2]}"
    at = len(lines)
    if words[0] == "-I":
        at = int(rest.pop(0)) - 1 if rest and rest[0].isdecimal() else 0
    lines[at:at] = read_line(name, rest, found.family, sets, found.prefix(table))


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
            if words[2] not in {"hash:net", "hash:ip"}:
                odd.add(words[1])
        else:
            members.setdefault(words[1], []).append(words[2])
            if set(words[3::2] if "timeout" in words[3:4] else words[3:]) - {"-exist", "timeout"}:
                odd.add(words[1])
    return {name: None if name in odd else _addresses(texts) for name, texts in members.items()}


def _has_passing(files: tuple[RulesetText, ...]) -> bool:
    return any(re.search(r"^create .* timeout ", file.text, re.MULTILINE) for file in files)


def _addresses(texts: list[str]) -> Addresses | None:
    try:
        return parse_addresses(texts)
    except ValueError:
        return None
