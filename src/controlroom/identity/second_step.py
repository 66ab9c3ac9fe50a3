"""The second step of signing in: a right password was given, and now a second factor or a recovery code is."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

from sqlalchemy import CursorResult, update
from sqlalchemy.ext.asyncio import AsyncSession

from controlroom.audit.actor import Actor, ActorKind
from controlroom.audit.models import AuditOutcome
from controlroom.audit.service import record
from controlroom.foundation.clock import Clock
from controlroom.foundation.database import Database, Transaction
from controlroom.identity.authentication import Authentication
from controlroom.identity.challenges import begin_challenge, find_challenge
from controlroom.identity.errors import SignInEnded, WrongSecondFactor
from controlroom.identity.factors.passkeys import Party, answered, new_challenge, request_options
from controlroom.identity.factors.recovery import looks_like_recovery, recovery_hash
from controlroom.identity.factors.totp import matching_step
from controlroom.identity.known_devices import KnownDevices
from controlroom.identity.models import Challenge, FactorKind, Purpose, RecoveryCode, SecondFactor, User
from controlroom.identity.sealing import Sealing
from controlroom.identity.second_factors import factors_of, passkey_of
from controlroom.identity.sessions import Origin, Sessions, SignedIn
from controlroom.identity.throttle import SignInThrottle


@dataclass(frozen=True, slots=True)
class NextStep:
    """Signing in has a second step. ``token`` goes into a cookie of its own, and is worth nothing without a factor."""

    user: User
    token: str
    kinds: tuple[FactorKind, ...]
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Answer:
    """What is shown as a second factor: a code (of an app, or a recovery code), or what a passkey signed."""

    code: str = ""
    credential: Mapping[str, Any] | None = None


class SecondStep:
    """Begins and finishes the second step, whichever provider did the first."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        sessions: Sessions,
        authentication: Authentication,
        sealing: Sealing,
        throttle: SignInThrottle,
        devices: KnownDevices,
    ) -> None:
        self._database = database
        self._clock = clock
        self._sessions = sessions
        self._authentication = authentication
        self._sealing = sealing
        self._throttle = throttle
        self._devices = devices

    async def begin(self, transaction: Transaction, user: User) -> NextStep | None:
        """Begin a second step for a user who has proved the first; return None where they have no second factor."""
        factors = await factors_of(transaction.session, user.id)
        if not factors:
            return None
        begun, token = await begin_challenge(
            transaction.session,
            purpose=Purpose.SIGN_IN,
            user_id=user.id,
            secret=new_challenge().hex(),
            now=self._clock.now(),
        )
        kinds = tuple(sorted({FactorKind(each.kind) for each in factors}))
        return NextStep(user, token, kinds, begun.expires_at)

    async def waiting(self, token: str, party: Party) -> tuple[NextStep, Mapping[str, Any] | None]:
        """Return a step that waits, and the options for a passkey where there is one; raise `SignInEnded`."""
        async with self._database.read() as session:
            begun, user = await self._step(session, token)
            factors = await factors_of(session, user.id)
        kinds = tuple(sorted({FactorKind(each.kind) for each in factors}))
        known = [passkey_of(each) for each in factors if each.kind is FactorKind.PASSKEY]
        challenge = bytes.fromhex(begun.secret)
        options = request_options(party, challenge=challenge, known=known) if known else None
        return NextStep(user, token, kinds, begun.expires_at), options

    async def finish(
        self, token: str, answer: Answer, *, party: Party, origin: Origin, replaces: str | None = None
    ) -> SignedIn:
        """Open the session; raise `WrongSecondFactor`, `SignInEnded` after too long or too often, `TooManyRequests`."""
        async with self._database.read() as session:
            _, user = await self._step(session, token)
        device = self._devices.device_of(origin.device, user.name)
        attempt = await self._throttle.admit(f"{user.id} second factor", origin.address, device)
        async with self._database.write() as transaction:
            begun, present = await self._step(transaction.session, token, lock=True)
            used = await self._used(transaction.session, begun, present, answer, party)
            if used:
                await transaction.session.delete(begun)
                signed_in = await self._sessions.open(
                    transaction, present, origin, replaces=replaces, second_factor=used
                )
            else:
                begun.tries += 1
                self._record_failure(transaction, present, origin)
        if not used:
            await self._throttle.failed(attempt)
            raise WrongSecondFactor(
                "That was not right. Try again, or use another second factor or a recovery code."
            )
        self._authentication.forget(user_ids=[user.id])
        if replaces:
            self._authentication.forget_session(replaces)
        await self._throttle.succeeded(attempt)
        await self._throttle.forgive(user.name, origin.address, device)
        return signed_in

    async def _step(self, session: AsyncSession, token: str, *, lock: bool = False) -> tuple[Challenge, User]:
        now = self._clock.now()
        begun = await find_challenge(session, token, purpose=Purpose.SIGN_IN, now=now, lock=lock)
        user = await session.get(User, begun.user_id) if begun else None
        if begun is None or user is None or user.disabled_at is not None or _is_older(begun, user):
            raise SignInEnded("Signing in took too long, or was tried too often; begin again.")
        return begun, user

    async def _used(
        self, session: AsyncSession, begun: Challenge, user: User, answer: Answer, party: Party
    ) -> str:
        """Return which kind of factor the answer proves, empty for none; it is used up in the same transaction."""
        if answer.credential is not None:
            return await self._used_passkey(session, begun, user, answer.credential, party)
        if looks_like_recovery(answer.code):
            return await self._used_recovery(session, user, answer.code)
        return await self._used_totp(session, user, answer.code)

    async def _used_totp(self, session: AsyncSession, user: User, code: str) -> str:
        now = self._clock.now()
        for factor in await factors_of(session, user.id):
            if factor.kind is not FactorKind.TOTP:
                continue
            secret = self._sealing.open(factor.secret, place=user.id)
            step = matching_step(secret, code, now=now.timestamp(), after=factor.counter)
            if step is not None and await _count(session, factor.id, step, now):
                return FactorKind.TOTP
        return ""

    async def _used_passkey(
        self, session: AsyncSession, begun: Challenge, user: User, credential: Mapping[str, Any], party: Party
    ) -> str:
        factors = {
            each.detail["credential_id"]: each
            for each in await factors_of(session, user.id)
            if each.kind is FactorKind.PASSKEY
        }
        known = [passkey_of(each) for each in factors.values()]
        challenge = bytes.fromhex(begun.secret)
        found = answered(party, challenge=challenge, credential=credential, known=known)
        if found is None:
            return ""
        factor = factors[found.credential_id]
        factor.counter, factor.used_at = found.counter, self._clock.now()
        return FactorKind.PASSKEY

    async def _used_recovery(self, session: AsyncSession, user: User, code: str) -> str:
        mine = update(RecoveryCode).where(
            RecoveryCode.user_id == user.id,
            RecoveryCode.code_hash == recovery_hash(user.id, code),
            RecoveryCode.used_at.is_(None),
        )
        result = cast("CursorResult[Any]", await session.execute(mine.values(used_at=self._clock.now())))
        return "recovery_code" if result.rowcount == 1 else ""

    def _record_failure(self, transaction: Transaction, user: User, origin: Origin) -> None:
        record(
            transaction,
            time=self._clock.now(),
            actor=Actor(ActorKind.NOBODY, "nobody", "nobody", origin.address, origin.request_id),
            action="session.refused",
            target_kind="user",
            target_id=user.id,
            target_name=user.name,
            outcome=AuditOutcome.REFUSED,
            detail={"reason": "wrong_second_factor"},
        )


def _is_older(begun: Challenge, user: User) -> bool:
    """Say whether the password was changed since: then the step that it opened is worth nothing."""
    return user.password_changed_at is not None and user.password_changed_at > begun.created_at


async def _count(session: AsyncSession, factor_id: str, step: int, now: datetime) -> bool:
    """Note that a code was taken; of two who show the same code at once, one gets True."""
    later = update(SecondFactor).where(SecondFactor.id == factor_id, SecondFactor.counter < step)
    result = cast("CursorResult[Any]", await session.execute(later.values(counter=step, used_at=now)))
    return result.rowcount == 1
