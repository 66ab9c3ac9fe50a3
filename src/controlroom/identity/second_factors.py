"""What one can do with second factors: see, name and remove one's own, make recovery codes, reset another's."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import delete, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from controlroom.audit.service import record
from controlroom.foundation.clock import Clock
from controlroom.foundation.database import Database, Transaction
from controlroom.foundation.errors import Conflict, NotFound
from controlroom.foundation.ids import is_id, new_id
from controlroom.foundation.outbox import emit
from controlroom.identity.authentication import Authentication
from controlroom.identity.caller import Caller
from controlroom.identity.errors import ConfirmationNeeded
from controlroom.identity.factors.passkeys import (
    Passkey,
)
from controlroom.identity.factors.recovery import new_recovery_codes, recovery_hash
from controlroom.identity.live_sessions import end_sessions
from controlroom.identity.models import (
    Challenge,
    RecoveryCode,
    SecondFactor,
    Session,
    User,
)
from controlroom.identity.names import require_label
from controlroom.identity.permissions import Permission
from controlroom.identity.reach import lock_users, require_reach_over
from controlroom.identity.rights import read_roles, roles_given

RECENT = timedelta(minutes=15)
"""How long after a proof of who one is the factors of an account may be changed."""
LONGEST_NAME = 100


@dataclass(frozen=True, slots=True)
class OwnFactors:
    """A user's second factors, oldest first, and how many recovery codes are left."""

    factors: Sequence[SecondFactor]
    recovery_codes_left: int
    is_asked_for: bool
    """A role of theirs asks for a second factor."""


class SecondFactors:
    """Second factors and recovery codes of people."""

    def __init__(self, database: Database, clock: Clock, authentication: Authentication) -> None:
        self._database = database
        self._clock = clock
        self._authentication = authentication

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

    async def rename(self, caller: Caller, factor_id: str, name: str) -> SecondFactor:
        """Give one of one's own factors another name."""
        async with self._database.write() as transaction:
            factor = await _own(transaction.session, caller, factor_id)
            before, factor.name = factor.name, factor_name(name)
            tell_factors(
                transaction,
                caller,
                caller.user_id,
                caller.user_name,
                "second_factor_renamed",
                {"from": before, "to": factor.name},
                self._clock.now(),
            )
            return factor

    async def remove(self, caller: Caller, factor_id: str) -> None:
        """Remove one of one's own factors; with the last one the recovery codes go too.

        Raises `Conflict` for the last one where a role asks for one, `ConfirmationNeeded` where the caller last proved
        who they are too long ago.
        """
        async with self._database.write() as transaction:
            session = transaction.session
            await require_recent(session, caller, self._clock.now())
            user = await session.get_one(User, caller.user_id, with_for_update=True)
            factor = await _own(session, caller, factor_id)
            is_last = len(await factors_of(session, caller.user_id)) == 1
            if is_last and await _is_asked_for(session, user):
                raise Conflict("A role of yours asks for a second factor; enrol another one first.")
            await session.delete(factor)
            if is_last:
                await session.execute(delete(RecoveryCode).where(RecoveryCode.user_id == caller.user_id))
            detail = {"factor": factor.kind, "name": factor.name, "last": is_last}
            tell_factors(
                transaction, caller, user.id, user.name, "second_factor_removed", detail, self._clock.now()
            )
        self._authentication.forget(user_ids=[caller.user_id])

    async def make_recovery_codes(self, caller: Caller) -> list[str]:
        """Make new recovery codes in place of the old ones; raise `Conflict` where there is no factor to stand in for."""
        async with self._database.write() as transaction:
            session = transaction.session
            await require_recent(session, caller, self._clock.now())
            await session.get_one(User, caller.user_id, with_for_update=True)
            if not await factors_of(session, caller.user_id):
                raise Conflict("Enrol a second factor first; recovery codes stand in for one.")
            codes = await replace_codes(session, caller.user_id, self._clock.now())
            tell_factors(
                transaction,
                caller,
                caller.user_id,
                caller.user_name,
                "recovery_codes_made",
                {"count": len(codes)},
                self._clock.now(),
            )
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
            tell_factors(
                transaction, caller, user.id, user.name, "second_factor_reset", detail, self._clock.now()
            )
        self._authentication.forget(user_ids=[user_id])
        return len(factors)


async def factors_of(session: AsyncSession, user_id: str) -> Sequence[SecondFactor]:
    """Return a user's second factors, oldest first."""
    query = select(SecondFactor).where(SecondFactor.user_id == user_id)
    return (await session.scalars(query.order_by(SecondFactor.created_at, SecondFactor.id))).all()


def passkey_of(factor: SecondFactor) -> Passkey:
    """Return a passkey as it is checked."""
    detail = factor.detail
    return Passkey(detail["credential_id"], factor.secret, factor.counter, tuple(detail["transports"]))


async def replace_codes(session: AsyncSession, user_id: str, now: datetime) -> list[str]:
    """Make new recovery codes in place of a user's old ones, and return them."""
    codes = new_recovery_codes()
    await session.execute(delete(RecoveryCode).where(RecoveryCode.user_id == user_id))
    session.add_all(
        RecoveryCode(
            id=new_id("rec"),
            user_id=user_id,
            code_hash=recovery_hash(user_id, code),
            created_at=now,
            used_at=None,
        )
        for code in codes
    )
    return codes


def tell_factors(
    transaction: Transaction,
    caller: Caller,
    user_id: str,
    name: str,
    change: str,
    detail: Mapping[str, Any],
    now: datetime,
) -> None:
    """Add the audit entry and the event of a change of someone's second factors."""
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


async def require_recent(session: AsyncSession, caller: Caller, now: datetime) -> None:
    """Raise `ConfirmationNeeded` unless the caller proved who they are a short time ago."""
    if not await _is_recent(session, caller, now):
        raise ConfirmationNeeded("Enter your password again before you change how you sign in.")


async def _own(session: AsyncSession, caller: Caller, factor_id: str) -> SecondFactor:
    found = await session.get(SecondFactor, factor_id) if is_id(factor_id, "fac") else None
    if found is None or found.user_id != caller.user_id:
        raise NotFound(f"You have no second factor '{factor_id}'.")
    return found


def factor_name(name: str) -> str:
    """Return a factor's name as it is kept; raise `Invalid` for one that cannot be shown."""
    return require_label(name, pointer="/name", shortest=1, longest=LONGEST_NAME)
