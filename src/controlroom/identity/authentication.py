"""Finds out whose session or API key a request carries, cheaply: what was found is remembered for a few seconds.

A change made through this process counts at once. A change made on another node counts here within
`REMEMBERED_SECONDS`; that is the price of not asking the database at each request.
"""

import hashlib
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy import select

from controlroom.audit.actor import Actor, ActorKind
from controlroom.foundation.clock import Clock
from controlroom.foundation.database import Database
from controlroom.foundation.live_settings import LiveSettings
from controlroom.identity.caller import Caller
from controlroom.identity.models import ApiKey, Session, User
from controlroom.identity.permissions import Permission, known_permissions
from controlroom.identity.places import Placed
from controlroom.identity.rights import standing_of
from controlroom.identity.usage import UsageNotes

REMEMBERED_SECONDS = 5
"""How long a signed-out session or a withdrawn right may still count on another node."""

API_KEY_PREFIX = "crk"
_MOST_REMEMBERED = 20_000
_LONGEST_SECRET = 200


@dataclass(frozen=True, slots=True)
class Identity:
    """Whom a secret belongs to and what they may do, apart from any one request."""

    user_id: str
    user_name: str
    display_name: str
    placed: Placed
    actor_kind: ActorKind
    actor_id: str
    actor_name: str
    ends_at: datetime
    session_id: str | None = None
    api_key_id: str | None = None
    csrf_token: str = field(default="", repr=False)
    time_zone: str = ""
    must_enrol: bool = False
    must_change_password: bool = False

    @property
    def permissions(self) -> frozenset[Permission]:
        """The rights that they have at one place or another."""
        return self.placed.anywhere

    def caller(self, *, address: str, request_id: str) -> Caller:
        """Return the caller of one request."""
        return Caller(
            actor=Actor(self.actor_kind, self.actor_id, self.actor_name, address, request_id),
            user_id=self.user_id,
            user_name=self.user_name,
            permissions=self.permissions,
            session_id=self.session_id,
            api_key_id=self.api_key_id,
            display_name=self.display_name,
            csrf_token=self.csrf_token,
            placed=self.placed,
            time_zone=self.time_zone,
            must_enrol=self.must_enrol,
            must_change_password=self.must_change_password,
        )


@dataclass(frozen=True, slots=True)
class _Remembered:
    identity: Identity
    until: datetime


class Authentication:
    """Tells whom a session's or an API key's secret belongs to."""

    def __init__(self, database: Database, clock: Clock, live: LiveSettings, usage: UsageNotes) -> None:
        self._database = database
        self._clock = clock
        self._live = live
        self._usage = usage
        self._remembered: OrderedDict[str, _Remembered] = OrderedDict()
        self._changes = 0

    async def by_session(self, token: str, *, is_use: bool = True) -> Identity | None:
        """Return whose session this is, or None where it is unknown, ended or too old.

        Without ``is_use`` the session is looked at and not used: its idle time runs on.
        """
        return await self._find(f"s{secret_hash(token)}", self._read_session, is_use)

    async def by_api_key(self, key: str, *, is_use: bool = True) -> Identity | None:
        """Return whose API key this is, or None where it is unknown, revoked or expired."""
        if not key.startswith(f"{API_KEY_PREFIX}_") or len(key) > _LONGEST_SECRET:
            return None
        return await self._find(f"k{secret_hash(key)}", self._read_api_key, is_use)

    def forget(self, *, user_ids: Iterable[str]) -> None:
        """Ask the database anew for these users' sessions and keys; called after each change of theirs."""
        self._changes += 1
        changed = set(user_ids)
        gone = [key for key, kept in self._remembered.items() if kept.identity.user_id in changed]
        for key in gone:
            del self._remembered[key]

    def forget_all(self) -> None:
        """Ask the database anew for everyone; called after a change of what a role holds."""
        self._changes += 1
        self._remembered.clear()

    def forget_session(self, token: str) -> None:
        """Ask the database anew for one session, whoever it belongs to."""
        self._changes += 1
        self._remembered.pop(f"s{secret_hash(token)}", None)

    async def _find(
        self, key: str, read: Callable[[str], Awaitable[Identity | None]], is_use: bool
    ) -> Identity | None:
        now = self._clock.now()
        kept = self._remembered.get(key)
        if kept is None or kept.until <= now:
            changes = self._changes
            found = await read(key[1:])
            if found is None:
                return None
            kept = _Remembered(found, now + timedelta(seconds=REMEMBERED_SECONDS))
            if changes == self._changes:  # what was read may be older than a change made meanwhile
                self._remember(key, kept)
        identity = kept.identity
        if identity.ends_at <= now:
            return None
        if is_use:
            self._usage.note(session_id=identity.session_id, api_key_id=identity.api_key_id)
        return identity

    def _remember(self, key: str, kept: _Remembered) -> None:
        self._remembered[key] = kept
        self._remembered.move_to_end(key)
        while len(self._remembered) > _MOST_REMEMBERED:
            self._remembered.popitem(last=False)

    async def _read_session(self, token_hash: str) -> Identity | None:
        query = (
            select(Session, User)
            .join(User, User.id == Session.user_id)
            .where(Session.token_hash == token_hash, Session.ended_at.is_(None), User.disabled_at.is_(None))
        )
        async with self._database.read() as database:
            row = (await database.execute(query)).one_or_none()
            if row is None:
                return None
            session, user = row
            standing = await standing_of(database, user)
        return Identity(
            user_id=user.id,
            user_name=user.name,
            display_name=user.display_name,
            placed=Placed() if standing.must_enrol or user.must_change_password else standing.placed,
            actor_kind=ActorKind.USER,
            actor_id=user.id,
            actor_name=user.name,
            ends_at=min(
                session.expires_at,
                self._usage.last(session.id, session.used_at)
                + timedelta(minutes=self._live.session_idle_minutes),
            ),
            session_id=session.id,
            csrf_token=session.csrf_token,
            time_zone=user.time_zone,
            must_enrol=standing.must_enrol,
            must_change_password=user.must_change_password,
        )

    async def _read_api_key(self, key_hash: str) -> Identity | None:
        query = (
            select(ApiKey, User)
            .join(User, User.id == ApiKey.user_id)
            .where(ApiKey.key_hash == key_hash, ApiKey.revoked_at.is_(None), User.disabled_at.is_(None))
        )
        async with self._database.read() as database:
            row = (await database.execute(query)).one_or_none()
            if row is None:
                return None
            key, user = row
            standing = await standing_of(database, user)
        return Identity(
            user_id=user.id,
            user_name=user.name,
            display_name=user.display_name,
            placed=standing.placed.limited_to(known_permissions(key.permissions)),
            actor_kind=ActorKind.API_KEY,
            actor_id=key.id,
            actor_name=f"{user.name} ({key.name})",
            ends_at=key.expires_at,
            api_key_id=key.id,
        )


def secret_hash(secret: str) -> str:
    """Return the SHA-256, in hex, under which a session's or key's secret is kept.

    The secrets are 256 random bits, so a slow hash would protect nothing that a fast one does not.
    """
    return hashlib.sha256(secret.encode()).hexdigest()
