"""What one can do with API keys: make, see and revoke them."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from controlroom.audit.service import record
from controlroom.foundation.clock import Clock
from controlroom.foundation.database import Database, Transaction
from controlroom.foundation.errors import Conflict, FieldError, Invalid, NotFound
from controlroom.foundation.ids import is_id, new_id, new_secret
from controlroom.foundation.outbox import emit
from controlroom.foundation.paging import Field, Grammar, Kind, Page, PageRequest, fetch_page
from controlroom.identity.authentication import API_KEY_PREFIX, Authentication, secret_hash
from controlroom.identity.caller import Caller
from controlroom.identity.models import ApiKey, User, UserKind
from controlroom.identity.names import LONGEST_KEY_NAME, require_label
from controlroom.identity.permissions import Permission
from controlroom.identity.reach import require_reach_over
from controlroom.identity.rights import standing_of

LONGEST_LIFE = timedelta(days=366)
MOST_LIVE_KEYS = 100
"""Of one user."""

_HINT_LENGTH = 4

GRAMMAR = Grammar(
    fields={
        "name": Field(ApiKey.name, sortable=True),
        "user": Field(User.name),
        "created": Field(ApiKey.created_at, Kind.MOMENT, sortable=True),
        "expires": Field(ApiKey.expires_at, Kind.MOMENT, sortable=True),
    },
    key=ApiKey.id,
    text=(ApiKey.name,),
    default_sort="-created",
)


@dataclass(frozen=True, slots=True)
class NewApiKey:
    """A key that was just made; ``secret`` is shown this once."""

    key: ApiKey
    secret: str


class ApiKeys:
    """Keys by which programs act for a user, with some or all of the user's rights."""

    def __init__(self, database: Database, clock: Clock, authentication: Authentication) -> None:
        self._database = database
        self._clock = clock
        self._authentication = authentication

    async def page(self, caller: Caller, request: PageRequest, *, everyones: bool = False) -> Page[ApiKey]:
        """Return a page of the caller's keys, or of everyone's where they may read users."""
        query = select(ApiKey).join(User, User.id == ApiKey.user_id)
        if everyones:
            caller.require(Permission.USER_READ)
        else:
            query = query.where(ApiKey.user_id == caller.user_id)
        async with self._database.read() as session:
            return await fetch_page(session, query, GRAMMAR, request)

    async def get(self, caller: Caller, key_id: str) -> ApiKey:
        """Return a key of the caller's, or anyone's where they may read users; else raise `NotFound`."""
        async with self._database.read() as session:
            found = await session.get(ApiKey, key_id) if is_id(key_id, "key") else None
        if found is None or not (found.user_id == caller.user_id or caller.may(Permission.USER_READ)):
            raise NotFound(f"There is no API key '{key_id}'.")
        return found

    async def create(
        self,
        caller: Caller,
        *,
        name: str,
        permissions: Iterable[Permission],
        expires_at: datetime,
        user_id: str | None = None,
    ) -> NewApiKey:
        """Make a key for the caller with some of their rights, or for a service account with some of its.

        It never has more than its user has at the moment it is used. Raises `Invalid` for rights that the user lacks
        and for an end that is past or more than a year off; `Conflict` where the caller is itself an API key, which
        would outlive its own end so, or where the user is another person or has too many; `Forbidden` for a service
        account that the caller may not manage.
        """
        if user_id in (None, caller.user_id) and caller.session_id is None:
            raise Conflict("An API key cannot make another; sign in to make one.")
        label = require_label(name, pointer="/name", shortest=1, longest=LONGEST_KEY_NAME)
        wanted = sorted({permission.value for permission in permissions})
        now = self._clock.now()
        async with self._database.write() as transaction:
            session = transaction.session
            owner = await _owner(session, caller, user_id or caller.user_id)
            held = (
                caller.permissions if user_id is None else (await standing_of(session, owner)).placed.anywhere
            )
            _check_rights(wanted, held, owner.name if user_id else "")
            _check_end(expires_at, now)
            await _require_room(session, owner, now)
            key, secret = _new_key(owner.id, label, wanted, expires_at, now)
            session.add(key)
            self._tell(transaction, caller, key, owner.name, "created")
        return NewApiKey(key, secret)

    async def rotate(
        self, caller: Caller, key_id: str, *, expires_at: datetime, overlap: timedelta
    ) -> NewApiKey:
        """Make a key that takes the place of another: the same name and rights, and both count for a while.

        The old one ends after the overlap, or at its own end where that comes first. A service account's key may rotate
        itself, so that a program can keep its own going; no key of a user rotates another of theirs, which may have more
        rights. Raises `Conflict` for that and for a key that no longer counts, `NotFound` and `Forbidden` as `revoke` does.
        """
        now = self._clock.now()
        async with self._database.write() as transaction:
            session = transaction.session
            old, owner = await self._managed(session, caller, key_id)
            if (
                caller.api_key_id is not None
                and owner.id == caller.user_id
                and (old.id != caller.api_key_id or owner.kind is not UserKind.SERVICE)
            ):
                raise Conflict(
                    "Only a service account's key rotates, and only itself; sign in to rotate a key."
                )
            if old.revoked_at is not None or old.expires_at <= now:
                raise Conflict("This key no longer counts; make a new one.")
            _check_end(expires_at, now)
            await _require_room(session, owner, now)
            key, secret = _new_key(owner.id, old.name, list(old.permissions), expires_at, now)
            key.rotated_from_id = old.id
            old.expires_at = min(old.expires_at, now + overlap)
            session.add(key)
            self._tell(transaction, caller, key, owner.name, "rotated")
        self._authentication.forget(user_ids=[owner.id])
        return NewApiKey(key, secret)

    async def revoke(self, caller: Caller, key_id: str) -> None:
        """End a key of the caller's, or of a user whom the caller may manage; ending it twice changes nothing."""
        async with self._database.write() as transaction:
            key, owner = await self._managed(transaction.session, caller, key_id)
            if key.revoked_at is None:
                key.revoked_at = self._clock.now()
                self._tell(transaction, caller, key, owner.name, "revoked")
        self._authentication.forget(user_ids=[key.user_id])

    @staticmethod
    async def _managed(session: AsyncSession, caller: Caller, key_id: str) -> tuple[ApiKey, User]:
        """Return a key of the caller's, or of a user whom the caller may manage, and that user."""
        known = is_id(key_id, "key")
        key = await session.get(ApiKey, key_id, with_for_update=True) if known else None
        is_own = key is not None and key.user_id == caller.user_id
        if key is None or not (is_own or caller.may(Permission.USER_READ)):
            raise NotFound(f"There is no API key '{key_id}'.")
        owner = await session.get_one(User, key.user_id, with_for_update=True)
        if not is_own:
            caller.require(Permission.USER_MANAGE)
            await require_reach_over(session, caller, owner)
        return key, owner

    def _tell(self, transaction: Transaction, caller: Caller, key: ApiKey, owner: str, change: str) -> None:
        now = self._clock.now()
        record(
            transaction,
            time=now,
            actor=caller.actor,
            action=f"api_key.{change}",
            target_kind="api_key",
            target_id=key.id,
            target_name=key.name,
            detail={"user": owner, "permissions": key.permissions, "expires_at": key.expires_at.isoformat()},
        )
        emit(transaction, time=now, kind="api_key.changed", subject=key.id, data={"change": change})


async def _owner(session: AsyncSession, caller: Caller, user_id: str) -> User:
    """Return whose key is to be made, locked, so that two keys cannot both be the last."""
    found = await session.get(User, user_id, with_for_update=True) if is_id(user_id, "usr") else None
    if found is None:
        raise NotFound(f"There is no user '{user_id}'.")
    if found.id != caller.user_id:
        caller.require(Permission.USER_MANAGE)
        if found.kind is not UserKind.SERVICE:
            raise Conflict("People make their own keys; only a service account's are made for it.")
        await require_reach_over(session, caller, found)
    return found


async def _require_room(session: AsyncSession, owner: User, now: datetime) -> None:
    live = select(func.count()).where(
        ApiKey.user_id == owner.id, ApiKey.revoked_at.is_(None), ApiKey.expires_at > now
    )
    if (await session.scalar(live) or 0) >= MOST_LIVE_KEYS:
        raise Conflict(f"{owner.name} has {MOST_LIVE_KEYS} API keys; revoke one that is no longer used.")


def _new_key(
    user_id: str, name: str, permissions: list[str], expires_at: datetime, now: datetime
) -> tuple[ApiKey, str]:
    secret = new_secret(API_KEY_PREFIX)
    key = ApiKey(
        id=new_id("key"),
        key_hash=secret_hash(secret),
        user_id=user_id,
        name=name,
        hint=secret[-_HINT_LENGTH:],
        permissions=permissions,
        created_at=now,
        expires_at=expires_at,
        used_at=None,
        revoked_at=None,
        rotated_from_id=None,
    )
    return key, secret


def _check_rights(wanted: list[str], held: Iterable[Permission], owner: str) -> None:
    """Raise `Invalid` for no rights at all, or for some that the key's user does not have."""
    lacking = sorted(set(wanted) - {right.value for right in held})
    problem = ""
    if not wanted:
        problem = "A key needs at least one right."
    elif lacking:
        who = f"{owner} does not" if owner else "You do not"
        problem = f"{who} have these rights{'' if owner else ' yourself'}: {', '.join(lacking)}."
    if problem:
        raise Invalid(problem, fields=(FieldError("/permissions", problem),))


def _check_end(expires_at: datetime, now: datetime) -> None:
    if not now < expires_at <= now + LONGEST_LIFE:
        problem = "A key ends in the future, at most a year from now."
        raise Invalid(problem, fields=(FieldError("/expires_at", problem),))
