"""Finds the bots and pools that rights attach to, by what people call them.

The rooms of bots and devices stand above this one and cannot be asked, so this reads the three columns that say where
a thing is.
"""

import unicodedata

from sqlalchemy import column, or_, select, table
from sqlalchemy.ext.asyncio import AsyncSession

from controlroom.foundation.errors import FieldError, Invalid, NotFound
from controlroom.identity.places import EVERYWHERE, ROOT, At, BotAt, FolderAt, Place, PlaceKind, PoolsAt

_LONGEST = 400
_bots = table("bots", column("id"), column("name"), column("folder"))
_pools = table("device_pools", column("id"), column("name"))


async def find_place(
    session: AsyncSession, kind: PlaceKind, reference: str, *, pointer: str = "/place"
) -> tuple[Place, At]:
    """Return a place by its kind and what people call it, and where it lies.

    A folder is called by its path, whether a bot is in it or not; a bot by its id, name or folder and name; a pool by
    its id or name. Raises `NotFound`, or `Invalid` for a path that is none or a name that several bots have.
    """
    if not reference.isprintable() or len(reference) > _LONGEST:
        raise _refused(f"'{reference[:60]}' is no name of a {kind.value}.", pointer)
    match kind:
        case PlaceKind.ROOT:
            return ROOT, EVERYWHERE
        case PlaceKind.FOLDER:
            path = folder_of(reference, pointer=pointer)
            return Place(kind, path), FolderAt(path)
        case PlaceKind.BOT:
            return await _bot(session, reference, pointer)
        case PlaceKind.POOL:
            return await _pool(session, reference)


async def names_of(session: AsyncSession, places: set[Place]) -> dict[Place, str]:
    """Return what people call some places: a bot by folder and name, a pool by its name."""
    names = {place: place.value for place in places}
    bots = [place.value for place in places if place.kind is PlaceKind.BOT]
    pools = [place.value for place in places if place.kind is PlaceKind.POOL]
    if bots:
        for id_, name, folder in await session.execute(select(_bots).where(_bots.c.id.in_(bots))):
            names[Place(PlaceKind.BOT, id_)] = f"{folder.rstrip('/')}/{name}"
    if pools:
        for id_, name in await session.execute(select(_pools).where(_pools.c.id.in_(pools))):
            names[Place(PlaceKind.POOL, id_)] = name
    return names


def folder_of(text: str, *, pointer: str = "/place") -> str:
    """Return a folder's path in its one form; raise `Invalid` where it does not begin with ``/``."""
    path = unicodedata.normalize("NFC", text)
    if not path.startswith("/"):
        raise _refused(f"A folder is a path such as /finance, not '{text}'.", pointer)
    return "/" + "/".join(part.strip() for part in path.split("/") if part.strip())


async def _bot(session: AsyncSession, reference: str, pointer: str) -> tuple[Place, At]:
    folder, slash, name = reference.rpartition("/")
    query = select(_bots).where(or_(_bots.c.id == reference, _bots.c.name == reference)).limit(2)
    if slash:
        query = select(_bots).where(_bots.c.folder == (folder or "/"), _bots.c.name == name)
    found = (await session.execute(query)).all()
    if not found:
        raise NotFound(f"There is no bot '{reference}'.")
    if len(found) > 1:
        raise _refused(f"Several folders have a bot '{reference}'; say which, as folder/name.", pointer)
    id_, _, folder = found[0]
    return Place(PlaceKind.BOT, id_), BotAt(id_, folder)


async def _pool(session: AsyncSession, reference: str) -> tuple[Place, At]:
    query = select(_pools.c.id).where(or_(_pools.c.id == reference, _pools.c.name == reference))
    pool_id = await session.scalar(query.limit(1))
    if pool_id is None:
        raise NotFound(f"There is no device pool '{reference}'.")
    return Place(PlaceKind.POOL, pool_id), PoolsAt(frozenset({pool_id}))


def _refused(message: str, pointer: str) -> Invalid:
    return Invalid(message, fields=(FieldError(pointer, message),))
