"""Everything that stands on Linux' hooks at once, and the programs that it makes for each packet of a connection.

Base chains of one hook run in the order of their priority, legacy and nft alike, and a packet must pass them all. Of
NAT chains the first that translates decides (nf_nat_core.c, nf_nat_inet_fn), and only a connection's first packet
asks them; the filter chains behind them see the packet as it is then.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise

from controlroom.network.addresses import Addresses, Family, only
from controlroom.network.analysis import Match, Program, Rewrite
from controlroom.network.analysis.rewriting import settle
from controlroom.network.projection import Direction
from controlroom.network.rulesets.chains import Action, Line, View
from controlroom.network.rulesets.fates import Fate, true_words, unchanged
from controlroom.network.rulesets.hooks import (
    CONNTRACK,
    DESTINATION_NAT,
    SOURCE_NAT,
    THROUGH,
    WAYS,
    Hook,
    Hooked,
    Phase,
)
from controlroom.network.rulesets.layout import Label, Layout, Turn, Turns
from controlroom.network.rulesets.line_tests import LineTest, Place

# There every packet is of no known state (nft_ct.c, nft_ct_get_eval).
_IN_FRONT_OF_TRACKING = frozenset({"invalid"})
# Each translation sees the filter rules in its own way; beyond this a ruleset's translations are not followed.
MOST_TRANSLATIONS = 200


@dataclass(frozen=True, slots=True)
class Stack:
    """All base chains of one host and the chains that they call; chains of different programs have different names."""

    hooked: tuple[Hooked, ...] = ()
    chains: Mapping[str, Sequence[Line]] = field(default_factory=dict)
    # Families of which nothing was given, so that nothing is known of their packets.
    absent: frozenset[Family] = frozenset()
    # Beginnings of names of base chains that this stack says better than another one that has them too.
    said_here: tuple[str, ...] = ()

    def asks(self, word: str) -> bool:
        """Say whether some line's condition has a word."""
        return any(
            word in one.words for lines in self.chains.values() for line in lines for one in line.conditions
        )

    @property
    def translates(self) -> bool:
        """Say whether some NAT chain has a line."""
        return any(self.chains.get(one.base.name) for one in self.hooked if one.translates)

    @property
    def tests(self) -> frozenset[LineTest]:
        """Every test of every line."""
        return frozenset(one for lines in self.chains.values() for line in lines for one in line.tests)

    def program(
        self,
        direction: Direction,
        phase: Phase = Phase.OPENING,
        own: Addresses | None = None,
        interfaces: Mapping[str, Addresses] | None = None,
    ) -> Program:
        """Return what becomes of a connection's packets in one phase, said about the packet that opens it.

        With a host's ``own`` addresses it is known whether a translated packet stays on the host; ``interfaces`` are
        the addresses behind each.
        """
        return _Writer(self, direction, phase, own or Addresses(), interfaces or {}).write()

    def translations(
        self,
        direction: Direction,
        own: Addresses | None = None,
        interfaces: Mapping[str, Addresses] | None = None,
    ) -> Program:
        """Return a program that stops nothing and tells how packets are translated."""
        return _Writer(
            self, direction, Phase.OPENING, own or Addresses(), interfaces or {}, bare=True
        ).write()


@dataclass(slots=True)
class _Writer:
    stack: Stack
    direction: Direction
    phase: Phase
    own: Addresses
    interfaces: Mapping[str, Addresses]
    bare: bool = False
    layout: Layout = field(init=False)
    end: Label = field(default_factory=Label)
    plain: Label = field(default_factory=Label)
    pending: dict[Fate, Label] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.layout = Layout(self.stack.chains)

    def write(self) -> Program:
        """Decide the destination, then the source, then ask the filters, once for each outcome."""
        for family in () if self.bare else sorted(self.stack.absent):
            every = only(family, family.everything)
            reason = f"nothing of {family.title} was given; add {'ip6tables-save' if family == 6 else 'iptables-save'}"
            self.layout.unknown(
                f"{family.title} (no file given)", Match(sources=every, destinations=every), reason
            )
        first = self._way(Fate(), forth=True)[0]
        self._decide(Fate(), [one for one in self._on((first,)) if self._may_turn(one)])
        self.layout.place(self.plain)
        waiting, self.pending = self.pending, {}
        self._sources(Fate())
        for fate, label in waiting.items():
            self.layout.place(label)
            self._sources(fate)
        self.layout.place(self.end)
        return self.layout.program()

    def _sources(self, fate: Fate) -> None:
        last = self._way(fate, forth=True)[-1]
        chains = [
            one for one in self._on((last,)) if one.translates and last in {Hook.INPUT, Hook.POSTROUTING}
        ]
        if not fate.untracked and (self.bare or self._sees_sources(fate)):
            self._decide(fate, chains)
        waiting, self.pending = self.pending, {}
        self._filters(fate)
        for outcome, label in waiting.items():
            self.layout.place(label)
            self._filters(outcome)

    def _filters(self, fate: Fate) -> None:
        """Lay out the filter chains as the packets of this fate see them."""
        if self.direction is not Direction.INBOUND and fate.stays and fate.destination and not self.bare:
            self.layout.deny(f"{fate.destination[1]} (turns the packet to this host itself)")
            return
        stages = [] if self.bare else self._stages(fate)
        if self.phase is Phase.REPLY and not fate.untracked:
            self.layout.turn = self._untracked_reply
        for number, stage in enumerate(stages, start=1):
            accept = self.end if number == len(stages) else Label()
            self.layout.base_chain(stage.base, self._at(stage, self._view(fate, stage)), accept=accept)
        self.layout.turn = None
        self.layout.lead(self.end)

    def _stages(self, fate: Fate) -> list[Hooked]:
        way = self._way(fate, forth=self.phase is not Phase.REPLY)
        return [one for one in self._on(way) if not one.translates]

    def _way(self, fate: Fate, *, forth: bool) -> tuple[Hook, ...]:
        if self.direction is Direction.INBOUND and fate.leaves:
            return THROUGH
        return WAYS[self.direction][0 if forth else 1]

    def _on(self, hooks: tuple[Hook, ...]) -> list[Hooked]:
        """Return the chains on some hooks in the order in which a packet meets them; empty ones do nothing."""
        found = [
            one
            for one in self.stack.hooked
            if one.hook in hooks and (self.stack.chains.get(one.base.name) or one.base.policy is Action.DROP)
        ]
        return sorted(found, key=lambda one: (hooks.index(one.hook), one.priority))

    def _may_turn(self, one: Hooked) -> bool:
        if one.translates:
            return one.hook in {Hook.PREROUTING, Hook.OUTPUT}
        return one.priority < DESTINATION_NAT and self._untracks(one.base.name, set())

    def _untracks(self, chain: str, asked: set[str]) -> bool:
        if chain in asked:
            return False
        asked.add(chain)
        lines = self.stack.chains.get(chain, ())
        return any(
            line.action is Action.UNTRACK or (line.chain and self._untracks(line.chain, asked))
            for line in lines
        )

    def _decide(self, fate: Fate, chains: list[Hooked]) -> None:
        """Ask the chains that decide a packet's fate, in order; the undecided go on behind them."""
        self.layout.turn = self._turn(fate)
        rivals = [(one, other) for one, other in pairwise(chains) if _are_rivals(one, other)]
        behind, other_way = Label(), Label()
        if rivals:
            # The one that was registered last is asked first, which no listing tells.
            names = " and ".join(repr(one.base.name) for one in rivals[0])
            self.layout.lead(other_way, f"{names} have one priority, and which is asked first is not known")
        self._ask(fate, chains)
        if rivals:
            self.layout.lead(behind)
            self.layout.place(other_way)
            backwards = list(reversed(chains))
            self._ask(fate, sorted(backwards, key=lambda one: (one.translates, one.priority)))
            self.layout.place(behind)
        self.layout.turn = None

    def _ask(self, fate: Fate, chains: list[Hooked]) -> None:
        for one in chains:
            # What a filter chain drops is told where the filters are laid out.
            base = one.base if one.translates else replace(one.base, policy=Action.ACCEPT)
            early = not one.translates and one.priority < CONNTRACK
            view = View(_IN_FRONT_OF_TRACKING) if early else self._view(fate, None)
            self.layout.base_chain(base, self._at(one, view, Phase.OPENING), accept=Label())

    def _at(self, one: Hooked, view: View, phase: Phase | None = None) -> View:
        place = Place(one.hook, phase or self.phase, self.own, self.interfaces)
        return replace(view, place=place)

    def _untracked_reply(self, line: Line) -> Iterator[Turn]:
        yield Turn(None, f"{line.name!r} takes replies out of tracking")

    def _turn(self, fate: Fate) -> Turns:
        def turns(line: Line) -> Iterator[Turn]:
            if line.action is Action.UNTRACK or line.rewrite is None:
                outcomes = [replace(fate, untracked=True)]
            else:
                rewrite = settle(line.rewrite, self.own)
                outcomes = self._outcomes(fate, line.name, rewrite)
                same = unchanged(rewrite, self.plain)
                if outcomes[0].destination != fate.destination and (
                    not same.doubt or self.stack.asks("dnat")
                ):
                    yield same
            for number, outcome in enumerate(outcomes, start=1):
                if outcome not in self.pending and len(self.pending) >= MOST_TRANSLATIONS:
                    yield Turn(None, f"only {MOST_TRANSLATIONS} different translations are followed")
                    continue
                choice = (
                    "" if number == len(outcomes) else "whether the packet stays on this host is not known"
                )
                yield Turn(self.pending.setdefault(outcome, Label()), choice)

        return turns

    def _outcomes(self, fate: Fate, name: str, rewrite: Rewrite) -> list[Fate]:
        if rewrite.sources is not None or rewrite.source_shift or rewrite.source_ports is not None:
            return [replace(fate, source=(rewrite, name))]
        turned = replace(fate, destination=(rewrite, name))
        if rewrite.local:
            return [replace(turned, stays=True)]
        values, own = rewrite.destinations, self.own.of(rewrite.family)
        if rewrite.destination_shift and own:
            return [replace(turned, stays=True), replace(turned, leaves=True)]
        if values is None or self.direction is Direction.FORWARD:
            return [turned]
        if not own:
            # Where a host's addresses are not known, it may stay or leave.
            return [replace(turned, stays=True), replace(turned, leaves=True)]
        if own.covers(values):
            return [replace(turned, stays=True)]
        leaving = replace(turned, leaves=True)
        return [replace(turned, stays=True), leaving] if own.overlaps(values) else [leaving]

    def _sees_sources(self, fate: Fate) -> bool:
        """Say whether some filter sees the translated source, so that it matters."""
        if self.phase is not Phase.OPENING and self.stack.translates and self.stack.asks("snat"):
            return True
        return any(self._rewrites_seen(stage)[1] for stage in self._stages(fate))

    def _rewrites_seen(self, stage: Hooked) -> tuple[bool, bool]:
        """Say whether a filter sees the translated destination, and the translated source."""
        early = stage.hook in {Hook.PREROUTING, Hook.OUTPUT} and stage.priority <= DESTINATION_NAT
        late = stage.hook in {Hook.POSTROUTING, Hook.INPUT} and stage.priority >= SOURCE_NAT
        # A reply is translated back: its destination where it comes in, its source where it goes out.
        return (not late, early) if self.phase is Phase.REPLY else (not early, late)

    def _view(self, fate: Fate, stage: Hooked | None) -> View:
        """Return how a filter chain sees the packets, or for None how NAT chains see the first one."""
        if stage is not None and stage.hook in {Hook.PREROUTING, Hook.OUTPUT} and stage.priority < CONNTRACK:
            return View(
                _IN_FRONT_OF_TRACKING, self._rewritings(fate, stage), mirrored=self.phase is Phase.REPLY
            )
        if stage is None:
            return View(
                true_words(Phase.OPENING, fate, seen=(True, False)),
                (fate.destination,) if fate.destination else (),
            )
        destination, source = self._rewrites_seen(stage)
        return View(
            # A first packet has the status from its translation on, later ones have it all along.
            true_words(
                self.phase, fate, seen=(destination, source) if self.phase is Phase.OPENING else (True, True)
            ),
            self._rewritings(fate, stage),
            mirrored=self.phase is Phase.REPLY,
            brief=self.phase is not Phase.OPENING,
        )

    def _rewritings(self, fate: Fate, stage: Hooked) -> tuple[tuple[Rewrite, str], ...]:
        destination, source = self._rewrites_seen(stage)
        found = [fate.source] if fate.source and source else []
        return (*found, *([fate.destination] if fate.destination and destination else []))


def _are_rivals(one: Hooked, other: Hooked) -> bool:
    if not (one.translates and other.translates and one.priority == other.priority):
        return False
    shared = one.base.scope & other.base.scope
    return not all(shared.is_empty(family) for family in Family)


def merge(stacks: Sequence[Stack]) -> Stack:
    """Put several stacks on one host; of chains with one priority, those of the first stand first."""
    chains: dict[str, Sequence[Line]] = {}
    hooked: list[Hooked] = []
    for stack in stacks:
        chains |= stack.chains
        better = tuple(name for other in stacks if other is not stack for name in other.said_here)
        hooked += [one for one in stack.hooked if not one.base.name.startswith(better)]
    absent = frozenset.intersection(*(stack.absent for stack in stacks)) if stacks else frozenset()
    return Stack(tuple(hooked), chains, absent)
