"""How a runner joins: a one-time token is exchanged for the device's own key, of which only the hash is kept."""

import hashlib
from collections.abc import Sequence
from datetime import datetime, timedelta

import msgspec
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from controlroom.audit import service as audit
from controlroom.audit.actor import Actor, ActorKind
from controlroom.devices.errors import JoinTokenNotFound, JoinTokenRefused
from controlroom.devices.models import Device, DeviceMode, JoinToken
from controlroom.devices.schemas import LABEL, MOST_SLOTS, JoinTokenIn
from controlroom.foundation import outbox
from controlroom.foundation.clock import Clock
from controlroom.foundation.database import Database
from controlroom.foundation.errors import Conflict
from controlroom.foundation.ids import new_id, new_secret
from controlroom.identity.caller import Caller
from controlroom.identity.permissions import Permission
from controlroom.protocol.join import JoinReply, JoinRequest

_MOST_LISTED = 500
_JOIN_TRIES = 10
_MOST_LABELS = 50


def secret_hash(secret: str) -> str:
    """Return the SHA-256 of a secret of 256 random bits, which needs no slower hash."""
    return hashlib.sha256(secret.encode()).hexdigest()


class JoinService:
    """Join tokens and joining, as ``app.state.joining``."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def create_token(self, caller: Caller, wanted: JoinTokenIn) -> tuple[JoinToken, str]:
        """Make a join token; return it and its text, which is shown this once."""
        caller.require_everywhere(Permission.DEVICE_MANAGE)
        now, text = self._clock.now(), new_secret("crj")
        token = JoinToken(
            id=new_id("jtk"),
            token_hash=secret_hash(text),
            note=wanted.note,
            labels=list(wanted.labels),
            created_by=caller.user_name,
            created_at=now,
            expires_at=now + timedelta(minutes=wanted.valid_minutes),
        )
        async with self._database.write() as transaction:
            transaction.session.add(token)
            audit.record(
                transaction, time=now, actor=caller.actor, action="join_token.created", target_kind="join_token", target_id=token.id,
                target_name=token.note, detail={"valid_minutes": wanted.valid_minutes, "labels": list(wanted.labels)},
            )  # fmt: skip
        return token, text

    async def tokens(self, caller: Caller) -> Sequence[JoinToken]:
        """Return the newest join tokens."""
        caller.require_everywhere(Permission.DEVICE_MANAGE)
        async with self._database.read() as session:
            query = select(JoinToken).order_by(JoinToken.created_at.desc()).limit(_MOST_LISTED)
            return (await session.scalars(query)).all()

    async def token(self, caller: Caller, token_id: str) -> JoinToken:
        """Return one join token; raise `JoinTokenNotFound`."""
        caller.require_everywhere(Permission.DEVICE_MANAGE)
        async with self._database.read() as session:
            token = await session.get(JoinToken, token_id)
        if token is None:
            raise JoinTokenNotFound(f"There is no join token '{token_id}'.")
        return token

    async def revoke_token(self, caller: Caller, token_id: str) -> JoinToken:
        """Make a join token useless; one that is used or revoked already is let be."""
        caller.require_everywhere(Permission.DEVICE_MANAGE)
        now = self._clock.now()
        async with self._database.write() as transaction:
            token = await transaction.session.get(JoinToken, token_id)
            if token is None:
                raise JoinTokenNotFound(f"There is no join token '{token_id}'.")
            if token.used_at is None and token.revoked_at is None:
                token.revoked_at = now
                audit.record(
                    transaction, time=now, actor=caller.actor, action="join_token.revoked", target_kind="join_token",
                    target_id=token.id, target_name=token.note,
                )  # fmt: skip
            return token

    async def join(self, wanted: JoinRequest, address: str) -> JoinReply:
        """Exchange a token for a device and its key; raise `JoinTokenRefused` where the token does not count.

        Machines made from one image join under one name at the same moment; each gets a name of its own.
        """
        for _ in range(_JOIN_TRIES):
            try:
                return await self._join(wanted, address)
            except IntegrityError:  # another took the free name meanwhile
                continue
        raise Conflict(f"Too many devices join as '{wanted.name}' at once; try again.")

    async def _join(self, wanted: JoinRequest, address: str) -> JoinReply:
        now, key = self._clock.now(), new_secret("crr")
        async with self._database.write() as transaction:
            session = transaction.session
            token = await session.scalar(
                select(JoinToken).where(JoinToken.token_hash == secret_hash(wanted.token)).with_for_update()
            )
            if token is None or not _counts(token, now):
                raise JoinTokenRefused(
                    "The join token is unknown, used, revoked or expired; make a new one on the Devices page."
                )
            device = Device(
                id=new_id("dev"),
                name=await _free_name(session, wanted.name),
                key_hash=secret_hash(key),
                mode=DeviceMode.ACTIVE,
                slots=min(max(1, wanted.slots), MOST_SLOTS),
                labels=sorted({*token.labels, *filter(_is_label, wanted.labels)})[:_MOST_LABELS],
                facts=msgspec.to_builtins(wanted.facts),
                joined_at=now,
                updated_at=now,
                revision=1,
            )
            session.add(device)
            token.used_at, token.device_id = now, device.id
            actor = Actor(ActorKind.DEVICE, device.id, device.name, address)
            audit.record(
                transaction, time=now, actor=actor, action="device.joined", target_kind="device", target_id=device.id,
                target_name=device.name, detail={"join_token": token.id, "labels": device.labels, "slots": device.slots},
            )  # fmt: skip
            outbox.emit(
                transaction, time=now, kind="device.joined", subject=device.id, data={"name": device.name}
            )
            return JoinReply(device.id, device.name, key)


def _is_label(text: str) -> bool:
    return LABEL.fullmatch(text) is not None


def _counts(token: JoinToken, now: datetime) -> bool:
    return token.used_at is None and token.revoked_at is None and token.expires_at > now


async def _free_name(session: AsyncSession, wanted: str) -> str:
    base = "".join(
        character if character.isalnum() or character in " ._-" else "-" for character in wanted
    ).strip(" ._-")[:90]
    base = base or "device"
    taken = set(
        await session.scalars(select(Device.name).where(Device.name.startswith(base, autoescape=True)))
    )
    names = (base if number == 1 else f"{base}-{number}" for number in range(1, len(taken) + 2))
    return next(name for name in names if name not in taken)
