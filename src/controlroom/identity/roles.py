"""What one can do with roles: see them, make one's own, and say which of them ask for a second factor."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import String, cast, func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from controlroom.audit.service import record
from controlroom.foundation.clock import Clock
from controlroom.foundation.database import Database, Transaction
from controlroom.foundation.errors import Conflict, FieldError, Forbidden, Invalid, NotFound
from controlroom.foundation.outbox import emit
from controlroom.identity.authentication import Authentication
from controlroom.identity.caller import Caller
from controlroom.identity.models import Role, RoleAssignment, User
from controlroom.identity.names import require_label, require_name
from controlroom.identity.permissions import (
    SHIPPED_MEANINGS,
    SHIPPED_ROLES,
    Permission,
    known_permissions,
)
from controlroom.identity.reach import has_administrator, lock_users
from controlroom.identity.rights import read_roles

MOST_ROLES = 200
LONGEST_DESCRIPTION = 500


@dataclass(frozen=True, slots=True)
class RoleView:
    """A role as people see it; ``revision`` is 0 for a shipped role of which nothing was ever said."""

    name: str
    description: str
    permissions: frozenset[Permission]
    requires_second_factor: bool
    is_shipped: bool
    revision: int


@dataclass(frozen=True, slots=True)
class RoleEdit:
    """What to change of a role; what is None stays."""

    description: str | None = None
    permissions: Iterable[Permission] | None = None
    requires_second_factor: bool | None = None


class RoleService:
    """Roles: the shipped ones, and those that an organisation makes for itself."""

    def __init__(self, database: Database, clock: Clock, authentication: Authentication) -> None:
        self._database = database
        self._clock = clock
        self._authentication = authentication

    async def all(self) -> list[RoleView]:
        """Return every role, the shipped ones first, then one's own by name."""
        async with self._database.read() as session:
            rows = {role.name: role for role in await session.scalars(select(Role).order_by(Role.name))}
        shipped = [_view(name, rows.get(name)) for name in SHIPPED_ROLES]
        return [*shipped, *(_view(name, row) for name, row in rows.items() if name not in SHIPPED_ROLES)]

    async def get(self, name: str) -> RoleView:
        """Return a role; raise `NotFound` where there is none."""
        async with self._database.read() as session:
            row = await session.get(Role, name)
        if row is None and name not in SHIPPED_ROLES:
            raise NotFound(f"There is no role '{name}'.")
        return _view(name, row)

    async def create(
        self,
        caller: Caller,
        *,
        name: str,
        permissions: Iterable[Permission],
        description: str = "",
        requires_second_factor: bool = False,
    ) -> RoleView:
        """Make a role; raise `Conflict` for a name that is taken, `Forbidden` for rights that the caller lacks."""
        caller.require_everywhere(Permission.ROLE_MANAGE)
        name, rights = require_name(name), _own_rights(caller, permissions)
        now = self._clock.now()
        role = Role(
            name=name,
            description=_description(description),
            permissions=sorted(rights),
            requires_second_factor=requires_second_factor,
            created_at=now,
            updated_at=now,
            revision=1,
        )
        taken = f"There is a role '{name}' already."
        if name in SHIPPED_ROLES:
            raise Conflict(taken, fields=(FieldError("/name", taken),))
        async with self._database.write() as transaction:
            session = transaction.session
            await lock_users(session)
            if (await session.scalar(select(func.count()).select_from(Role)) or 0) >= MOST_ROLES:
                raise Conflict(f"There are {MOST_ROLES} roles; remove one that nobody has.")
            session.add(role)
            try:
                await session.flush()
            except IntegrityError:
                raise Conflict(taken, fields=(FieldError("/name", taken),)) from None
            detail = {"permissions": role.permissions, "requires_second_factor": requires_second_factor}
            self._tell(transaction, caller, name, "created", detail)
        return _view(name, role)

    async def edit(
        self, caller: Caller, name: str, edit: RoleEdit, *, check_revision: Callable[[int], None]
    ) -> RoleView:
        """Change a role, for everyone who has it, at once; of a shipped one only whether it asks for a second factor.

        Raises `Forbidden` where the role has, or would get, rights that the caller lacks; `Conflict` where nobody who
        may manage users would be left.
        """
        caller.require_everywhere(Permission.ROLE_MANAGE)
        async with self._database.write() as transaction:
            session = transaction.session
            await lock_users(session)
            role = await session.get(Role, name, with_for_update=True)
            if role is None and name not in SHIPPED_ROLES:
                raise NotFound(f"There is no role '{name}'.")
            check_revision(role.revision if role else 0)
            if role is None:
                role = self._shipped(name)
                session.add(role)
            changes = _changes(caller, role, edit)
            if changes:
                for field, (_, after) in changes.items():
                    setattr(role, field, after)
                role.revision, role.updated_at = role.revision + 1, self._clock.now()
                await session.flush()
                if Permission.USER_MANAGE in changes.get("permissions", ((), ()))[0]:
                    await self._require_administrator(session)
                self._tell(
                    transaction, caller, name, "changed", {key: list(pair) for key, pair in changes.items()}
                )
        self._authentication.forget_all()
        return _view(name, role)

    async def delete(self, caller: Caller, name: str) -> None:
        """Remove a role of one's own; raise `Conflict` while anyone has it."""
        caller.require_everywhere(Permission.ROLE_MANAGE)
        if name in SHIPPED_ROLES:
            raise Conflict(f"The role '{name}' ships with the product and stays.")
        async with self._database.write() as transaction:
            session = transaction.session
            await lock_users(session)
            role = await session.get(Role, name, with_for_update=True)
            if role is None:
                raise NotFound(f"There is no role '{name}'.")
            holders = await _holders(session, name)
            if holders:
                raise Conflict(f"The role '{name}' is given {holders} times; take it from everyone first.")
            await session.delete(role)
            self._tell(transaction, caller, name, "deleted", {"permissions": role.permissions})
        self._authentication.forget_all()

    def _shipped(self, name: str) -> Role:
        now = self._clock.now()
        return Role(
            name=name,
            description="",
            permissions=None,
            requires_second_factor=False,
            created_at=now,
            updated_at=now,
            revision=0,
        )

    @staticmethod
    async def _require_administrator(session: AsyncSession) -> None:
        if not await has_administrator(session, (await read_roles(session)).book):
            raise Conflict("Nobody would be left who may manage users.")

    def _tell(
        self, transaction: Transaction, caller: Caller, name: str, change: str, detail: Mapping[str, Any]
    ) -> None:
        now = self._clock.now()
        record(
            transaction,
            time=now,
            actor=caller.actor,
            action=f"role.{change}",
            target_kind="role",
            target_id=name,
            target_name=name,
            detail=detail,
        )
        emit(transaction, time=now, kind="user.changed", subject="", data={"change": "role"})


def _view(name: str, row: Role | None) -> RoleView:
    is_shipped = name in SHIPPED_ROLES
    own = known_permissions((row.permissions or ()) if row else ())
    return RoleView(
        name=name,
        description=SHIPPED_MEANINGS[name] if is_shipped else (row.description if row else ""),
        permissions=SHIPPED_ROLES[name] if is_shipped else own,
        requires_second_factor=bool(row and row.requires_second_factor),
        is_shipped=is_shipped,
        revision=row.revision if row else 0,
    )


def _changes(caller: Caller, role: Role, edit: RoleEdit) -> dict[str, tuple[Any, Any]]:
    wanted: dict[str, Any] = {}
    if edit.description is not None:
        wanted["description"] = _description(edit.description)
    if role.name in SHIPPED_ROLES and (edit.description, edit.permissions) != (None, None):
        raise Conflict(
            f"The role '{role.name}' ships with the product; only whether it asks for a second factor can be changed."
        )
    if edit.permissions is not None:
        _own_rights(caller, known_permissions(role.permissions or ()))
        wanted["permissions"] = sorted(right.value for right in _own_rights(caller, edit.permissions))
    if edit.requires_second_factor is not None:
        wanted["requires_second_factor"] = edit.requires_second_factor
    return {
        field: (getattr(role, field), value)
        for field, value in wanted.items()
        if getattr(role, field) != value
    }


def _own_rights(caller: Caller, permissions: Iterable[Permission]) -> frozenset[Permission]:
    rights = frozenset(permissions)
    if not rights:
        message = "A role needs at least one right."
        raise Invalid(message, fields=(FieldError("/permissions", message),))
    beyond = sorted(rights - caller.everywhere)
    if beyond:
        raise Forbidden(f"This role has or would get rights that you do not have: {', '.join(beyond)}.")
    return rights


def _description(text: str) -> str:
    return require_label(text, pointer="/description", shortest=0, longest=LONGEST_DESCRIPTION)


async def _holders(session: AsyncSession, name: str) -> int:
    at_root = cast(User.roles, String).contains(f'"{name}"', autoescape=True)
    everywhere = await session.scalar(select(func.count()).select_from(User).where(at_root)) or 0
    placed = select(func.count()).select_from(RoleAssignment).where(RoleAssignment.role == name)
    return everywhere + (await session.scalar(placed) or 0)
