"""What one can do with users: find, create, edit, disable, give a new password."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, String, cast, func, select
from sqlalchemy.exc import IntegrityError

from controlroom.audit.actor import Actor
from controlroom.audit.service import record
from controlroom.foundation.clock import Clock
from controlroom.foundation.database import Database, Transaction
from controlroom.foundation.errors import Conflict, FieldError, Invalid, NotFound
from controlroom.foundation.ids import is_id, new_id
from controlroom.foundation.outbox import emit
from controlroom.foundation.paging import Field, Grammar, Kind, Page, PageRequest, fetch_page
from controlroom.identity.authentication import Authentication
from controlroom.identity.caller import Caller
from controlroom.identity.live_sessions import end_sessions
from controlroom.identity.models import User, UserKind
from controlroom.identity.names import LONGEST_DISPLAY_NAME, folded_name, require_label, require_name
from controlroom.identity.passwords import PasswordHasher, PasswordPolicy
from controlroom.identity.permissions import Permission, permissions_of
from controlroom.identity.reach import (
    lock_users,
    require_another_administrator,
    require_known_roles,
    require_reach,
    require_reach_over,
)
from controlroom.identity.rights import read_roles
from controlroom.identity.zones import require_zone

_STATES = ("enabled", "disabled")


def _in_state(state: str) -> ColumnElement[bool]:
    if state not in _STATES:
        message = f"'state' is one of {', '.join(_STATES)}, not '{state}'."
        raise Invalid(message, fields=(FieldError("/filter", message),))
    return User.disabled_at.is_(None) if state == "enabled" else User.disabled_at.is_not(None)


def _has_role(role: str) -> ColumnElement[bool]:
    return cast(User.roles, String).contains(f'"{role}"', autoescape=True)


GRAMMAR = Grammar(
    fields={
        "name": Field(User.name, sortable=True),
        "display_name": Field(User.display_name, sortable=True),
        "created": Field(User.created_at, Kind.MOMENT, sortable=True),
        "updated": Field(User.updated_at, Kind.MOMENT, sortable=True),
        "role": Field(User.name, matches=_has_role),
        "state": Field(User.name, matches=_in_state),
        "kind": Field(User.kind, Kind.CHOICE, tuple(UserKind)),
    },
    key=User.id,
    text=(User.name, User.display_name),
    default_sort="name",
)


@dataclass(frozen=True, slots=True)
class PasswordGiven:
    """A user with a new password; ``generated`` holds it, this once, where the server made it up."""

    user: User
    generated: str | None


RevisionCheck = Callable[[int], None]
"""Raises where an edit was not made from the present revision."""


class Accounts:
    """Users of the Control Room."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        authentication: Authentication,
        hasher: PasswordHasher,
        policy: PasswordPolicy,
    ) -> None:
        self._database = database
        self._clock = clock
        self._authentication = authentication
        self._hasher = hasher
        self._policy = policy

    async def page(self, request: PageRequest) -> Page[User]:
        """Return a page of users, by name where nothing else is asked for."""
        async with self._database.read() as session:
            return await fetch_page(session, select(User), GRAMMAR, request)

    async def get(self, user_id: str) -> User:
        """Return a user; raise `NotFound` where there is none."""
        async with self._database.read() as session:
            return _found(await session.get(User, user_id) if is_id(user_id, "usr") else None, user_id)

    async def by_name(self, name: str) -> User:
        """Return the user who signs in with a name; raise `NotFound` where there is none."""
        async with self._database.read() as session:
            return _found(await session.scalar(select(User).where(User.name == folded_name(name))), name)

    async def count(self) -> int:
        """Return how many users there are, disabled ones included."""
        async with self._database.read() as session:
            return await session.scalar(select(func.count()).select_from(User)) or 0

    async def create(
        self,
        caller: Caller,
        *,
        name: str,
        roles: Iterable[str],
        display_name: str = "",
        password: str | None = None,
        kind: UserKind = UserKind.PERSON,
        only_if_none: bool = False,
    ) -> PasswordGiven:
        """Create a user; without a password one is made up, but for a service account, which has none.

        Who gets a password that was made up must change it first; not so the first administrator, who made it.

        Raises `Conflict` where the name is taken, or where there is any user at all and ``only_if_none`` is set;
        `Invalid` or `WeakPassword` for what cannot stand; `Forbidden` for roles with more rights than the caller has.
        """
        name = require_name(name)
        display_name = _display_name(display_name)
        async with self._database.read() as session:
            book = (await read_roles(session)).book
        roles = require_known_roles(roles, book)
        require_reach(caller, permissions_of(roles, book))
        secret = self._first_secret(kind, password, name)
        password_hash = None if secret is None else await self._hasher.hash(secret)
        now = self._clock.now()
        user = User(
            id=new_id("usr"),
            name=name,
            display_name=display_name,
            password_hash=password_hash,
            roles=roles,
            kind=kind,
            time_zone="",
            disabled_at=None,
            password_changed_at=now,
            must_change_password=secret is not None and password is None and not only_if_none,
            created_at=now,
            updated_at=now,
            revision=1,
        )
        async with self._database.write() as transaction:
            session = transaction.session
            await lock_users(session)
            if only_if_none and await session.scalar(select(User.id).limit(1)):
                raise Conflict("There are users already; a first administrator is not needed.")
            session.add(user)
            try:
                await session.flush()
            except IntegrityError:
                message = f"There is a user '{name}' already."
                raise Conflict(message, fields=(FieldError("/name", message),)) from None
            self._tell(transaction, caller.actor, user, "created", {"roles": roles, "kind": kind})
        return PasswordGiven(user, secret if password is None else None)

    async def edit(
        self,
        caller: Caller,
        user_id: str,
        *,
        display_name: str | None = None,
        roles: Iterable[str] | None = None,
        check_revision: RevisionCheck | None = None,
    ) -> User:
        """Change what is given and leave the rest; ``check_revision`` may refuse the present revision.

        Raises `Forbidden` where the user has, or would get, more rights than the caller, `Conflict` where nobody who
        may manage users would be left.
        """
        async with self._database.write() as transaction:
            book = (await read_roles(transaction.session)).book
            wanted = None if roles is None else require_known_roles(roles, book)
            user = await self._locked(transaction, caller, user_id)
            if check_revision:
                check_revision(user.revision)
            changes: dict[str, Any] = {}
            if display_name is not None and _display_name(display_name) != user.display_name:
                changes["display_name"] = [user.display_name, _display_name(display_name)]
                user.display_name = _display_name(display_name)
            if wanted is not None and wanted != sorted(user.roles):
                require_reach(caller, permissions_of(wanted, book))
                if Permission.USER_MANAGE not in permissions_of(wanted, book):
                    await require_another_administrator(transaction.session, user, book)
                changes["roles"] = [user.roles, wanted]
                user.roles = wanted
            if changes:
                self._tell(transaction, caller.actor, user, "changed", changes)
        self._authentication.forget(user_ids=[user_id])
        return user

    async def set_time_zone(self, caller: Caller, time_zone: str) -> User:
        """Choose the zone in which times are shown to the caller; empty for the browser's own."""
        wanted = require_zone(time_zone)
        async with self._database.write() as transaction:
            user = _found(
                await transaction.session.get(User, caller.user_id, with_for_update=True), caller.user_id
            )
            if user.time_zone != wanted:
                before, user.time_zone = user.time_zone, wanted
                self._tell(transaction, caller.actor, user, "changed", {"time_zone": [before, wanted]})
        self._authentication.forget(user_ids=[caller.user_id])
        return user

    async def disable(self, caller: Caller, user_id: str) -> User:
        """Keep a user out: their sessions end and their API keys no longer count. Disabling twice changes nothing."""
        if user_id == caller.user_id:
            raise Conflict("You cannot disable yourself; ask another administrator.")
        async with self._database.write() as transaction:
            user = await self._locked(transaction, caller, user_id)
            if user.disabled_at is None:
                await require_another_administrator(transaction.session, user)
                user.disabled_at = self._clock.now()
                ended = await end_sessions(transaction.session, user.id, self._clock.now())
                self._tell(transaction, caller.actor, user, "disabled", {"sessions_ended": ended})
        self._authentication.forget(user_ids=[user_id])
        return user

    async def enable(self, caller: Caller, user_id: str) -> User:
        """Let a disabled user in again; their old sessions stay ended."""
        async with self._database.write() as transaction:
            user = await self._locked(transaction, caller, user_id)
            if user.disabled_at is not None:
                user.disabled_at = None
                self._tell(transaction, caller.actor, user, "enabled", {})
        self._authentication.forget(user_ids=[user_id])
        return user

    async def reset_password(
        self, caller: Caller, user_id: str, password: str | None = None
    ) -> PasswordGiven:
        """Give another user a new password, made up where none is given; ends all their sessions."""
        if user_id == caller.user_id:
            raise Conflict("Change your own password with the present one, under your account.")
        user = await self.get(user_id)
        if user.kind is UserKind.SERVICE:
            raise Conflict(f"{user.name} is a service account and has no password; make a key for it.")
        async with self._database.read() as session:
            await require_reach_over(session, caller, user)
        secret = self._checked(password, user.name)
        password_hash = await self._hasher.hash(secret)
        async with self._database.write() as transaction:
            user = await self._locked(transaction, caller, user_id)
            user.password_hash = password_hash
            user.password_changed_at = self._clock.now()
            user.must_change_password = password is None
            ended = await end_sessions(transaction.session, user.id, self._clock.now())
            self._tell(transaction, caller.actor, user, "password_reset", {"sessions_ended": ended})
        self._authentication.forget(user_ids=[user_id])
        return PasswordGiven(user, secret if password is None else None)

    def _first_secret(self, kind: UserKind, password: str | None, name: str) -> str | None:
        if kind is UserKind.PERSON:
            return self._checked(password, name)
        if password is not None:
            message = "A service account has no password; make a key for it."
            raise Invalid(message, fields=(FieldError("/password", message),))
        return None

    def _checked(self, password: str | None, name: str) -> str:
        if password is None:
            return self._policy.generate()
        self._policy.check(password, user_name=name)
        return password

    async def _locked(self, transaction: Transaction, caller: Caller, user_id: str) -> User:
        session = transaction.session
        await lock_users(session)
        known = is_id(user_id, "usr")
        user = _found(await session.get(User, user_id, with_for_update=True) if known else None, user_id)
        await require_reach_over(session, caller, user)
        return user

    def _tell(
        self, transaction: Transaction, actor: Actor, user: User, change: str, detail: Mapping[str, Any]
    ) -> None:
        now = self._clock.now()
        if change != "created":
            user.revision += 1
            user.updated_at = now
        record(
            transaction,
            time=now,
            actor=actor,
            action=f"user.{change}",
            target_kind="user",
            target_id=user.id,
            target_name=user.name,
            detail=detail,
        )
        emit(transaction, time=now, kind="user.changed", subject=user.id, data={"change": change})


def _display_name(name: str) -> str:
    return require_label(name, pointer="/display_name", shortest=0, longest=LONGEST_DISPLAY_NAME)


def _found(user: User | None, wanted: str) -> User:
    if user is None:
        raise NotFound(f"There is no user '{wanted}'.")
    return user
