"""The comparison of two programs by binary decision diagrams of ``oxidd``, where that is installed.

The interval diagrams of this package are quicker on real rulesets, and name rules by themselves. Where very many rules
overlap, theirs grow beyond measure and binary ones do not. Variables are a packet's bits, the first bit first.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from controlroom.network.addresses import Family
from controlroom.network.analysis.model import (
    ALL_PROTOCOLS,
    Effect,
    Field,
    Match,
    Packet,
    Program,
    Rule,
    Verdict,
    judge,
)
from controlroom.network.intervals import IntervalSet

if TYPE_CHECKING:
    from oxidd.bdd import BDDFunction

# Rules that do not tell addresses apart come first, then the end that most do (as measured in bench/network).
ORDER = (Field.PROTOCOL, Field.DESTINATION, Field.DESTINATION_PORT, Field.SOURCE, Field.SOURCE_PORT)
# Some hundred megabytes at most: an inner node takes 16 bytes, an entry of the cache 32.
_NODES, _CACHE = 1 << 22, 1 << 20
# One witness a pair of rules; more pairs than this say no more.
MOST_WITNESSES = 200


def is_installed() -> bool:
    """Say whether ``oxidd`` is there."""
    try:
        import oxidd.bdd  # noqa: F401
    except ImportError:
        return False
    return True


class BinaryDiagrams:
    """Programs of one family as sets of packets, in one manager."""

    def __init__(self, family: Family) -> None:
        from oxidd.bdd import BDDManager

        self._family = family
        self._widths = {
            one: family.bits
            if one in {Field.SOURCE, Field.DESTINATION}
            else 8
            if one is Field.PROTOCOL
            else 16
            for one in ORDER
        }
        self._manager = BDDManager(_NODES, _CACHE, 1)
        self._manager.add_vars(sum(self._widths.values()))
        self._starts = {one: sum(self._widths[other] for other in ORDER[:at]) for at, one in enumerate(ORDER)}
        self._known: dict[tuple[Field, IntervalSet], BDDFunction] = {}

    def box(self, match: Match) -> "BDDFunction":
        """Return the set of packets that match."""
        found = self._manager.true()
        sets = match.fields(self._family)
        for one in reversed(ORDER):
            found = self._values(one, sets[one]) & found
        return found

    def may(self, program: Program) -> tuple["BDDFunction", "BDDFunction"]:
        """Return the packets that a program may let pass, and those that it may stop; unknown ones are in both."""
        allow, deny = self._manager.true(), self._manager.false()
        if program.default is not Verdict.ALLOW:
            allow, deny = deny, allow
        targets = {rule.target for rule in program.rules if rule.effect is Effect.SKIP}
        end = len(program.rules)
        kept = {target: (allow, deny) for target in targets if target >= end}
        for number in range(end - 1, -1, -1):
            allow, deny = self._before(program.rules[number], allow, deny, kept)
            if number in targets:
                kept[number] = (allow, deny)
        return allow, deny

    def _before(
        self,
        rule: Rule,
        allow: "BDDFunction",
        deny: "BDDFunction",
        kept: dict[int, tuple["BDDFunction", "BDDFunction"]],
    ) -> tuple["BDDFunction", "BDDFunction"]:
        box = self.box(rule.match)
        if rule.effect is Effect.SKIP:
            passed, stopped = kept[rule.target]
        else:
            passed, stopped = self._manager.true(), self._manager.false()
            if rule.effect is Effect.DENY:
                passed, stopped = stopped, passed
        if rule.certain:
            return box.ite(passed, allow), box.ite(stopped, deny)
        return allow | (box & passed), deny | (box & stopped)

    def witness(self, packets: "BDDFunction") -> Packet | None:
        """Return one packet of a set, or None where it is empty."""
        cube = packets.pick_cube()
        if cube is None:
            return None
        values: dict[Field, int] = {}
        for one in ORDER:
            start, width = self._starts[one], self._widths[one]
            values[one] = int("".join("1" if bit else "0" for bit in cube[start : start + width]), 2)
        return Packet(
            self._family,
            values[Field.PROTOCOL],
            values[Field.SOURCE],
            values[Field.DESTINATION],
            values[Field.SOURCE_PORT],
            values[Field.DESTINATION_PORT],
        )

    def _values(self, one: Field, values: IntervalSet) -> "BDDFunction":
        known = self._known.get((one, values))
        if known is None:
            known = self._manager.false()
            for low, high in values:
                known |= self._at_least(one, low) & ~self._at_least(one, high + 1)
            self._known[one, values] = known
        return known

    def _at_least(self, one: Field, value: int) -> "BDDFunction":
        """Return the packets whose field is not below a value."""
        width, start = self._widths[one], self._starts[one]
        if value >> width:
            return self._manager.false()
        found = self._manager.true()
        for place in range(width):
            bit = self._manager.var(start + width - 1 - place)
            found = bit & found if value >> place & 1 else bit | found
        return found


def differing(first: Program, second: Program, family: Family, within: Match) -> Iterator[Packet]:
    """Yield a packet for each pair of rules that rule differently, or where the second does not know.

    Raise `MemoryError` where the diagrams outgrow their room.
    """
    if within.protocols & ALL_PROTOCOLS == IntervalSet() or within.is_empty(family):
        return
    diagrams = BinaryDiagrams(family)
    (allow, deny), (allow_too, deny_too) = diagrams.may(first), diagrams.may(second)
    left = ((allow ^ allow_too) | (deny ^ deny_too) | (allow & deny)) & diagrams.box(within)
    for _ in range(MOST_WITNESSES):
        packet = diagrams.witness(left)
        if packet is None:
            return
        yield packet
        covered = diagrams.box(within)
        for program in (first, second):
            number = judge(program, packet).rule
            if number >= 0:
                covered &= diagrams.box(program.rules[number].match)
        left &= ~covered
