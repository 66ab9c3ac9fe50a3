"""What one can do with second factors: enrol, name and remove one's own, make recovery codes, reset another's."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import delete, func, select
from sqlalchemy.ext.asyncio import AsyncSession
from webauthn.helpers import base64url_to_bytes, bytes_to_base64url, generate_challenge

from controlroom.audit.service import record
from controlroom.foundation.clock import Clock
from controlroom.foundation.database import Database, Transaction
from controlroom.foundation.errors import Conflict, FieldError, Invalid, NotFound
from controlroom.foundation.ids import is_id, new_id
from controlroom.foundation.outbox import emit
from controlroom.identity.authentication import Authentication
from controlroom.identity.caller import Caller
from controlroom.identity.challenges import MOST_TRIES, begin_challenge, find_challenge
from controlroom.identity.errors import ConfirmationNeeded
from controlroom.identity.factors.passkeys import (
    Party,
    Passkey,
    created,
    creation_options,
    credential_hash,
)
from controlroom.identity.factors.recovery import new_recovery_codes, recovery_hash
from controlroom.identity.factors.totp import (
    as_text,
    enrolment_uri,
    matching_step,
    new_totp_secret,
    qr_svg,
)
from controlroom.identity.live_sessions import end_sessions
from controlroom.identity.models import (
    Challenge,
    FactorKind,
    Purpose,
    RecoveryCode,
    SecondFactor,
    Session,
    User,
)
from controlroom.identity.names import require_label
from controlroom.identity.permissions import Permission
from controlroom.identity.reach import lock_users, require_reach_over
from controlroom.identity.rights import read_roles, roles_given
from controlroom.identity.sealing import Sealing
from controlroom.identity.sessions import Sessions

RECENT = timedelta(minutes=15)
"""How long after a proof of who one is the factors of an account may be changed."""
MOST_FACTORS = 10
LONGEST_NAME = 100

_ISSUER = "Control Room"


@dataclass(frozen=True, slots=True)
class OwnFactors:
    """A user's second factors, oldest first, and how many recovery codes are left."""

    factors: Sequence[SecondFactor]
    recovery_codes_left: int
    is_asked_for: bool
    """A role of theirs asks for a second factor."""


@dataclass(frozen=True, slots=True)
class TotpOffer:
    """A new TOTP secret, shown this once; the code it gives confirms it."""

    token: str
    secret: str
    uri: str
    qr_svg: str


@dataclass(frozen=True, slots=True)
class PasskeyOffer:
    """What the browser's ``navigator.credentials.create`` is given."""

    token: str
    options: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Enrolled:
    """A new second factor. ``session_token`` goes into the cookie: the session got a new secret.

    ``recovery_codes`` are there with the first factor, and shown this once.
    """

    factor: SecondFactor
    recovery_codes: Sequence[str]
    session_token: str


class SecondFactors:
    """Second factors and recovery codes of people."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        sessions: Sessions,
        authentication: Authentication,
        sealing: Sealing,
    ) -> None:
        self._database = database
        self._clock = clock
        self._sessions = sessions
        self._authentication = authentication
        self._sealing = sealing

    async def own(self, user_id: str) -> OwnFactors:
        """Return a user's second factors."""
        async with self._database.read() as session:
            user = await session.get_one(User, user_id)
            return OwnFactors(
                await factors_of(session, user_id),
                await _codes_left(session, user_id),
                await _is_asked_for(session, user),
            )

    async def is_recent(self, caller: Caller) -> bool:
        """Say whether the caller proved who they are a short time ago."""
        async with self._database.read() as session:
            return await _is_recent(session, caller, self._clock.now())

    async def begin_totp(self, caller: Caller) -> TotpOffer:
        """Offer a new secret for an authenticator app; raise `ConfirmationNeeded`, or `Conflict` for an API key."""
        secret = new_totp_secret()
        sealed = self._sealing.seal(secret, place=caller.user_id)
        async with self._database.write() as transaction:
            await self._require_may_add(transaction.session, caller)
            _, token = await begin_challenge(
                transaction.session,
                purpose=Purpose.TOTP,
                user_id=caller.user_id,
                secret=sealed,
                now=self._clock.now(),
            )
        uri = enrolment_uri(secret, account=caller.user_name, issuer=_ISSUER)
        return TotpOffer(token, as_text(secret), uri, qr_svg(uri))

    async def offered_totp(self, caller: Caller, token: str) -> TotpOffer:
        """Return an offer that still waits, to show it again; raise `Invalid` where it has ended."""
        async with self._database.write() as transaction:
            offer = await self._offer(transaction, caller, token, Purpose.TOTP)
            secret = self._sealing.open(offer.secret, place=caller.user_id)
        uri = enrolment_uri(secret, account=caller.user_name, issuer=_ISSUER)
        return TotpOffer(token, as_text(secret), uri, qr_svg(uri))

    async def confirm_totp(self, caller: Caller, *, token: str, code: str, name: str) -> Enrolled:
        """Take a secret that was offered into use; raise `Invalid` for a wrong code or an offer that has ended."""
        async with self._database.write() as transaction:
            offer = await self._offer(transaction, caller, token, Purpose.TOTP)
            secret = self._sealing.open(offer.secret, place=caller.user_id)
            now = self._clock.now()
            step = matching_step(secret, code, now=now.timestamp(), after=0)
            if step is not None:
                factor = self._factor(caller, FactorKind.TOTP, name or "Authenticator app", now)
                factor.secret, factor.counter = offer.secret, step
                return await self._enrol(transaction, caller, offer, factor)
            offer.tries += 1
            left = MOST_TRIES - offer.tries
        message = "The code is not right; enter the one that the app shows now."
        if left <= 0:
            message = "The code was wrong too often; begin again."
        raise Invalid(message, fields=(FieldError("/code", message),))

    async def begin_passkey(self, caller: Caller, party: Party) -> PasskeyOffer:
        """Offer what the browser needs to make a passkey; raise as `begin_totp` does."""
        challenge = generate_challenge()
        async with self._database.write() as transaction:
            known = await self._require_may_add(transaction.session, caller)
            _, token = await begin_challenge(
                transaction.session,
                purpose=Purpose.PASSKEY,
                user_id=caller.user_id,
                secret=bytes_to_base64url(challenge),
                now=self._clock.now(),
            )
        options = creation_options(
            party,
            challenge=challenge,
            user_id=caller.user_id,
            user_name=caller.user_name,
            display_name=caller.display_name,
            known=[passkey_of(each) for each in known if each.kind is FactorKind.PASSKEY],
        )
        return PasskeyOffer(token, options)

    async def confirm_passkey(
        self, caller: Caller, *, token: str, credential: Mapping[str, Any], party: Party, name: str
    ) -> Enrolled:
        """Take a passkey into use; raise `Invalid` where what the browser answered does not hold."""
        async with self._database.write() as transaction:
            offer = await self._offer(transaction, caller, token, Purpose.PASSKEY)
            made = created(party, challenge=base64url_to_bytes(offer.secret), credential=credential)
            factor = self._factor(caller, FactorKind.PASSKEY, name or "Passkey", self._clock.now())
            factor.secret, factor.counter = made.public_key, made.counter
            factor.credential_hash = credential_hash(made.credential_id)
            factor.detail = {"credential_id": made.credential_id, "transports": list(made.transports)}
            same = select(SecondFactor.id).where(SecondFactor.credential_hash == factor.credential_hash)
            if await transaction.session.scalar(same):
                raise Conflict("This passkey is enrolled already.")
            return await self._enrol(transaction, caller, offer, factor)

    async def rename(self, caller: Caller, factor_id: str, name: str) -> SecondFactor:
        """Give one of one's own factors another name."""
        async with self._database.write() as transaction:
            factor = await _own(transaction.session, caller, factor_id)
            before, factor.name = factor.name, _name(name)
            self._tell(transaction, caller, caller.user_id, caller.user_name, "second_factor_renamed", {"from": before, "to": factor.name})  # fmt: skip
            return factor

    async def remove(self, caller: Caller, factor_id: str) -> None:
        """Remove one of one's own factors; with the last one the recovery codes go too.

        Raises `Conflict` for the last one where a role asks for one, `ConfirmationNeeded` where the caller last proved
        who they are too long ago.
        """
        async with self._database.write() as transaction:
            session = transaction.session
            await _require_recent(session, caller, self._clock.now())
            user = await session.get_one(User, caller.user_id, with_for_update=True)
            factor = await _own(session, caller, factor_id)
            is_last = len(await factors_of(session, caller.user_id)) == 1
            if is_last and await _is_asked_for(session, user):
                raise Conflict("A role of yours asks for a second factor; enrol another one first.")
            await session.delete(factor)
            if is_last:
                await session.execute(delete(RecoveryCode).where(RecoveryCode.user_id == caller.user_id))
            detail = {"factor": factor.kind, "name": factor.name, "last": is_last}
            self._tell(transaction, caller, user.id, user.name, "second_factor_removed", detail)
        self._authentication.forget(user_ids=[caller.user_id])

    async def make_recovery_codes(self, caller: Caller) -> list[str]:
        """Make new recovery codes in place of the old ones; raise `Conflict` where there is no factor to stand in for."""
        async with self._database.write() as transaction:
            session = transaction.session
            await _require_recent(session, caller, self._clock.now())
            await session.get_one(User, caller.user_id, with_for_update=True)
            if not await factors_of(session, caller.user_id):
                raise Conflict("Enrol a second factor first; recovery codes stand in for one.")
            codes = await self._new_codes(session, caller.user_id)
            self._tell(transaction, caller, caller.user_id, caller.user_name, "recovery_codes_made", {"count": len(codes)})  # fmt: skip
            return codes

    async def reset(self, caller: Caller, user_id: str) -> int:
        """Remove all of another user's second factors and recovery codes and end their sessions; return how many factors.

        For a person who lost them; their password stays. Raises `Conflict` for oneself, `Forbidden` for a user who has
        more rights than the caller.
        """
        caller.require_everywhere(Permission.USER_MANAGE)
        if user_id == caller.user_id:
            raise Conflict("Remove your own second factor under your account.")
        async with self._database.write() as transaction:
            session = transaction.session
            await lock_users(session)
            known = is_id(user_id, "usr")
            user = await session.get(User, user_id, with_for_update=True) if known else None
            if user is None:
                raise NotFound(f"There is no user '{user_id}'.")
            await require_reach_over(session, caller, user)
            factors = await factors_of(session, user_id)
            for table in (SecondFactor, RecoveryCode, Challenge):
                await session.execute(delete(table).where(table.user_id == user_id))
            ended = await end_sessions(session, user_id, self._clock.now())
            detail = {"factors": [each.kind for each in factors], "sessions_ended": ended}
            self._tell(transaction, caller, user.id, user.name, "second_factor_reset", detail)
        self._authentication.forget(user_ids=[user_id])
        return len(factors)

    async def _require_may_add(self, session: AsyncSession, caller: Caller) -> Sequence[SecondFactor]:
        await _require_recent(session, caller, self._clock.now())
        known = await factors_of(session, caller.user_id)
        if len(known) >= MOST_FACTORS:
            raise Conflict(f"You have {MOST_FACTORS} second factors; remove one that you no longer use.")
        return known

    async def _offer(
        self, transaction: Transaction, caller: Caller, token: str, purpose: Purpose
    ) -> Challenge:
        session, now = transaction.session, self._clock.now()
        await session.get_one(User, caller.user_id, with_for_update=True)
        await self._require_may_add(session, caller)
        offer = await find_challenge(session, token, purpose=purpose, now=now, lock=True)
        if offer is None or offer.user_id != caller.user_id:
            message = "This took too long, or was finished already; begin again."
            raise Invalid(message, fields=(FieldError("/token", message),))
        return offer

    async def _enrol(
        self, transaction: Transaction, caller: Caller, offer: Challenge, factor: SecondFactor
    ) -> Enrolled:
        session, now = transaction.session, self._clock.now()
        is_first = not await factors_of(session, caller.user_id)
        session.add(factor)
        await session.delete(offer)
        codes = await self._new_codes(session, caller.user_id) if is_first else []
        token = await self._sessions.renew(transaction, caller)
        ended = await end_sessions(session, caller.user_id, now, but=caller.session_id)
        detail = {"factor": factor.kind, "name": factor.name, "sessions_ended": ended}
        self._tell(transaction, caller, caller.user_id, caller.user_name, "second_factor_added", detail)
        self._authentication.forget(user_ids=[caller.user_id])
        return Enrolled(factor, codes, token)

    @staticmethod
    def _factor(caller: Caller, kind: FactorKind, name: str, now: datetime) -> SecondFactor:
        return SecondFactor(
            id=new_id("fac"),
            user_id=caller.user_id,
            kind=kind,
            name=_name(name),
            secret="",
            credential_hash=None,
            counter=0,
            detail={},
            created_at=now,
            used_at=None,
        )

    async def _new_codes(self, session: AsyncSession, user_id: str) -> list[str]:
        codes = new_recovery_codes()
        await session.execute(delete(RecoveryCode).where(RecoveryCode.user_id == user_id))
        session.add_all(
            RecoveryCode(
                id=new_id("rec"),
                user_id=user_id,
                code_hash=recovery_hash(user_id, code),
                created_at=self._clock.now(),
                used_at=None,
            )
            for code in codes
        )
        return codes

    def _tell(
        self, transaction: Transaction, caller: Caller, user_id: str, name: str, change: str, detail: Mapping[str, Any]
    ) -> None:  # fmt: skip
        now = self._clock.now()
        record(
            transaction,
            time=now,
            actor=caller.actor,
            action=f"user.{change}",
            target_kind="user",
            target_id=user_id,
            target_name=name,
            detail=detail,
        )
        emit(transaction, time=now, kind="user.changed", subject=user_id, data={"change": change})


async def factors_of(session: AsyncSession, user_id: str) -> Sequence[SecondFactor]:
    """Return a user's second factors, oldest first."""
    query = select(SecondFactor).where(SecondFactor.user_id == user_id)
    return (await session.scalars(query.order_by(SecondFactor.created_at, SecondFactor.id))).all()


def passkey_of(factor: SecondFactor) -> Passkey:
    """Return a passkey as it is checked."""
    detail = factor.detail
    return Passkey(detail["credential_id"], factor.secret, factor.counter, tuple(detail["transports"]))


async def _codes_left(session: AsyncSession, user_id: str) -> int:
    unused = select(func.count()).where(RecoveryCode.user_id == user_id, RecoveryCode.used_at.is_(None))
    return await session.scalar(unused) or 0


async def _is_asked_for(session: AsyncSession, user: User) -> bool:
    strict = (await read_roles(session)).with_second_factor
    return any(each.role in strict for each in await roles_given(session, user))


async def _is_recent(session: AsyncSession, caller: Caller, now: datetime) -> bool:
    if caller.session_id is None:
        raise Conflict("A second factor is changed by its owner, signed in; an API key cannot.")
    confirmed = await session.scalar(select(Session.confirmed_at).where(Session.id == caller.session_id))
    return confirmed is not None and now - confirmed <= RECENT


async def _require_recent(session: AsyncSession, caller: Caller, now: datetime) -> None:
    if not await _is_recent(session, caller, now):
        raise ConfirmationNeeded("Enter your password again before you change how you sign in.")


async def _own(session: AsyncSession, caller: Caller, factor_id: str) -> SecondFactor:
    found = await session.get(SecondFactor, factor_id) if is_id(factor_id, "fac") else None
    if found is None or found.user_id != caller.user_id:
        raise NotFound(f"You have no second factor '{factor_id}'.")
    return found


def _name(name: str) -> str:
    return require_label(name, pointer="/name", shortest=1, longest=LONGEST_NAME)
