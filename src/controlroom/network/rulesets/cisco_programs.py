"""Access lists as programs: for a connection's first packet, for the replies to it, and for what follows it.

A list without memory is asked about every packet. An ``established`` entry matches none that opens a connection; a
reflexive list holds the answers to what its entries let through.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from controlroom.network.addresses import Family
from controlroom.network.analysis import Effect, Match, Program, Rule, Verdict
from controlroom.network.analysis.rewriting import mirror
from controlroom.network.ports import ALL_PORTS
from controlroom.network.projection import Direction
from controlroom.network.rulesets.border_rules import not_on_hosts, refuse_too_many
from controlroom.network.rulesets.cisco_entries import Entry
from controlroom.network.rulesets.hooks import Phase
from controlroom.network.rulesets.packet_words import ONLY_FAMILY


@dataclass(frozen=True)
class AccessList:
    """A list with the family that it speaks of, none for both; each ends in a denial that is not written."""

    name: str
    family: Family | None
    entries: tuple[Entry, ...]

    @property
    def box(self) -> Match:
        """The packets that the list is asked about at all."""
        return Match() if self.family is None else ONLY_FAMILY["ip" if self.family is Family.IPV4 else "ip6"]

    @cached_property
    def rules(self) -> tuple[tuple[Entry, tuple[Rule, ...]], ...]:
        """Each entry with the rules that it is."""
        return tuple((entry, tuple(entry.rules())) for entry in self.entries)


def opening(one: AccessList) -> list[Rule]:
    """Return what a list does with first packets."""
    return _ended(one, [rule for entry, rules in one.rules if not entry.established for rule in rules])


def replies(one: AccessList) -> list[Rule]:
    """Return what a list does with replies, said about the first packet."""
    found: list[Rule] = []
    for entry, rules in one.rules:
        if entry.evaluates:
            found += _remembered(one, entry, start=len(found))
        else:
            found += (replace(rule, match=mirror(rule.match)) for rule in rules if not _asks(rule))
    return _ended(one, found)


def _asks(rule: Rule) -> bool:
    """Say whether a rule lets through what goes to certain ports from any: questions, not answers.

    It would let back the answers to whoever happens to ask from such a port, which makes no flow work: flows are asked
    from every port. Leaving it out keeps the proof small, and can only let a flow look stopped.
    """
    match = rule.match
    return (
        rule.effect is Effect.ALLOW
        and match.source_ports == ALL_PORTS
        and match.destination_ports != ALL_PORTS
    )


def _remembered(one: AccessList, asked: Entry, *, start: int) -> list[Rule]:
    """Return the list's own first decision about a packet: what a reflecting entry let through is let back."""
    first = [(entry, rule) for entry, rules in one.rules if not entry.established for rule in rules]
    end = start + len(first)
    found: list[Rule] = []
    for entry, rule in first:
        if entry.reflects == asked.evaluates and entry.permits:
            found.append(replace(rule, name=asked.name, effect=Effect.ALLOW))
        else:
            found.append(replace(rule, name=asked.name, effect=Effect.SKIP, target=end, path=True))
    return found


def sequel(one: AccessList) -> list[Rule]:
    """Return what a list does with later packets of the same direction."""
    return _ended(one, [rule for _, rules in one.rules for rule in rules])


def _ended(one: AccessList, rules: list[Rule]) -> list[Rule]:
    """Put the denial that is not written behind a list's rules, where the last of them does not say it already."""
    last = rules[-1] if rules else None
    if last is None or last.effect is not Effect.DENY or not last.certain or last.match != one.box:
        rules.append(Rule(f"{one.name}: implicit deny", one.box, Effect.DENY))
    return refuse_too_many(rules)


def programs_of(
    groups: Sequence[Sequence[AccessList]], doubts: Sequence[Rule] = ()
) -> dict[Direction, Program]:
    """Return the programs of a border. Of each group's lists a packet meets the one there is, or nobody knows which.

    ``doubts`` are rules that stand before all lists.
    """
    parts = [opening(lists[0]) if len(lists) == 1 else _one_of(lists) for lists in groups]
    rules = _joined([list(doubts), *parts])
    return {
        **not_on_hosts("an access list"),
        Direction.FORWARD: Program(rules, Verdict.ALLOW, "no list is asked"),
    }


def later_of(lists: Sequence[AccessList]) -> dict[Phase, Mapping[Direction, Program]]:
    """Return the programs of replies and of later packets, where lists have no memory of their own."""
    back = _joined([replies(one) for one in lists])
    found: dict[Phase, Mapping[Direction, Program]] = {Phase.REPLY: _everywhere(back)}
    # Later packets meet the first packet's entries again; only an established denial could treat them worse.
    if any(entry.established and not entry.permits for one in lists for entry in one.entries):
        found[Phase.SEQUEL] = _everywhere(_joined([sequel(one) for one in lists]))
    return found


def _joined(parts: Sequence[Sequence[Rule]]) -> tuple[Rule, ...]:
    """Put rules behind one another, so that those which lead on still lead to the same rule."""
    found: list[Rule] = []
    for part in parts:
        start = len(found)
        found += (
            replace(rule, target=rule.target + start) if rule.target and start else rule for rule in part
        )
    return tuple(found)


def _everywhere(rules: tuple[Rule, ...]) -> Mapping[Direction, Program]:
    return dict.fromkeys(Direction, Program(rules, Verdict.ALLOW, "no list is asked"))


def _one_of(lists: Sequence[AccessList]) -> list[Rule]:
    """Return rules for where it is not known which of several lists a packet meets: to be sure, all must let it pass."""
    names = ", ".join(one.name for one in lists)
    reason = f"which of the lists {names} a packet meets depends on its interface"
    rules: list[Rule] = []
    for one in lists:
        own = opening(one)
        end = len(rules) + len(own)
        for rule in own:
            if rule.effect is Effect.ALLOW:
                rules.append(replace(rule, effect=Effect.SKIP, target=end))
            else:
                # It may not hold: then the packet never met this list.
                rules.append(replace(rule, certain=False, reason=rule.reason or reason))
    return rules
