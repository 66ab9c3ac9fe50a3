"""Chains of lines that jump and return, as nftables and iptables have them, laid out flat as a program.

An accept ends its base chain only: the packet goes on to the next base chain on the same hook. A drop is final.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum

from controlroom.network.addresses import Family
from controlroom.network.analysis import Effect, Match, Program, Rule, Verdict
from controlroom.network.errors import BadRuleset

# The kernel's own limit is 16 levels of jumps (NFT_JUMP_STACK_SIZE); deeper is a loop.
DEEPEST_JUMP = 16
# A chain that is jumped to from many lines is laid out many times; beyond this a ruleset is hostile.
MOST_RULES = 500_000


class Action(StrEnum):
    """What a line does with a packet that matches it."""

    ACCEPT = "accept"
    DROP = "drop"
    JUMP = "jump"
    GOTO = "goto"
    RETURN = "return"
    OPAQUE = "opaque"


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a chain as far as it is understood; ``reason`` says what was not, and makes it uncertain."""

    name: str
    match: Match
    action: Action
    chain: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class BaseChain:
    """A chain that a hook calls, for the packets in ``scope``, and what befalls a packet at its end."""

    name: str
    policy: Action
    scope: Match = Match()  # noqa: RUF009  # immutable


@dataclass(slots=True)
class _Label:
    position: int = 0


@dataclass(slots=True)
class _Layout:
    chains: Mapping[str, Sequence[Line]]
    rules: list[tuple[Rule, _Label | None]] = field(default_factory=list)

    def add(self, line: Line, scope: Match, effect: Effect, label: _Label | None = None) -> None:
        if len(self.rules) >= MOST_RULES:
            raise BadRuleset(f"the ruleset has more than {MOST_RULES} rules once its jumps are followed")
        rule = Rule(line.name, line.match & scope, effect, certain=not line.reason, reason=line.reason)
        self.rules.append((rule, label))

    def place(self, label: _Label) -> None:
        label.position = len(self.rules)


def lay_out(bases: Sequence[BaseChain], chains: Mapping[str, Sequence[Line]]) -> Program:
    """Return the program that the base chains, in the order of their priority, make together."""
    layout = _Layout(chains)
    for base in bases:
        end = _Label()
        _chain(layout, base.name, base.scope, accept=end, depth=0, reason="")
        closing = Line(f"{base.name} policy {base.policy}", base.scope, base.policy)
        if base.policy is Action.DROP:
            layout.add(closing, base.scope, Effect.DENY)
        layout.place(end)
    rules = tuple(
        rule if label is None else replace(rule, target=label.position) for rule, label in layout.rules
    )
    return Program(rules, Verdict.ALLOW, "nothing denies it")


def _chain(layout: _Layout, name: str, scope: Match, *, accept: _Label, depth: int, reason: str) -> None:
    """Lay one chain out; a return goes to its end, where a base chain's policy or the calling line follows."""
    if depth > DEEPEST_JUMP:
        raise BadRuleset(
            f"chain {name!r} is more than {DEEPEST_JUMP} jumps deep; do its chains call each other?"
        )
    end = _Label()
    for line in layout.chains.get(name, ()):
        kept = replace(line, reason=line.reason or reason)
        match line.action:
            case Action.ACCEPT:
                layout.add(kept, scope, Effect.SKIP, accept)
            case Action.DROP:
                layout.add(kept, scope, Effect.DENY)
            case Action.RETURN:
                layout.add(kept, scope, Effect.SKIP, end)
            case Action.OPAQUE:
                opaque = replace(kept, reason=kept.reason or "what it does is not understood")
                layout.add(opaque, scope, Effect.DENY)
                layout.add(opaque, scope, Effect.SKIP, accept)
            case Action.JUMP | Action.GOTO:
                _called(layout, kept, scope, accept=accept, end=end, depth=depth)
    layout.place(end)


def _called(layout: _Layout, line: Line, scope: Match, *, accept: _Label, end: _Label, depth: int) -> None:
    inner = line.match & scope
    if line.chain not in layout.chains:
        opaque = replace(line, reason=f"there is no chain {line.chain!r}")
        layout.add(opaque, scope, Effect.DENY)
        layout.add(opaque, scope, Effect.SKIP, accept)
        return
    if all(inner.is_empty(family) for family in Family):
        return
    _chain(layout, line.chain, inner, accept=accept, depth=depth + 1, reason=line.reason)
    if line.action is Action.GOTO:
        # After a goto the calling chain is over, as if it had returned.
        layout.add(replace(line, name=f"{line.name} (end of goto)"), scope, Effect.SKIP, end)
