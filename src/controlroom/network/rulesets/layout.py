"""Lays chains out flat as a program.

An accept ends its base chain only: the packet goes on to the next base chain on the same hook. A drop is final.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from controlroom.network.addresses import Family
from controlroom.network.analysis import Effect, Match, Program, Rewrite, Rule, Verdict
from controlroom.network.errors import BadRuleset
from controlroom.network.rulesets.chains import Action, BaseChain, Line, View

# The kernel's own limit is 16 levels of jumps (NFT_JUMP_STACK_SIZE); deeper is a loop.
DEEPEST_JUMP = 16
# A chain that is jumped to from many lines is laid out many times; beyond this a ruleset is hostile.
MOST_RULES = 500_000
_ENDS = frozenset({Action.ACCEPT, Action.DROP, Action.RETURN, Action.GOTO})


@dataclass(slots=True)
class Label:
    """A place in the program that rules in front of it lead to."""

    position: int = 0


@dataclass(frozen=True, slots=True)
class Turn:
    """Where a packet goes on that a line turns: nowhere known without a label, only perhaps where there is a doubt.

    ``within`` are the packets that this is said of.
    """

    label: Label | None
    doubt: str = ""
    within: Match = Match()  # noqa: RUF009  # immutable


# Asked of each line that translates or untracks.
Turns = Callable[[Line], Iterator[Turn]]


@dataclass(slots=True)
class Layout:
    """A program in the making. ``turn`` is asked where a line that translates leads to; without it, onwards."""

    chains: Mapping[str, Sequence[Line]]
    turn: Turns | None = None
    _rules: list[tuple[Rule, Label | None]] = field(default_factory=list)

    def base_chain(self, base: BaseChain, view: View, *, accept: Label) -> None:
        """Lay a base chain out; what it accepts goes on at the label, which is placed behind it unless it is the end."""
        self._chain(base.name, base.scope, view, accept=accept, depth=0, reason="")
        if base.policy is Action.DROP:
            self._add(f"{base.name} policy drop", base.scope, Effect.DENY)
        self.place(accept)

    def place(self, label: Label) -> None:
        """Let a label mean the place behind what is laid out so far."""
        label.position = len(self._rules)

    def deny(self, name: str) -> None:
        """Stop whatever comes here."""
        self._add(name, Match(), Effect.DENY)

    def unknown(self, name: str, match: Match, reason: str) -> None:
        """Let anything be possible for a packet, even where the rest would stop what it looks like now."""
        self._add(name, match, Effect.ALLOW, reason=reason)
        self._add(name, match, Effect.DENY, reason=reason)

    def lead(self, label: Label, doubt: str = "") -> None:
        """Lead whatever comes here to a label, or with a doubt perhaps."""
        rule = Rule("", Match(), Effect.SKIP, certain=not doubt, reason=doubt, path=True)
        self._rules.append((rule, label))

    def program(self) -> Program:
        """Return the program; what leads to its end is let pass there and then, which spares the proof its rest."""
        end = len(self._rules)
        while end and self._rules[end - 1][0].path and not self._rules[end - 1][0].rewrite:
            end -= 1
        rules = []
        for rule, label in self._rules[:end]:
            if label is None:
                rules.append(rule)
            elif label.position >= end and rule.rewrite is None:
                rules.append(replace(rule, effect=Effect.ALLOW))
            else:
                rules.append(replace(rule, target=label.position))
        return Program(tuple(rules), Verdict.ALLOW, "nothing denies it")

    def _add(
        self,
        name: str,
        match: Match,
        effect: Effect,
        label: Label | None = None,
        *,
        reason: str = "",
        path: bool = False,
        rewrite: Rewrite | None = None,
    ) -> None:
        if len(self._rules) >= MOST_RULES:
            raise BadRuleset(f"the ruleset has more than {MOST_RULES} rules once its jumps are followed")
        rule = Rule(name, match, effect, certain=not reason, reason=reason, path=path, rewrite=rewrite)
        self._rules.append((rule, label))

    def _chain(self, name: str, scope: Match, view: View, *, accept: Label, depth: int, reason: str) -> None:
        """Lay one chain out; a return goes to its end, where a base chain's policy or the calling line follows."""
        if depth > DEEPEST_JUMP:
            raise BadRuleset(
                f"chain {name!r} is more than {DEEPEST_JUMP} jumps deep; do its chains call each other?"
            )
        end = Label()
        for line in self.chains.get(name, ()):
            seen = view.see(line)
            if seen is None:
                continue
            match, doubt = seen[0] & scope, seen[1] or reason
            self._line(line, match, doubt, view, accept=accept, end=end, depth=depth)
            if view.brief and not doubt and line.action in _ENDS and match == scope:
                break
        self.place(end)

    def _line(
        self, line: Line, match: Match, doubt: str, view: View, *, accept: Label, end: Label, depth: int
    ) -> None:
        match line.action:
            case Action.ACCEPT:
                self._add(line.name, match, Effect.SKIP, accept, reason=doubt)
            case Action.DROP:
                self._add(line.name, match, Effect.DENY, reason=doubt)
            case Action.RETURN:
                self._add(line.name, match, Effect.SKIP, end, reason=doubt)
            case Action.OPAQUE:
                self._opaque(line.name, match, doubt or "what it does is not understood", accept)
            case Action.ALTER:
                self.unknown(line.name, match, doubt or "how it changes packets is not followed")
            case Action.TRANSLATE | Action.UNTRACK:
                self._turned(line, match, doubt)
            case Action.JUMP | Action.GOTO if line.chain not in self.chains:
                self._opaque(line.name, match, f"there is no chain {line.chain!r}", accept)
            case Action.JUMP | Action.GOTO:
                if all(match.is_empty(family) for family in Family):
                    return
                self._chain(line.chain, match, view, accept=accept, depth=depth + 1, reason=doubt)
                if line.action is Action.GOTO:
                    # After a goto the calling chain is over, as if it had returned.
                    self._add(f"{line.name} (end of goto)", match, Effect.SKIP, end, reason=doubt)

    def _opaque(self, name: str, match: Match, doubt: str, accept: Label) -> None:
        self._add(name, match, Effect.DENY, reason=doubt)
        self._add(name, match, Effect.SKIP, accept, reason=doubt)

    def _turned(self, line: Line, match: Match, doubt: str) -> None:
        if self.turn is None:
            return
        for turn in self.turn(line):
            turned = match & turn.within
            if turn.label is None:
                self.unknown(line.name, turned, turn.doubt)
            else:
                reason = doubt or turn.doubt
                self._add(
                    line.name, turned, Effect.SKIP, turn.label, reason=reason, path=True, rewrite=line.rewrite
                )


def lay_out(bases: Sequence[BaseChain], chains: Mapping[str, Sequence[Line]]) -> Program:
    """Return the program that base chains of one hook, in the order of their priority, make for first packets."""
    layout = Layout(chains)
    end = Label()
    for base in bases:
        layout.base_chain(base, View(), accept=end if base is bases[-1] else Label())
    layout.place(end)
    return layout.program()
