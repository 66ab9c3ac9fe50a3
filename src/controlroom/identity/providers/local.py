"""Signs in people whose password the Control Room itself keeps, and lets them change it."""

from datetime import timedelta
from typing import NoReturn

from sqlalchemy import select

from controlroom.audit.actor import Actor, ActorKind
from controlroom.audit.models import AuditOutcome
from controlroom.audit.service import record
from controlroom.foundation.clock import Clock
from controlroom.foundation.database import Database
from controlroom.foundation.errors import Conflict, FieldError, Invalid
from controlroom.foundation.outbox import emit
from controlroom.identity.authentication import Authentication
from controlroom.identity.caller import Caller
from controlroom.identity.errors import WrongCredentials
from controlroom.identity.known_devices import KnownDevices
from controlroom.identity.live_sessions import end_sessions
from controlroom.identity.models import User
from controlroom.identity.names import folded_name
from controlroom.identity.passwords import PasswordHasher, PasswordPolicy
from controlroom.identity.second_step import NextStep, SecondStep
from controlroom.identity.sessions import Origin, Sessions, SignedIn
from controlroom.identity.throttle import Attempt, SignInThrottle

MADE_UP_COUNTS = timedelta(days=14)
"""How long a password that was made up counts, so that one that was never taken up opens nothing later."""
_WRONG = "The name or the password is not right."
_TOO_LATE = "This password was made up and not changed in time; ask for a new one."


class LocalProvider:
    """Passwords of the Control Room's own."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        *,
        sessions: Sessions,
        authentication: Authentication,
        hasher: PasswordHasher,
        policy: PasswordPolicy,
        throttle: SignInThrottle,
        second_step: SecondStep,
        devices: KnownDevices,
    ) -> None:
        self._database = database
        self._clock = clock
        self._sessions = sessions
        self._authentication = authentication
        self._hasher = hasher
        self._policy = policy
        self._throttle = throttle
        self._second_step = second_step
        self._devices = devices

    async def sign_in(
        self, *, name: str, password: str, origin: Origin, replaces: str | None = None
    ) -> SignedIn | NextStep:
        """Open a session, or begin the second step for who has a second factor.

        The session whose token is ``replaces`` ends, so that no session outlives a sign-in.

        Raises `WrongCredentials`, which does not tell an unknown name from a wrong password (nor does the time it
        takes), and `TooManyRequests` where there were too many tries.
        """
        name = folded_name(name)
        device = self._devices.device_of(origin.device, name)
        attempt = await self._throttle.admit(name, origin.address, device)
        async with self._database.read() as session:
            user = await session.scalar(select(User).where(User.name == name))
        is_right = await self._hasher.is_right(password, user.password_hash if user else None)
        is_late = user is not None and self._is_too_late_for(user)
        if user is None or not is_right or user.disabled_at is not None or is_late:
            await self._throttle.failed(attempt)
            await self._record_failure(user, origin, _reason(user, is_right))
            raise WrongCredentials(
                _TOO_LATE if is_right and user is not None and user.disabled_at is None else _WRONG
            )
        rehashed = None
        if user.password_hash and self._hasher.is_outdated(user.password_hash):
            rehashed = await self._hasher.hash(password)
        signed_in = await self._open(user, rehashed, origin, replaces)
        if isinstance(signed_in, NextStep):
            return signed_in  # the tries are forgiven with the second step, not before
        self._authentication.forget(user_ids=[user.id])
        if replaces:
            self._authentication.forget_session(replaces)
        await self._throttle.succeeded(attempt)
        return signed_in

    async def confirm(self, caller: Caller, password: str) -> str:
        """Prove once more who the caller is; return the new secret of their session, for its cookie.

        Raises `Invalid` where the password is not right, `TooManyRequests`, `Conflict` for an API key.
        """
        if caller.session_id is None:
            raise Conflict("An API key has no password to confirm.")
        attempt = await self._throttle.admit(caller.user_name, caller.actor.address)
        async with self._database.read() as session:
            user = await session.get(User, caller.user_id)
        if not await self._hasher.is_right(password, user.password_hash if user else None):
            await self._refuse_present(caller, user, attempt, "/password")
        async with self._database.write() as transaction:
            token = await self._sessions.renew(transaction, caller)
        self._authentication.forget(user_ids=[caller.user_id])
        await self._throttle.succeeded(attempt)
        return token

    async def change_password(self, caller: Caller, *, current: str, new: str) -> str:
        """Change the caller's own password; their other sessions end. Returns their session's new secret.

        Raises `Invalid` where the present password is not right, `WeakPassword` where the new one will not do,
        `TooManyRequests` where the present one was guessed at too often, `Conflict` for an API key.
        """
        if caller.session_id is None:
            raise Conflict("A password is changed by its owner, signed in; an API key cannot.")
        self._policy.check(new, user_name=caller.user_name, pointer="/new_password")
        attempt = await self._throttle.admit(caller.user_name, caller.actor.address)
        async with self._database.read() as session:
            user = await session.get(User, caller.user_id)
        kept = user.password_hash if user else None
        if not await self._hasher.is_right(current, kept):
            await self._refuse_present(caller, user, attempt, "/current_password")
        if await self._hasher.is_right(new, kept):
            message = "The new password is the present one."
            raise Invalid(message, fields=(FieldError("/new_password", message),))
        token = await self._store_password(caller, kept, await self._hasher.hash(new))
        await self._throttle.succeeded(attempt)
        return token

    def _is_too_late_for(self, user: User) -> bool:
        """Say whether a password that was made up was not changed in time: it counts no more then."""
        made = user.password_changed_at
        return user.must_change_password and made is not None and made + MADE_UP_COUNTS < self._clock.now()

    async def _refuse_present(
        self, caller: Caller, user: User | None, attempt: Attempt, pointer: str
    ) -> NoReturn:
        await self._throttle.failed(attempt)
        origin = Origin(caller.actor.address, request_id=caller.actor.request_id)
        await self._record_failure(user, origin, "wrong_present_password")
        message = "The present password is not right."
        raise Invalid(message, fields=(FieldError(pointer, message),))

    async def _store_password(self, caller: Caller, kept: str | None, password_hash: str) -> str:
        now = self._clock.now()
        async with self._database.write() as transaction:
            user = await transaction.session.get(User, caller.user_id, with_for_update=True)
            if user is None or user.password_hash != kept:
                raise Conflict("The password was changed meanwhile; sign in again.")
            user.password_hash, user.password_changed_at, user.updated_at = password_hash, now, now
            user.must_change_password = False
            user.revision += 1
            token = await self._sessions.renew(transaction, caller)
            ended = await end_sessions(transaction.session, user.id, now, but=caller.session_id)
            record(
                transaction,
                time=now,
                actor=caller.actor,
                action="user.password_changed",
                target_kind="user",
                target_id=user.id,
                target_name=user.name,
                detail={"sessions_ended": ended},
            )
            emit(transaction, time=now, kind="user.changed", subject=user.id, data={"change": "password"})
        self._authentication.forget(user_ids=[caller.user_id])
        return token

    async def _open(
        self, user: User, rehashed: str | None, origin: Origin, replaces: str | None
    ) -> SignedIn | NextStep:
        async with self._database.write() as transaction:
            present = await transaction.session.get(User, user.id, with_for_update=True)
            if present is None or present.disabled_at or present.password_hash != user.password_hash:
                raise WrongCredentials(_WRONG)  # changed while the password was compared
            if rehashed:
                present.password_hash = rehashed
            next_step = await self._second_step.begin(transaction, present)
            return next_step or await self._sessions.open(transaction, present, origin, replaces=replaces)

    async def _record_failure(self, user: User | None, origin: Origin, reason: str) -> None:
        """Write down a failed try; the throttle bounds how many there can be.

        A name that nobody has is not written down: people type passwords into the wrong field.
        """
        async with self._database.write() as transaction:
            record(
                transaction,
                time=self._clock.now(),
                actor=Actor(ActorKind.NOBODY, "nobody", "nobody", origin.address, origin.request_id),
                action="session.refused",
                target_kind="user",
                target_id=user.id if user else "",
                target_name=user.name if user else "",
                outcome=AuditOutcome.REFUSED,
                detail={"reason": reason},
            )


def _reason(user: User | None, is_right: bool) -> str:
    if user is None:
        return "unknown_name"
    if not is_right:
        return "wrong_password"
    return "disabled" if user.disabled_at is not None else "not_changed_in_time"
