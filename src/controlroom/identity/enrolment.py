"""Enrolling a second factor: what is offered, and what confirms it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from controlroom.foundation.clock import Clock
from controlroom.foundation.database import Database, Transaction
from controlroom.foundation.errors import Conflict, FieldError, Invalid
from controlroom.foundation.ids import new_id
from controlroom.identity.authentication import Authentication
from controlroom.identity.caller import Caller
from controlroom.identity.challenges import MOST_TRIES, begin_challenge, find_challenge
from controlroom.identity.factors.passkeys import (
    Party,
    created,
    creation_options,
    credential_hash,
    new_challenge,
)
from controlroom.identity.factors.totp import (
    as_text,
    enrolment_uri,
    matching_step,
    new_totp_secret,
    qr_svg,
)
from controlroom.identity.live_sessions import end_sessions
from controlroom.identity.models import Challenge, FactorKind, Purpose, SecondFactor, User
from controlroom.identity.sealing import Sealing
from controlroom.identity.second_factors import (
    factor_name,
    factors_of,
    passkey_of,
    replace_codes,
    require_recent,
    tell_factors,
)
from controlroom.identity.sessions import Sessions

MOST_FACTORS = 10

_ISSUER = "Control Room"


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


class Enrolment:
    """Enrols second factors of people who are signed in and proved a short time ago who they are."""

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
        enrolled, left = None, 0
        async with self._database.write() as transaction:
            offer = await self._offer(transaction, caller, token, Purpose.TOTP)
            secret = self._sealing.open(offer.secret, place=caller.user_id)
            now = self._clock.now()
            step = matching_step(secret, code, now=now.timestamp(), after=0)
            if step is not None:
                factor = self._factor(caller, FactorKind.TOTP, name or "Authenticator app", now)
                factor.secret, factor.counter = offer.secret, step
                enrolled = await self._enrol(transaction, caller, offer, factor)
            else:
                offer.tries += 1
                left = MOST_TRIES - offer.tries
        if enrolled is not None:
            self._authentication.forget(user_ids=[caller.user_id])
            return enrolled
        message = "The code is not right; enter the one that the app shows now."
        if left <= 0:
            message = "The code was wrong too often; begin again."
        raise Invalid(message, fields=(FieldError("/code", message),))

    async def begin_passkey(self, caller: Caller, party: Party) -> PasskeyOffer:
        """Offer what the browser needs to make a passkey; raise as `begin_totp` does."""
        challenge = new_challenge()
        async with self._database.write() as transaction:
            known = await self._require_may_add(transaction.session, caller)
            _, token = await begin_challenge(
                transaction.session,
                purpose=Purpose.PASSKEY,
                user_id=caller.user_id,
                secret=challenge.hex(),
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
            made = created(party, challenge=bytes.fromhex(offer.secret), credential=credential)
            factor = self._factor(caller, FactorKind.PASSKEY, name or "Passkey", self._clock.now())
            factor.secret, factor.counter = made.public_key, made.counter
            factor.credential_hash = credential_hash(made.credential_id)
            factor.detail = {"credential_id": made.credential_id, "transports": list(made.transports)}
            same = select(SecondFactor.id).where(SecondFactor.credential_hash == factor.credential_hash)
            if await transaction.session.scalar(same):
                raise Conflict("This passkey is enrolled already.")
            enrolled = await self._enrol(transaction, caller, offer, factor)
        self._authentication.forget(user_ids=[caller.user_id])
        return enrolled

    async def _require_may_add(self, session: AsyncSession, caller: Caller) -> Sequence[SecondFactor]:
        await require_recent(session, caller, self._clock.now())
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
        codes = await replace_codes(session, caller.user_id, self._clock.now()) if is_first else []
        token = await self._sessions.renew(transaction, caller)
        ended = await end_sessions(session, caller.user_id, now, but=caller.session_id)
        detail = {"factor": factor.kind, "name": factor.name, "sessions_ended": ended}
        tell_factors(
            transaction, caller, caller.user_id, caller.user_name, "second_factor_added", detail, now
        )
        return Enrolled(factor, codes, token)

    @staticmethod
    def _factor(caller: Caller, kind: FactorKind, name: str, now: datetime) -> SecondFactor:
        return SecondFactor(
            id=new_id("fac"),
            user_id=caller.user_id,
            kind=kind,
            name=factor_name(name),
            secret="",
            credential_hash=None,
            counter=0,
            detail={},
            created_at=now,
            used_at=None,
        )
