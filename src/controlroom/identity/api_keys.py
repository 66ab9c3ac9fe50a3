"""What one can do with API keys: make, see and revoke them."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import func, select

from controlroom.audit.service import record
from controlroom.foundation.clock import Clock
from controlroom.foundation.database import Database, Transaction
from controlroom.foundation.errors import Conflict, FieldError, Invalid, NotFound
from controlroom.foundation.ids import is_id, new_id, new_secret
from controlroom.foundation.outbox import emit
from controlroom.foundation.paging import Field, Grammar, Kind, Page, PageRequest, fetch_page
from controlroom.identity.authentication import API_KEY_PREFIX, Authentication, secret_hash
from controlroom.identity.caller import Caller
from controlroom.identity.models import ApiKey, User
from controlroom.identity.names import LONGEST_KEY_NAME, require_label
from controlroom.identity.permissions import Permission
from controlroom.identity.reach import require_reach_over

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
        self, caller: Caller, *, name: str, permissions: Iterable[Permission], expires_at: datetime
    ) -> NewApiKey:
        """Make a key for the caller with some of their rights.

        It never has more than its user has at the moment it is used. Raises `Invalid` for rights that the caller lacks
        and for an end that is past or more than a year off; `Conflict` where the caller is itself an API key, which
        would outlive its own end so, or has too many.
        """
        if caller.session_id is None:
            raise Conflict("An API key cannot make another; sign in to make one.")
        wanted = sorted({permission.value for permission in permissions})
        now = self._clock.now()
        self._check(caller, wanted, expires_at, now)
        secret = new_secret(API_KEY_PREFIX)
        key = ApiKey(
            id=new_id("key"),
            key_hash=secret_hash(secret),
            user_id=caller.user_id,
            name=require_label(name, pointer="/name", shortest=1, longest=LONGEST_KEY_NAME),
            hint=secret[-_HINT_LENGTH:],
            permissions=wanted,
            created_at=now,
            expires_at=expires_at,
            used_at=None,
            revoked_at=None,
        )
        async with self._database.write() as transaction:
            session = transaction.session
            await session.get(
                User, caller.user_id, with_for_update=True
            )  # so that two cannot both be the last
            live = select(func.count()).where(
                ApiKey.user_id == caller.user_id, ApiKey.revoked_at.is_(None), ApiKey.expires_at > now
            )
            if (await session.scalar(live) or 0) >= MOST_LIVE_KEYS:
                raise Conflict(f"You have {MOST_LIVE_KEYS} API keys; revoke one that is no longer used.")
            session.add(key)
            self._tell(transaction, caller, key, caller.user_name, "created")
        return NewApiKey(key, secret)

    async def revoke(self, caller: Caller, key_id: str) -> None:
        """End a key of the caller's, or of a user whom the caller may manage; ending it twice changes nothing."""
        async with self._database.write() as transaction:
            session = transaction.session
            known = is_id(key_id, "key")
            key = await session.get(ApiKey, key_id, with_for_update=True) if known else None
            is_own = key is not None and key.user_id == caller.user_id
            if key is None or not (is_own or caller.may(Permission.USER_READ)):
                raise NotFound(f"There is no API key '{key_id}'.")
            owner = await session.get_one(User, key.user_id)
            if not is_own:
                caller.require(Permission.USER_MANAGE)
                await require_reach_over(session, caller, owner)
            if key.revoked_at is None:
                key.revoked_at = self._clock.now()
                self._tell(transaction, caller, key, owner.name, "revoked")
        self._authentication.forget(user_ids=[key.user_id])

    def _check(self, caller: Caller, wanted: list[str], expires_at: datetime, now: datetime) -> None:
        lacking = sorted(set(wanted) - {right.value for right in caller.permissions})
        problem, pointer = "", "/permissions"
        if not wanted:
            problem = "A key needs at least one right."
        elif lacking:
            problem = f"You do not have these rights yourself: {', '.join(lacking)}."
        elif not now < expires_at <= now + LONGEST_LIFE:
            problem, pointer = "A key ends in the future, at most a year from now.", "/expires_at"
        if problem:
            raise Invalid(problem, fields=(FieldError(pointer, problem),))

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
