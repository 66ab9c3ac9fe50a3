"""Reads nftables: the output of ``nft -j list ruleset``, and the text that our own renderer writes.

Both shapes of flags, scalar and list, are read (nft changed them between 1.1.3 and 1.1.4). Concatenations of several
elements and ``xt`` matches are not understood and become uncertain rules.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from controlroom.network.errors import BadRuleset
from controlroom.network.rulesets.chains import Action, BaseChain, Line
from controlroom.network.rulesets.hooks import Hook, Hooked
from controlroom.network.rulesets.interface import Ruleset, RulesetText
from controlroom.network.rulesets.netfilter import Stack
from controlroom.network.rulesets.nftables_match import read_rule
from controlroom.network.rulesets.nftables_text import objects_of_text
from controlroom.network.rulesets.packet_words import ONLY_FAMILY
from controlroom.network.rulesets.stacks import SNAPSHOT, ruleset_of

_PRIORITIES = {"raw": -300, "mangle": -150, "dstnat": -100, "filter": 0, "security": 50, "srcnat": 100}

JsonObject = Mapping[str, object]


@dataclass(slots=True)
class _Tables:
    hooked: list[Hooked] = field(default_factory=list)
    asleep: set[str] = field(default_factory=set)
    strange: set[str] = field(default_factory=set)
    chains: dict[str, list[Line]] = field(default_factory=dict)
    sets: dict[str, Sequence[object]] = field(default_factory=dict)


class NftablesParser:
    """Reads the tables of families inet, ip and ip6."""

    name = "nftables"

    def recognises(self, file: RulesetText) -> bool:
        """Say whether a file is nft's JSON or our own rendering."""
        start = file.text.lstrip()[:200]
        return '"nftables"' in start or start.startswith(("#!/usr/sbin/nft", "table "))

    def parse(self, files: tuple[RulesetText, ...]) -> Ruleset:
        """Read the files as one ruleset; raise `BadRuleset`."""
        objects = [one for file in files for one in _objects(file)]
        tables = _Tables()
        for one in objects:
            if isinstance(table := one.get("table"), Mapping) and "dormant" in _flags(table):
                tables.asleep.add(f"{table.get('family')} {table.get('name')}")
        for one in objects:
            if isinstance(found := one.get("set") or one.get("map"), Mapping):
                tables.sets[_key(found, "name")] = _elements(found)
        for one in objects:
            if isinstance(chain := one.get("chain"), Mapping):
                _add_chain(tables, chain)
        for one in objects:
            if isinstance(rule := one.get("rule"), Mapping):
                _add_rule(tables, rule)
        passing = any(
            isinstance(found := one.get("set") or one.get("map"), Mapping)
            and {"timeout", "dynamic"} & {str(flag) for flag in _flags(found)}
            for one in objects
        )
        return ruleset_of(self.name, Stack(tuple(tables.hooked), tables.chains), SNAPSHOT if passing else ())


PARSER = NftablesParser()


def _objects(file: RulesetText) -> Sequence[JsonObject]:
    if not file.text.lstrip().startswith("{"):
        return objects_of_text(file)
    try:
        read = json.loads(file.text)
    except (ValueError, RecursionError) as error:
        raise BadRuleset(f"{file.name}: not JSON, or cut off: {error}") from None
    objects = read.get("nftables") if isinstance(read, dict) else None
    if not isinstance(objects, list) or not all(isinstance(one, dict) for one in objects):
        raise BadRuleset(f"{file.name}: not the output of nft -j: no list 'nftables'")
    return objects


def _key(found: JsonObject, name: str) -> str:
    return f"{found.get('family')} {found.get('table')} {found.get(name)}"


def _elements(found: JsonObject) -> Sequence[object]:
    elements = found.get("elem", ())
    return elements if isinstance(elements, list) else ()


def _add_chain(tables: _Tables, chain: JsonObject) -> None:
    name = _key(chain, "name")
    tables.chains[name] = []
    hook, family, kind = chain.get("hook"), str(chain.get("family")), chain.get("type")
    if not isinstance(hook, str) or f"{family} {chain.get('table')}" in tables.asleep:
        return
    policy = Action.DROP if chain.get("policy") == "drop" else Action.ACCEPT
    if hook in set(Hook) and kind in {"filter", "route", "nat"} and family in ONLY_FAMILY:
        base = BaseChain(name, policy, ONLY_FAMILY[family])
        tables.hooked.append(Hooked(base, Hook(hook), _priority(chain.get("prio")), kind == "nat"))
    elif family != "arp":
        # A chain on a device or a bridge may do anything before the others see a packet, where it has a rule.
        tables.strange.add(name)


def _priority(value: object) -> int:
    if isinstance(value, int):
        return value
    return _PRIORITIES.get(str(value), 0)


def _add_rule(tables: _Tables, rule: JsonObject) -> None:
    chain = _key(rule, "chain")
    lines = tables.chains.setdefault(chain, [])
    handle = rule.get("handle")
    position = f"rule {len(lines) + 1}" if handle is None else f"handle {handle}"
    comment = rule.get("comment")
    name = f"{chain} {position}" + (f" ({comment})" if isinstance(comment, str) else "")
    expressions = rule.get("expr", ())
    prefix = f"{rule.get('family')} {rule.get('table')} "
    known = expressions if isinstance(expressions, list) else []
    read = read_rule(name, known, tables.sets, prefix)
    if chain not in tables.strange:
        lines.extend(read)
    elif not lines:
        lines.append(
            Line(name, ONLY_FAMILY["inet"], Action.ALTER, reason="chains of its kind are not followed")
        )
        base = BaseChain(chain, Action.ACCEPT)
        tables.hooked += [Hooked(base, hook, -1000) for hook in (Hook.PREROUTING, Hook.OUTPUT)]


def _flags(found: JsonObject) -> Sequence[object]:
    flags = found.get("flags", ())
    return flags if isinstance(flags, list) else [flags]
