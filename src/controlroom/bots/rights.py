"""Which bots a caller may see and do something with: the one way from a caller's rights to a bot or a query over bots."""

from sqlalchemy import or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from controlroom.bots.lookup import find_bot
from controlroom.bots.models import Bot
from controlroom.identity.caller import Caller
from controlroom.identity.filters import Conditions, bots_with
from controlroom.identity.permissions import Permission
from controlroom.identity.places import EVERYWHERE, BotAt, Everywhere


def place_of(bot: Bot) -> BotAt:
    """Return where a bot is, as rights are asked for it."""
    return BotAt(bot.id, bot.folder)


def bots_for(caller: Caller, *permissions: Permission) -> Conditions:
    """Return what a query over bots needs to give only those for which the caller has one of these rights."""
    parts = [
        bots_with(caller, permission, bot_id=Bot.id.expression, folder=Bot.folder.expression)
        for permission in permissions
    ]
    if not all(parts):
        return ()
    return (or_(*(condition for part in parts for condition in part)),)


async def bot_for(
    session: AsyncSession, caller: Caller, permission: Permission, reference: str, *, lock: bool = False
) -> Bot:
    """Return a bot by id, name, or folder and name, for which the caller has a right.

    Raises `NoSuchBot` for one that they may not even see, as for one that is not there; `Forbidden` for one that they
    see and may not do this with; `AmbiguousBot` where several that they see have the name.
    """
    caller.require(permission)
    seen = bots_for(caller, Permission.BOT_READ, permission)
    bot = await find_bot(session, reference, lock=lock, among=seen)
    caller.require(permission, place_of(bot))
    return bot


async def place_of_bot_id(session: AsyncSession, bot_id: str) -> BotAt | Everywhere:
    """Return where the bot with an id is; rights of places below the root do not hold for one that is gone."""
    folder = await session.scalar(select(Bot.folder).where(Bot.id == bot_id))
    return EVERYWHERE if folder is None else BotAt(bot_id, folder)
