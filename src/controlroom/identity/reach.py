"""How far someone's hand reaches over others: never to rights that they do not have themselves."""

from collections.abc import Iterable

from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession

from controlroom.foundation.errors import Conflict, FieldError, Forbidden, Invalid
from controlroom.identity.caller import Caller
from controlroom.identity.models import User
from controlroom.identity.permissions import SHIPPED_ROLES, Permission, permissions_of

_LOCK = 7_203_003  # any number that no other advisory lock of ours uses


async def lock_users(session: AsyncSession) -> None:
    """Let changes to users come one after another, so that two cannot take each other's rights at once."""
    if session.get_bind().dialect.name == "postgresql":
        await session.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})


def require_known_roles(roles: Iterable[str]) -> list[str]:
    """Return the roles, each once and sorted; raise `Invalid` that names the one that does not exist."""
    wanted = list(roles)
    unknown = [
        FieldError(f"/roles/{index}", f"There is no role '{role}'; there are {', '.join(SHIPPED_ROLES)}.")
        for index, role in enumerate(wanted)
        if role not in SHIPPED_ROLES
    ]
    if unknown:
        raise Invalid(unknown[0].message, fields=tuple(unknown))
    return sorted(set(wanted))


def require_reach(caller: Caller, roles: Iterable[str]) -> None:
    """Raise `Forbidden` where roles give more rights than the caller has."""
    beyond = sorted(permissions_of(roles) - caller.permissions)
    if beyond:
        raise Forbidden(
            f"This user has or would get rights that {caller.user_name} does not have here: {', '.join(beyond)}."
        )


async def require_another_administrator(session: AsyncSession, user: User) -> None:
    """Raise `Conflict` where this is the last enabled user who may manage users."""
    if user.disabled_at is not None or Permission.USER_MANAGE not in permissions_of(user.roles):
        return
    others = await session.scalars(select(User.roles).where(User.id != user.id, User.disabled_at.is_(None)))
    if not any(Permission.USER_MANAGE in permissions_of(roles) for roles in others):
        raise Conflict(f"{user.name} is the last user who may manage users; give another that right first.")
