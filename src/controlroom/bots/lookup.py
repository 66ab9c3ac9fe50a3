"""Finds bots and their versions for those who only read: pages, lists, and whoever is about to run one."""

import msgspec
from sqlalchemy import ColumnElement, select
from sqlalchemy.ext.asyncio import AsyncSession

from controlroom.bots.errors import (
    AmbiguousBot,
    NoCurrentVersion,
    NoSuchBot,
    NoSuchVersion,
    VersionRetired,
    shown,
)
from controlroom.bots.manifest import Manifest
from controlroom.bots.models import Bot, BotVersion
from controlroom.foundation.ids import is_id
from controlroom.foundation.paging import Field, Grammar, Kind
from controlroom.identity.filters import Conditions

BOT_PREFIX = "bot"
VERSION_PREFIX = "ver"


def _in_folder(path: str) -> ColumnElement[bool]:
    folder = "/" + path.strip("/*")
    below = "/" if folder == "/" else f"{folder}/"
    return (Bot.folder == folder) | Bot.folder.startswith(below, autoescape=True)


BOT_GRAMMAR = Grammar(
    fields={
        "name": Field(Bot.name.expression, sortable=True),
        "folder": Field(Bot.folder.expression, sortable=True, matches=_in_folder),
        "created": Field(Bot.created_at.expression, Kind.MOMENT, sortable=True),
        "updated": Field(Bot.updated_at.expression, Kind.MOMENT, sortable=True),
    },
    key=Bot.id.expression,
    text=(Bot.name.expression, Bot.description.expression),
    default_sort="name",
)
"""What the list of bots understands; ``folder:/finance`` takes the folders below it too."""

VERSION_GRAMMAR = Grammar(
    fields={
        "number": Field(BotVersion.number.expression, Kind.NUMBER, sortable=True),
        "format": Field(BotVersion.format.expression),
        "published": Field(BotVersion.published_at.expression, Kind.MOMENT, sortable=True),
        "published_by": Field(BotVersion.published_by.expression),
        "sha256": Field(BotVersion.sha256.expression),
    },
    key=BotVersion.id.expression,
    text=(BotVersion.note.expression,),
    default_sort="-number",
)


async def find_bot(
    session: AsyncSession, reference: str, *, lock: bool = False, among: Conditions = ()
) -> Bot:
    """Return a bot by its id, its name, or folder and name such as ``/finance/reconcile``.

    Raises `NoSuchBot`, or `AmbiguousBot` for a name that several folders have. ``lock`` keeps the row from others
    until the transaction ends; ``among`` keeps the search to some bots, see `bots.rights`.
    """
    folder, slash, name = reference.rpartition("/")
    query = select(Bot).where(*among).limit(3).order_by(Bot.folder)
    if lock:
        query = query.with_for_update()
    if is_id(reference, BOT_PREFIX):
        query = query.where(Bot.id == reference)
    elif slash:
        query = query.where(Bot.folder == (folder or "/"), Bot.name == name)
    else:
        query = query.where(Bot.name == reference)
    found = (await session.scalars(query)).all() if reference.isprintable() else []
    if not found:
        raise NoSuchBot(f"There is no bot '{shown(reference)}'.")
    if len(found) > 1:
        folders = ", ".join(bot.folder for bot in found)
        raise AmbiguousBot(
            f"There are bots named '{shown(reference)}' in {folders}; say which, as folder/name."
        )
    return found[0]


async def find_version(session: AsyncSession, bot: Bot, number: int) -> BotVersion:
    """Return a version by its number; raise `NoSuchVersion`."""
    found = None
    if 0 < number <= bot.latest_number:
        query = select(BotVersion).where(BotVersion.bot_id == bot.id, BotVersion.number == number)
        found = await session.scalar(query)
    if found is None:
        raise NoSuchVersion(
            f"The bot '{bot.name}' has no version {number}; its newest is {bot.latest_number}."
        )
    return found


async def current_version(session: AsyncSession, bot: Bot) -> BotVersion | None:
    """Return the version that is run where none is named, None where there is none."""
    return await session.get(BotVersion, bot.current_version_id) if bot.current_version_id else None


async def version_for_run(
    session: AsyncSession, bot_ref: str, version: int | None = None, *, among: Conditions = ()
) -> tuple[Bot, BotVersion, Manifest]:
    """Return what a run needs: the bot by id or name, the version by number or the current one, its manifest.

    ``among`` keeps the search to some bots. Raises `NoSuchBot`, `AmbiguousBot`, `NoSuchVersion`, `NoCurrentVersion`
    and `VersionRetired`.
    """
    bot = await find_bot(session, bot_ref, among=among)
    found = (
        await current_version(session, bot) if version is None else await find_version(session, bot, version)
    )
    if found is None:
        raise NoCurrentVersion(f"The bot '{bot.name}' has no current version; choose one, or name a version.")
    if found.retired_at is not None:
        raise VersionRetired(
            f"Version {found.number} of the bot '{bot.name}' is retired and is not run any more."
        )
    return bot, found, manifest_of(found)


def manifest_of(version: BotVersion) -> Manifest:
    """Return what a version's package declares."""
    return msgspec.convert(version.manifest, Manifest)
