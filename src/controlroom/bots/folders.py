"""The tree of folders that bots lie in: seeing it, and moving a folder with all that is in it and the roles given at it.

A folder is a path; it is there while a bot lies in it or below it, or a role is given at it.
"""

from collections import Counter
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Select, func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from controlroom.audit import service as audit
from controlroom.bots.models import Bot
from controlroom.bots.names import LONGEST_FOLDER, folder_path
from controlroom.bots.publishing import touch
from controlroom.bots.rights import bots_for
from controlroom.foundation import outbox
from controlroom.foundation.database import Transaction
from controlroom.foundation.errors import Conflict, FieldError, Invalid, NotFound
from controlroom.identity.caller import Caller
from controlroom.identity.filters import in_folder
from controlroom.identity.models import RoleAssignment
from controlroom.identity.permissions import Permission
from controlroom.identity.places import FolderAt, PlaceKind


@dataclass(frozen=True, slots=True)
class Folder:
    """A folder, how many bots lie in it, and how many in it and below it together."""

    path: str
    bots: int
    bots_in_all: int


async def list_folders(session: AsyncSession, caller: Caller) -> list[Folder]:
    """Return the tree of folders with bots that the caller may see, by path, those above them included."""
    caller.require(Permission.BOT_READ)
    query = (
        select(Bot.folder, func.count()).where(*bots_for(caller, Permission.BOT_READ)).group_by(Bot.folder)
    )
    direct = {row[0]: row[1] for row in await session.execute(query)}
    in_all: Counter[str] = Counter()
    for path, count in direct.items():
        for above in _with_those_above(path):
            in_all[above] += count
    return [Folder(path, direct.get(path, 0), in_all[path]) for path in sorted(in_all)]


async def move_folder(transaction: Transaction, caller: Caller, path: str, to: str, *, now: datetime) -> int:
    """Move a folder with its bots, the folders below it and the roles given there; return how many bots moved.

    Needs `bot.manage` and `rights.manage` at both places, for who may see the bots changes with it. Raises `NotFound`
    where there is no such folder, `Conflict` where a bot of one name is there already, `Invalid` for the root and for a
    place below the folder itself.
    """
    path, to = folder_path(path), folder_path(to)
    _require_movable(path, to)
    for at in (FolderAt(path), FolderAt(to)):
        caller.require(Permission.BOT_MANAGE, at)
        caller.require(Permission.RIGHTS_MANAGE, at)
    session = transaction.session
    moved = (
        await session.scalars(select(Bot).where(in_folder(Bot.folder.expression, path)).with_for_update())
    ).all()
    given = (await session.scalars(_given_at(path))).all()
    if not moved and not given:
        raise NotFound(f"There is no folder '{path}'.")
    for bot in moved:
        bot.folder = _moved(bot.folder, path, to)
        touch(bot, now)
        data = {"name": bot.name, "folder": bot.folder}
        outbox.emit(transaction, time=now, kind="bot.edited", subject=bot.id, data=data)
    for assignment in given:
        assignment.place = _moved(assignment.place, path, to)
    try:
        await session.flush()
    except IntegrityError:
        message = f"{to} holds a bot of the same name, or a role given to the same user, as {path}."
        raise Conflict(
            f"The folder cannot be moved: {message}", fields=(FieldError("/to", message),)
        ) from None
    audit.record(
        transaction,
        time=now,
        actor=caller.actor,
        action="folder.moved",
        target_kind="folder",
        target_id="",
        target_name=path[:200],
        detail={"from": path, "to": to, "bots": len(moved), "roles": len(given)},
    )
    return len(moved)


def _require_movable(path: str, to: str) -> None:
    problem = ""
    if path == "/":
        problem = "The root cannot be moved."
    elif to == path or to.startswith(f"{path}/"):
        problem = "A folder cannot be moved into itself."
    if problem:
        raise Invalid(problem, fields=(FieldError("/to", problem),))


def _given_at(path: str) -> Select[RoleAssignment]:
    return select(RoleAssignment).where(
        RoleAssignment.kind == PlaceKind.FOLDER, in_folder(RoleAssignment.place.expression, path)
    )


def _moved(place: str, path: str, to: str) -> str:
    below = place[len(path) :]
    new = (to.rstrip("/") + below) or "/"
    if len(new) > LONGEST_FOLDER:
        message = f"{new[:80]}… is longer than {LONGEST_FOLDER} characters"
        raise Invalid(f"The folder cannot be moved: {message}.", fields=(FieldError("/to", message),))
    return new


def _with_those_above(path: str) -> list[str]:
    found = ["/"]
    parts = [part for part in path.split("/") if part]
    found += ["/" + "/".join(parts[:count]) for count in range(1, len(parts) + 1)]
    return found
