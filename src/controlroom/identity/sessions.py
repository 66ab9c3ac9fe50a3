"""What one can do with sessions: open, see and end them."""

import secrets
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import select

from controlroom.audit.actor import Actor, ActorKind
from controlroom.audit.service import record
from controlroom.foundation.clock import Clock
from controlroom.foundation.database import Database, Transaction
from controlroom.foundation.errors import Conflict, NotFound
from controlroom.foundation.ids import is_id, new_id, new_secret
from controlroom.foundation.live_settings import LiveSettings
from controlroom.foundation.outbox import emit
from controlroom.foundation.paging import Field, Grammar, Kind, Page, PageRequest, fetch_page
from controlroom.identity.authentication import Authentication, secret_hash
from controlroom.identity.caller import Caller
from controlroom.identity.live_sessions import end_sessions, is_live, make_room
from controlroom.identity.models import Session, User
from controlroom.identity.permissions import Permission

GRAMMAR = Grammar(
    fields={
        "user": Field(User.name, sortable=True),
        "address": Field(Session.address),
        "created": Field(Session.created_at, Kind.MOMENT, sortable=True),
        "used": Field(Session.used_at, Kind.MOMENT, sortable=True),
    },
    key=Session.id,
    text=(User.name, Session.address, Session.agent),
    default_sort="-used",
)

_SECRET_PREFIX = "crs"
_AGENT_LENGTH = 300
_ADDRESS_LENGTH = 64


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A new session. ``token`` goes into the cookie and nowhere else."""

    user: User
    session: Session
    token: str


@dataclass(frozen=True, slots=True)
class OpenSession:
    """A session that can be used, and whose it is."""

    session: Session
    user_name: str


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a request comes from: the client's address, its User-Agent, the request's id, and its device cookie."""

    address: str
    agent: str = ""
    request_id: str = ""
    device: str = ""


class Sessions:
    """Sessions of people who signed in."""

    def __init__(
        self, database: Database, clock: Clock, live: LiveSettings, authentication: Authentication
    ) -> None:
        self._database = database
        self._clock = clock
        self._authentication = authentication
        self._live = live

    @property
    def lifetime_seconds(self) -> int:
        """How long a session lives at most."""
        return self._live.session_absolute_hours * 3600

    @property
    def idle_minutes(self) -> int:
        """How long a session lives without use."""
        return self._live.session_idle_minutes

    @property
    def _idle(self) -> timedelta:
        return timedelta(minutes=self._live.session_idle_minutes)

    async def open(
        self,
        transaction: Transaction,
        user: User,
        origin: Origin,
        *,
        replaces: str | None = None,
        second_factor: str = "",
    ) -> SignedIn:
        """Open a session for a user who has proved who they are, in the provider's transaction.

        ``second_factor`` is the kind of factor that was shown beside the password, if any was. The session whose token is ``replaces`` ends: none outlives a sign-in, and none that someone else put into the
        browser becomes signed in.
        """
        now, token = self._clock.now(), new_secret(_SECRET_PREFIX)
        replaced = await _end_replaced(transaction, replaces, now) if replaces else None
        await make_room(transaction.session, user.id, now)
        opened = Session(
            id=new_id("ses"),
            token_hash=secret_hash(token),
            user_id=user.id,
            csrf_token=secrets.token_urlsafe(32),
            address=origin.address[:_ADDRESS_LENGTH],
            agent=origin.agent[:_AGENT_LENGTH].replace("\0", ""),
            created_at=now,
            used_at=now,
            expires_at=now + timedelta(seconds=self.lifetime_seconds),
            ended_at=None,
            confirmed_at=now,
        )
        transaction.session.add(opened)
        record(
            transaction,
            time=now,
            actor=Actor(ActorKind.USER, user.id, user.name, origin.address, origin.request_id),
            action="session.started",
            target_kind="user",
            target_id=user.id,
            target_name=user.name,
            detail={
                "session": opened.id,
                **({"second_factor": second_factor} if second_factor else {}),
                **({"replaced": replaced} if replaced else {}),
            },
        )
        emit(transaction, time=now, kind="session.changed", subject=user.id, data={"change": "started"})
        return SignedIn(user, opened, token)

    async def renew(self, transaction: Transaction, caller: Caller) -> str:
        """Give the caller's session a new secret, as after a change of what it may do, and return it.

        What knew the old one has nothing. Raises `Conflict` for an API key, `NotFound` where the session has ended.
        """
        if caller.session_id is None:
            raise Conflict("An API key has no session to renew.")
        found = await transaction.session.get(Session, caller.session_id, with_for_update=True)
        if found is None or found.ended_at is not None:
            raise NotFound("The session has ended; sign in again.")
        token = new_secret(_SECRET_PREFIX)
        found.token_hash, found.confirmed_at = secret_hash(token), self._clock.now()
        return token

    async def sign_out(self, caller: Caller) -> None:
        """End the session that asks; raise `Conflict` for an API key."""
        if caller.session_id is None:
            raise Conflict("An API key has no session to sign out of; revoke the key instead.")
        with suppress(NotFound):  # it ended meanwhile, which is what was asked for
            await self.end(caller, caller.session_id)

    async def live(self, user_id: str) -> Sequence[Session]:
        """Return a user's sessions that can still be used, the one used last first."""
        query = select(Session).where(Session.user_id == user_id, is_live(self._clock.now(), self._idle))
        async with self._database.read() as session:
            return (await session.scalars(query.order_by(Session.used_at.desc(), Session.id.desc()))).all()

    async def page(self, caller: Caller, request: PageRequest) -> Page[OpenSession]:
        """Return a page of everyone's sessions that can still be used, the one used last first."""
        caller.require_everywhere(Permission.SESSION_MANAGE)
        live = is_live(self._clock.now(), self._idle)
        query = select(Session).join(User, User.id == Session.user_id).where(live)
        async with self._database.read() as session:
            found: Page[Session] = await fetch_page(session, query, GRAMMAR, request)
            ids = {each.user_id for each in found.items}
            rows = await session.execute(select(User.id, User.name).where(User.id.in_(ids)))
            names = {row.id: row.name for row in rows}
        return Page([OpenSession(each, names[each.user_id]) for each in found.items], found.next_cursor)

    async def end_anyones(self, caller: Caller, session_id: str) -> None:
        """Sign someone out of one session, whoever they are; raise `NotFound` where it is not open."""
        caller.require_everywhere(Permission.SESSION_MANAGE)
        async with self._database.write() as transaction:
            session = transaction.session
            known = is_id(session_id, "ses")
            found = await session.get(Session, session_id, with_for_update=True) if known else None
            if found is None or found.ended_at is not None:
                raise NotFound(f"There is no open session '{session_id}'.")
            owner = await session.get_one(User, found.user_id)
            found.ended_at = self._clock.now()
            self._tell_ended(transaction, caller, owner.id, owner.name, 1)
        self._authentication.forget(user_ids=[owner.id])

    async def end_all_of(self, caller: Caller, user_id: str) -> int:
        """Sign a user out everywhere, but of the session that asks; return of how many sessions."""
        caller.require_everywhere(Permission.SESSION_MANAGE)
        async with self._database.write() as transaction:
            owner = await transaction.session.get(User, user_id) if is_id(user_id, "usr") else None
            if owner is None:
                raise NotFound(f"There is no user '{user_id}'.")
            now = self._clock.now()
            ended = await end_sessions(transaction.session, owner.id, now, but=caller.session_id)
            if ended:
                self._tell_ended(transaction, caller, owner.id, owner.name, ended)
        self._authentication.forget(user_ids=[owner.id])
        return ended

    async def end(self, caller: Caller, session_id: str) -> None:
        """End one of the caller's sessions; raise `NotFound` where they have none with this id."""
        async with self._database.write() as transaction:
            known = is_id(session_id, "ses")
            found = (
                await transaction.session.get(Session, session_id, with_for_update=True) if known else None
            )
            if found is None or found.user_id != caller.user_id or found.ended_at is not None:
                raise NotFound(f"You have no open session '{session_id}'.")
            found.ended_at = self._clock.now()
            self._tell_ended(transaction, caller, caller.user_id, caller.user_name, 1)
        self._authentication.forget(user_ids=[caller.user_id])

    async def end_others(self, caller: Caller) -> int:
        """End all of the caller's sessions but the one that asks; return how many."""
        async with self._database.write() as transaction:
            ended = await end_sessions(
                transaction.session, caller.user_id, self._clock.now(), but=caller.session_id
            )
            if ended:
                self._tell_ended(transaction, caller, caller.user_id, caller.user_name, ended)
        self._authentication.forget(user_ids=[caller.user_id])
        return ended

    def _tell_ended(
        self, transaction: Transaction, caller: Caller, user_id: str, user_name: str, count: int
    ) -> None:
        now = self._clock.now()
        record(
            transaction,
            time=now,
            actor=caller.actor,
            action="session.ended",
            target_kind="user",
            target_id=user_id,
            target_name=user_name,
            detail={"sessions": count},
        )
        emit(transaction, time=now, kind="session.changed", subject=user_id, data={"change": "ended"})


async def _end_replaced(transaction: Transaction, token: str, now: datetime) -> str | None:
    old = await transaction.session.scalar(select(Session).where(Session.token_hash == secret_hash(token)))
    if old is None or old.ended_at is not None:
        return None
    old.ended_at = now
    return old.id
