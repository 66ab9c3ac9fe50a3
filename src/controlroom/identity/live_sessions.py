"""Which sessions live, what keeps them alive, and how many of them end at once."""

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, CursorResult, and_, delete, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.requests import HTTPConnection

from controlroom.identity.models import Session

MOST_LIVE_SESSIONS = 50
"""Of one user; the one unused for longest ends when there would be more."""

BACKGROUND_HEADER = "x-background"
_STREAM = "text/event-stream"
_KEPT_AFTER_END = timedelta(days=30)


def is_background(connection: HTTPConnection) -> bool:
    """Say whether a request is an open page's own doing: a live stream, or what the page fetches when it hears of a change.

    Such a request is no use of its session: an open page must not keep a session alive that nobody sits before. A
    browser opens a stream with this `Accept` (WHATWG HTML section 9.2); what pages fetch by themselves says so.
    """
    return (
        connection.scope["type"] == "websocket"
        or _STREAM in connection.headers.get("accept", "")
        or BACKGROUND_HEADER in connection.headers
    )


def is_live(now: datetime, idle: timedelta) -> ColumnElement[bool]:
    """Return the condition that a session can still be used."""
    return and_(Session.ended_at.is_(None), Session.expires_at > now, Session.used_at > now - idle)


async def end_sessions(session: AsyncSession, user_id: str, now: datetime, *, but: str | None = None) -> int:
    """End all sessions of a user, but one where that is named; return how many."""
    open_ones = update(Session).where(Session.user_id == user_id, Session.ended_at.is_(None))
    if but is not None:
        open_ones = open_ones.where(Session.id != but)
    result: CursorResult[Any] = await session.execute(open_ones.values(ended_at=now))  # type: ignore[assignment]  # an UPDATE gives a cursor result
    return result.rowcount


async def make_room(session: AsyncSession, user_id: str, now: datetime) -> None:
    """Forget a user's sessions that ended long ago, and end those unused for longest where they are too many."""
    long_ago = now - _KEPT_AFTER_END
    over = or_(Session.ended_at < long_ago, Session.expires_at < long_ago)
    await session.execute(delete(Session).where(Session.user_id == user_id, over))
    mine = select(Session.id).where(Session.user_id == user_id, Session.ended_at.is_(None))
    surplus = mine.order_by(Session.used_at.desc(), Session.id.desc()).offset(MOST_LIVE_SESSIONS - 1)
    ids = (await session.scalars(surplus)).all()
    if ids:
        await session.execute(update(Session).where(Session.id.in_(ids)).values(ended_at=now))
