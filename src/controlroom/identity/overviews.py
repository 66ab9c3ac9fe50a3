"""What a list of users shows beside each name: when they were here last, and whether they have a second factor."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select

from controlroom.foundation.database import Database
from controlroom.identity.models import ApiKey, SecondFactor, Session, User


@dataclass(frozen=True, slots=True)
class Overview:
    """``seen_at`` is the last use of a session or an API key, exact to a minute; None before the first."""

    second_factors: int = 0
    seen_at: datetime | None = None


class Overviews:
    """Reads what is known of users, many at a time."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def of(self, user_ids: Sequence[str]) -> Mapping[str, Overview]:
        """Return an overview of each of these users."""
        factors = select(SecondFactor.user_id, func.count().label("held")).where(
            SecondFactor.user_id.in_(user_ids)
        )
        async with self._database.read() as session:
            rows = await session.execute(factors.group_by(SecondFactor.user_id))
            counts = {row.user_id: row.held for row in rows}
            seen: dict[str, datetime] = {}
            for table in (Session, ApiKey):
                uses = select(table.user_id, func.max(table.used_at)).where(table.user_id.in_(user_ids))
                for user_id, used_at in await session.execute(uses.group_by(table.user_id)):
                    if used_at is not None:
                        seen[user_id] = max(used_at, seen.get(user_id, used_at))
        return {user_id: Overview(counts.get(user_id, 0), seen.get(user_id)) for user_id in user_ids}

    async def names(self, user_ids: Sequence[str]) -> Mapping[str, str]:
        """Return the names of these users by their ids."""
        async with self._database.read() as session:
            rows = await session.execute(select(User.id, User.name).where(User.id.in_(user_ids)))
            return {row.id: row.name for row in rows}
