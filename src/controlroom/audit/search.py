"""Finds bare words of a filter quickly: first among the names, then by index where few entries have them.

A word that no name holds is known to have no entry at once. One that few entries have is found through the indexes by
name. One that many have is looked for from the newest entry on, where the first page of them is soon full.
"""

from collections.abc import Sequence
from dataclasses import replace

from sqlalchemy import ColumnElement, false, or_, select, true
from sqlalchemy.ext.asyncio import AsyncSession

from controlroom.audit.grammar import GRAMMAR
from controlroom.audit.models import AuditEntry
from controlroom.audit.names import SEARCHED, AuditName
from controlroom.foundation.paging import Grammar, conditions

_FEW_NAMES = 500
_FEW_ENTRIES = 2_000
"""So many are sorted in a millisecond; more are met soon enough on the way from the newest."""


async def searching(session: AsyncSession, filter_: str) -> Grammar:
    """Return the grammar in which a filter's bare words are looked for in the quickest way; raise as `conditions` does."""
    words: list[str] = []

    def noted(word: str) -> ColumnElement[bool]:
        words.append(word)
        return true()

    conditions(replace(GRAMMAR, text_matches=noted), filter_)
    found = {word: await _has_word(session, word) for word in dict.fromkeys(words)}
    return replace(GRAMMAR, text_matches=found.__getitem__) if found else GRAMMAR


async def _has_word(session: AsyncSession, word: str) -> ColumnElement[bool]:
    """Return the condition that a name of an entry holds a word, whatever its case."""
    query = select(AuditName.name).where(AuditName.name.icontains(word, autoescape=True))
    names = (await session.scalars(query.limit(_FEW_NAMES + 1))).all()
    if not names:
        return false()
    numbers = await _few_numbers(session, names) if len(names) <= _FEW_NAMES else None
    if numbers is not None:
        return AuditEntry.number.in_(sorted(numbers))
    return or_(*(column.icontains(word, autoescape=True) for column in SEARCHED))


async def _few_numbers(session: AsyncSession, names: Sequence[str]) -> set[int] | None:
    """Return the entries that have one of these names, None where they are not few."""
    numbers: set[int] = set()
    for column in SEARCHED:
        query = select(AuditEntry.number).where(column.in_(names)).limit(_FEW_ENTRIES + 1)
        numbers.update(await session.scalars(query))
        if len(numbers) > _FEW_ENTRIES:
            return None
    return numbers
