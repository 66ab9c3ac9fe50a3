"""How far someone's hand reaches over others: never to rights that they do not have themselves."""

from collections.abc import Iterable

from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession

from controlroom.foundation.errors import Conflict, FieldError, Forbidden, Invalid
from controlroom.identity.caller import Caller
from controlroom.identity.models import User
from controlroom.identity.permissions import Permission, RoleBook, permissions_of
from controlroom.identity.places import ROOT, FolderAt, Place, Placed, PlaceKind, Rights
from controlroom.identity.rights import read_roles, standing_of

_LOCK = 7_203_003  # any number that no other advisory lock of ours uses


async def lock_users(session: AsyncSession) -> None:
    """Let changes to users come one after another, so that two cannot take each other's rights at once."""
    if session.get_bind().dialect.name == "postgresql":
        await session.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})


def require_known_roles(roles: Iterable[str], book: RoleBook, pointer: str = "/roles/{}") -> list[str]:
    """Return the roles, each once and sorted; raise `Invalid` that names the one that does not exist."""
    wanted = list(roles)
    unknown = [
        FieldError(pointer.format(index), f"There is no role '{role}'; there are {', '.join(book)}.")
        for index, role in enumerate(wanted)
        if role not in book
    ]
    if unknown:
        raise Invalid(unknown[0].message, fields=tuple(unknown))
    return sorted(set(wanted))


def require_reach(caller: Caller, rights: Rights, place: Place = ROOT) -> None:
    """Raise `Forbidden` where rights at a place are more than the caller has there."""
    beyond = sorted(rights - rights_of(caller, place))
    if beyond:
        raise Forbidden(
            f"This user has or would get rights that {caller.user_name} does not have here: {', '.join(beyond)}."
        )


async def require_reach_over(session: AsyncSession, caller: Caller, user: User) -> Placed:
    """Raise `Forbidden` where a user has more rights than the caller, anywhere; return the user's."""
    placed = (await standing_of(session, user)).placed
    for place, rights in placed.at.items():
        require_reach(caller, rights, place)
    return placed


def rights_of(caller: Caller, place: Place) -> Rights:
    """Return the rights that a caller has at a place, those from above it included.

    For a bot that is what they have at the bot itself and everywhere, for its folder is not known here.
    """
    if caller.placed is None:
        return caller.permissions
    if place.kind is PlaceKind.FOLDER:
        return caller.placed.at_place(FolderAt(place.value))
    return caller.placed.everywhere | caller.placed.at.get(place, frozenset())


async def require_another_administrator(
    session: AsyncSession, user: User, book: RoleBook | None = None
) -> None:
    """Raise `Conflict` where this is the last enabled user who may manage users."""
    book = book or (await read_roles(session)).book
    if user.disabled_at is not None or Permission.USER_MANAGE not in permissions_of(user.roles, book):
        return
    if not await has_administrator(session, book, but=user.id):
        raise Conflict(f"{user.name} is the last user who may manage users; give another that right first.")


async def has_administrator(session: AsyncSession, book: RoleBook, *, but: str = "") -> bool:
    """Say whether an enabled user, other than one, may manage users."""
    others = await session.scalars(select(User.roles).where(User.id != but, User.disabled_at.is_(None)))
    return any(Permission.USER_MANAGE in permissions_of(roles, book) for roles in others)
