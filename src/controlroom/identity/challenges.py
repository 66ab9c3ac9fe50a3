"""Steps that were begun and wait for their answer: each is known by a secret, counts its tries and ends by itself."""

from datetime import datetime, timedelta

from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncSession

from controlroom.foundation.ids import new_id, new_secret
from controlroom.identity.authentication import secret_hash
from controlroom.identity.models import Challenge, Purpose

LIFETIME = timedelta(minutes=10)
MOST_TRIES = 5

_SECRET_PREFIX = "crc"  # the prefix of secrets, no secret itself
_MOST_OF_ONE_USER = 10
_LONGEST_TOKEN = 200


async def begin_challenge(
    session: AsyncSession, *, purpose: Purpose, user_id: str, secret: str, now: datetime
) -> tuple[Challenge, str]:
    """Begin a step and return it with the token that its answer must bring; old ones of the user go."""
    await session.execute(delete(Challenge).where(Challenge.expires_at <= now))
    mine = select(Challenge.id).where(Challenge.user_id == user_id)
    surplus = (
        await session.scalars(mine.order_by(Challenge.created_at.desc()).offset(_MOST_OF_ONE_USER - 1))
    ).all()
    if surplus:
        await session.execute(delete(Challenge).where(Challenge.id.in_(surplus)))
    token = new_secret(_SECRET_PREFIX)
    begun = Challenge(
        id=new_id("chl"),
        token_hash=secret_hash(token),
        purpose=purpose,
        user_id=user_id,
        secret=secret,
        tries=0,
        created_at=now,
        expires_at=now + LIFETIME,
    )
    session.add(begun)
    return begun, token


async def find_challenge(
    session: AsyncSession, token: str, *, purpose: Purpose, now: datetime, lock: bool = False
) -> Challenge | None:
    """Return a step that may still be answered, or None."""
    if len(token) > _LONGEST_TOKEN:
        return None
    query = select(Challenge).where(
        Challenge.token_hash == secret_hash(token),
        Challenge.purpose == purpose,
        Challenge.expires_at > now,
        Challenge.tries < MOST_TRIES,
    )
    return await session.scalar(query.with_for_update() if lock else query)
