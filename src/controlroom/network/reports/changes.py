"""Says in words what would open and what would close between two sites, or two versions of one."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from controlroom.network.addresses import join, only
from controlroom.network.analysis import (
    DEFAULT_BUDGET,
    Difference,
    Effect,
    Match,
    Program,
    Rule,
    Verdict,
    compare,
)
from controlroom.network.intervals import IntervalSet
from controlroom.network.policy import Permit, Policy
from controlroom.network.ports import format_ports
from controlroom.network.proof import PROTOCOLS
from controlroom.network.reports.tables import shorten


class ChangeKind(StrEnum):
    """Whether packets would pass that did not, or the other way round."""

    OPENS = "opens"
    CLOSES = "closes"


@dataclass(frozen=True, slots=True)
class Change:
    """Packets of one permit that would newly pass or be stopped, with one of them as an example."""

    kind: ChangeKind
    flow: str
    words: str
    example: str


def changes_between(before: Policy, after: Policy, *, budget: int = DEFAULT_BUDGET) -> list[Change]:
    """Return the changes, openings first, each permit once."""
    old, new = program_of_policy(before), program_of_policy(after)
    known = [only(one.family, one.sources | one.destinations) for one in (*before.permits, *after.permits)]
    found = compare(old, new, hints=join(known), budget=budget).differences
    changes = {change.words: change for change in _changes(found, before, after)}
    return sorted(changes.values(), key=lambda one: (one.kind is ChangeKind.CLOSES, one.flow, one.words))


def program_of_policy(policy: Policy) -> Program:
    """Return a whole policy as a program, wherever its packets are filtered; rule and permit numbers agree."""
    return Program(tuple(_rule(permit) for permit in policy.permits), Verdict.DENY, "no flow")


def _rule(permit: Permit) -> Rule:
    match = Match(
        IntervalSet.single(PROTOCOLS[permit.transport]),
        only(permit.family, permit.sources),
        only(permit.family, permit.destinations),
        destination_ports=permit.ports,
    )
    return Rule(permit.flow, match, Effect.ALLOW)


def _changes(found: tuple[Difference, ...], before: Policy, after: Policy) -> Iterator[Change]:
    for one in found:
        opens = one.second is Verdict.ALLOW
        kind = ChangeKind.OPENS if opens else ChangeKind.CLOSES
        permit = after.permits[one.second_rule] if opens else before.permits[one.first_rule]
        words = (
            f"{kind} {permit.transport} {format_ports(permit.ports)} ({permit.family.title}) from "
            f"{shorten(permit.source_names)} to {shorten(permit.destination_names)}: {permit.purpose}"
        )
        yield Change(kind, permit.flow, words, str(one.packet))
