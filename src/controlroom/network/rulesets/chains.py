"""Chains of lines that jump and return, as nftables and iptables have them, and what each line says.

A line is read once and looked at many times: by the first packet of a connection, by its replies, and by packets
that a translation has rewritten. A `View` says which of these looks.
"""

from dataclasses import dataclass
from enum import StrEnum

from controlroom.network.analysis import Match, Rewrite
from controlroom.network.analysis.rewriting import mirror, preimage
from controlroom.network.rulesets.line_tests import LineTest, Place


class Action(StrEnum):
    """What a line does with a packet that matches it."""

    ACCEPT = "accept"
    DROP = "drop"
    JUMP = "jump"
    GOTO = "goto"
    RETURN = "return"
    # May accept or drop.
    OPAQUE = "opaque"
    # May do anything, such as turn the packet into one that other lines let pass.
    ALTER = "alter"
    TRANSLATE = "translate"
    UNTRACK = "untrack"


@dataclass(frozen=True, slots=True)
class Condition:
    """A match on connection tracking: one of the words is true of the packet, or none where it is negated.

    The words are states (new, established, related, invalid, untracked), directions (original, reply) and the
    statuses dnat and snat.
    """

    words: frozenset[str]
    negated: bool = False

    def holds(self, true: frozenset[str]) -> bool:
        """Say whether the condition holds where exactly these words are true."""
        return self.words.isdisjoint(true) is self.negated


CONDITION_WORDS = frozenset(
    {"new", "established", "related", "invalid", "untracked", "original", "reply", "dnat", "snat"}
)


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a chain as far as it is understood; ``reason`` says what was not, and makes it uncertain."""

    name: str
    match: Match
    action: Action
    chain: str = ""
    reason: str = ""
    conditions: tuple[Condition, ...] = ()
    rewrite: Rewrite | None = None
    tests: tuple[LineTest, ...] = ()


@dataclass(frozen=True, slots=True)
class BaseChain:
    """A chain that a hook calls, for the packets in ``scope``, and what befalls a packet at its end."""

    name: str
    policy: Action
    scope: Match = Match()  # noqa: RUF009  # immutable


FIRST_PACKET = frozenset({"new", "original"})


@dataclass(frozen=True, slots=True)
class View:
    """Which packet of a connection looks at a chain, and how it has been rewritten when it does.

    ``true`` are the words of conditions that hold, or None where they are not known. Lines behind one that takes
    everything are left out where ``brief``. Translations have the names of their lines.
    """

    true: frozenset[str] | None = FIRST_PACKET
    rewrites: tuple[tuple[Rewrite, str], ...] = ()
    mirrored: bool = False
    brief: bool = False
    place: Place = Place()  # noqa: RUF009  # immutable

    def see(self, line: Line) -> tuple[Match, str] | None:
        """Return what a line matches, said about the connection's first packet, and why that is uncertain if it is.

        None where the line cannot match.
        """
        match, reason = line.match, line.reason
        for condition in line.conditions:
            if self.true is None:
                reason = reason or "the packet is not tracked, so that its state is not known"
            elif not condition.holds(self.true):
                return None
        for test in line.tests:
            answer = test.holds(self.place)
            if answer.within is None:
                return None
            match &= answer.within
            reason = reason or answer.doubt
        if self.mirrored:
            match = mirror(match)
        for rewrite, name in self.rewrites:
            match, exact = preimage(match, rewrite)
            if not exact:
                reason = reason or f"{name!r} chooses one of several addresses or ports"
        return match, reason
