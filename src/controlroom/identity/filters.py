"""The conditions that keep a list, a count or a search to what its caller may see.

They go into the query itself, so that pages are full, counts are right, and nothing shows through a cursor. Where the
right holds everywhere there is no condition, and the query costs what it cost before.
"""

from collections.abc import Sequence

from sqlalchemy import ColumnElement, Select, SQLColumnExpression, and_, false, func, or_

from controlroom.identity.caller import Caller
from controlroom.identity.permissions import Permission
from controlroom.identity.places import Place, PlaceKind

Conditions = Sequence[ColumnElement[bool]]


def bots_with(
    caller: Caller,
    permission: Permission,
    *,
    bot_id: SQLColumnExpression[str],
    folder: SQLColumnExpression[str],
) -> Conditions:
    """Return what the ``WHERE`` of a query over bots needs: no condition, or one."""
    places = caller.places_with(permission)
    if places is None:
        return ()
    folders = [place.value for place in places if place.kind is PlaceKind.FOLDER]
    if "/" in folders:
        return ()
    parts = [in_folder(folder, path) for path in folders]
    ids = _values(places, PlaceKind.BOT)
    if ids:
        parts.append(bot_id.in_(ids))
    return (or_(*parts),) if parts else (false(),)


def devices_with(
    caller: Caller,
    permission: Permission,
    *,
    device_id: SQLColumnExpression[str],
    members: Select[tuple[str]],
    pool_id: SQLColumnExpression[str],
) -> Conditions:
    """Return what a query over devices needs; ``members`` selects ids of devices by the pool in ``pool_id``."""
    pools = pools_with(caller, permission, pool_id=pool_id)
    return (device_id.in_(members.where(*pools)),) if pools else ()


def pools_with(caller: Caller, permission: Permission, *, pool_id: SQLColumnExpression[str]) -> Conditions:
    """Return what the ``WHERE`` of a query over pools needs: no condition, or one."""
    places = caller.places_with(permission)
    if places is None:
        return ()
    ids = _values(places, PlaceKind.POOL)
    return (pool_id.in_(ids),) if ids else (false(),)


def in_folder(folder: SQLColumnExpression[str], path: str) -> ColumnElement[bool]:
    """Return the condition that a folder is the one at a path, or lies below it; letters' case counts.

    ``LIKE`` would not do: on SQLite it takes ``/Finance`` for ``/finance``.
    """
    if path == "/":
        return and_(True)
    below = f"{path}/"
    return or_(folder == path, func.substr(folder, 1, len(below)) == below)


def _values(places: Sequence[Place], kind: PlaceKind) -> list[str]:
    return [place.value for place in places if place.kind is kind]
