"""Reads nftables: the output of ``nft -j list ruleset``, and the text that our own renderer writes.

Both shapes of flags, scalar and list, are read (nft changed them between 1.1.3 and 1.1.4). Verdict maps,
concatenations and ``xt`` matches are not understood and become uncertain rules.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from controlroom.network.analysis import Program, Verdict
from controlroom.network.errors import BadRuleset
from controlroom.network.projection import Direction
from controlroom.network.rulesets.chains import Action, BaseChain, Line
from controlroom.network.rulesets.layout import lay_out
from controlroom.network.rulesets.interface import Ruleset, RulesetText
from controlroom.network.rulesets.nftables_match import ONLY_FAMILY, read_rule
from controlroom.network.rulesets.nftables_text import objects_of_text

HOOKS = {"input": Direction.INBOUND, "output": Direction.OUTBOUND, "forward": Direction.FORWARD}
# Chains that change packets before or after filtering, or filter before it; only empty ones are understood.
_EARLIER_HOOKS = frozenset({"prerouting", "ingress", "postrouting", "egress"})
_PRIORITIES = {"raw": -300, "mangle": -150, "dstnat": -100, "filter": 0, "security": 50, "srcnat": 100}

ASSUMPTIONS = (
    "A packet is the first of its connection: replies and related errors pass by connection tracking.",
    "Packets on the loopback interface are left out: they never leave the host.",
)

JsonObject = Mapping[str, object]


@dataclass(slots=True)
class _Tables:
    bases: list[tuple[Direction, int, int, BaseChain]] = field(default_factory=list)
    chains: dict[str, list[Line]] = field(default_factory=dict)
    sets: dict[str, Sequence[object]] = field(default_factory=dict)
    foreign: list[str] = field(default_factory=list)


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
            if isinstance(found := one.get("set") or one.get("map"), Mapping):
                tables.sets[_key(found, "name")] = _elements(found)
        for one in objects:
            if isinstance(chain := one.get("chain"), Mapping):
                _add_chain(tables, chain)
        for one in objects:
            if isinstance(rule := one.get("rule"), Mapping):
                _add_rule(tables, rule)
        programs = {direction: _program(tables, direction) for direction in Direction}
        return Ruleset(self.name, programs, ASSUMPTIONS)


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
    hook = chain.get("hook")
    if not isinstance(hook, str):
        return
    family = str(chain.get("family"))
    if hook in HOOKS and chain.get("type") in {"filter", "route"} and family in ONLY_FAMILY:
        policy = Action.DROP if chain.get("policy") == "drop" else Action.ACCEPT
        base = BaseChain(name, policy, ONLY_FAMILY[family])
        tables.bases.append((HOOKS[hook], _priority(chain.get("prio")), len(tables.bases), base))
    elif hook in HOOKS or hook in _EARLIER_HOOKS:
        tables.foreign.append(name)


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
    lines.extend(read_rule(name, known, tables.sets, prefix))


def _program(tables: _Tables, direction: Direction) -> Program:
    bases = [
        base for found, _, _, base in sorted(tables.bases, key=lambda one: one[1:3]) if found is direction
    ]
    busy = [name for name in tables.foreign if tables.chains.get(name)]
    if not bases and not busy:
        return Program((), Verdict.ALLOW, f"no chain on the {direction} hook")
    chains = dict(tables.chains)
    for name in busy:
        # A chain that rewrites or filters elsewhere makes every answer open, and the finding names it.
        chains[name] = [Line(line.name, ONLY_FAMILY["inet"], Action.OPAQUE) for line in chains[name][:1]]
    return lay_out([*(BaseChain(name, Action.ACCEPT) for name in busy), *bases], chains)
