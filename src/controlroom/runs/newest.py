"""The newest runs of some bots only, on PostgreSQL: read bot by bot from an index, not by going through all runs.

For who may see bots that seldom or never ran, the database would otherwise look through every run of all others. SQLite
chooses the bots' own index by itself.
"""

import re
from collections.abc import Sequence

from sqlalchemy import Select, select, true
from sqlalchemy.ext.asyncio import AsyncSession

from controlroom.bots.models import Bot
from controlroom.foundation.paging import KeysOf, PageRequest
from controlroom.identity.filters import Conditions
from controlroom.runs.models import Run

MOST_BOTS = 100
"""Of more bots, there are recent runs of one or another, and the way through all runs is short."""
_MOST_BOTS_OF_STATES = 20
"""With several states, which the index holds apart, all of each bot's runs in them are put in order."""
_INDEXED = re.compile(r"(state:[\w,]+|created[<>]=?[\w.:+-]+|\s)*")
"""Filters that the indexes by bot answer; for any other, each bot's runs would be read in full."""


async def bots_that_ran(session: AsyncSession, seen: Conditions) -> Sequence[str] | None:
    """Return the bots among those seen that have runs; None where they are too many, or where it would gain nothing."""
    if not seen or session.get_bind().dialect.name != "postgresql":
        return None
    newest = select(Run.created_at).where(Run.bot_id == Bot.id).order_by(Run.created_at.desc()).limit(1)
    ran = newest.correlate(Bot).scalar_subquery().is_not(None)  # one look into the index a bot
    found = await session.scalars(select(Bot.id).where(*seen, ran).limit(MOST_BOTS + 1))
    ids = found.all()
    return ids if len(ids) <= MOST_BOTS else None


def keys_by_bot(bot_ids: Sequence[str], request: PageRequest) -> KeysOf | None:
    """Return how a page's keys are read bot by bot; None where the filter or order asked for needs other indexes."""
    if request.sort not in ("", "created", "-created") or not _INDEXED.fullmatch(request.filter):
        return None
    if "," in request.filter and len(bot_ids) > _MOST_BOTS_OF_STATES:
        return None

    def keys(page: Select[tuple[object, object]], descending: bool, most: int) -> Select[tuple[object]]:
        of_bot = page.where(Run.bot_id == Bot.id).correlate(Bot).lateral("of_bot")
        key, moment = of_bot.c.id, of_bot.c.created_at
        order = (moment.desc(), key.desc()) if descending else (moment, key)
        found = select(key).select_from(Bot).join(of_bot, true()).where(Bot.id.in_(bot_ids))
        return found.order_by(*order).limit(most)

    return keys
