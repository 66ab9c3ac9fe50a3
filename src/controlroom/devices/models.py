"""Tables of devices, pools and join tokens."""

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from controlroom.foundation.database import Base, BigSerial, Choice, Json, UtcDateTime
from controlroom.foundation.ids import ID_LENGTH
from controlroom.protocol import OLDEST_PROTOCOL_VERSION


class DeviceMode(StrEnum):
    """What an administrator wants of a device."""

    ACTIVE = "active"
    DRAINING = "draining"
    """Finishes what it has and takes nothing new."""
    DISABLED = "disabled"
    REVOKED = "revoked"
    """Its key counts no more; it must join anew."""


class Device(Base):
    """A machine with a Bot Runner. Connected while ``connected_at`` is set, by the node ``node_id``."""

    __tablename__ = "devices"
    __table_args__ = (Index(None, "mode", "connected_at", "slots"),)

    id: Mapped[str] = mapped_column(String(ID_LENGTH), primary_key=True)
    name: Mapped[str] = mapped_column(String(100), unique=True)
    key_hash: Mapped[str] = mapped_column(String(64), unique=True)
    mode: Mapped[DeviceMode] = mapped_column(Choice(DeviceMode), default=DeviceMode.ACTIVE)
    slots: Mapped[int] = mapped_column(default=1)
    labels: Mapped[list[str]] = mapped_column(Json)
    facts: Mapped[dict[str, Any]] = mapped_column(Json)
    node_id: Mapped[str | None] = mapped_column(String(ID_LENGTH))
    connection_id: Mapped[str | None] = mapped_column(String(ID_LENGTH))
    connected_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    seen_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    protocol_version: Mapped[int] = mapped_column(default=OLDEST_PROTOCOL_VERSION)
    """What its runner spoke when it connected last."""
    joined_at: Mapped[datetime] = mapped_column(UtcDateTime)
    updated_at: Mapped[datetime] = mapped_column(UtcDateTime)
    revision: Mapped[int] = mapped_column(default=1)


class PoolShare(StrEnum):
    """How the runs that wait for a pool share it."""

    PRIORITY = "priority"
    """The highest priority first, then the oldest."""
    ROUND_ROBIN = "round_robin"
    """The bots take turns: the one with the fewest runs in the pool comes next."""


class PoolOrder(StrEnum):
    """In which order a pool's devices are filled."""

    SPREAD = "spread"
    """The one with the largest share of free slots first."""
    LISTED = "listed"
    """As its members are listed: the next one only when those before it are full."""


class DevicePool(Base):
    """A named group of devices."""

    __tablename__ = "device_pools"

    id: Mapped[str] = mapped_column(String(ID_LENGTH), primary_key=True)
    name: Mapped[str] = mapped_column(String(100), unique=True)
    description: Mapped[str] = mapped_column(String(2000), default="")
    share: Mapped[PoolShare] = mapped_column(Choice(PoolShare), default=PoolShare.PRIORITY)
    device_order: Mapped[PoolOrder] = mapped_column(Choice(PoolOrder), default=PoolOrder.SPREAD)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    updated_at: Mapped[datetime] = mapped_column(UtcDateTime)
    revision: Mapped[int] = mapped_column(default=1)


class PoolMember(Base):
    """A device's place in a pool."""

    __tablename__ = "device_pool_members"

    pool_id: Mapped[str] = mapped_column(ForeignKey("device_pools.id"), primary_key=True)
    device_id: Mapped[str] = mapped_column(ForeignKey("devices.id"), primary_key=True, index=True)
    position: Mapped[int] = mapped_column(default=0)
    """Where the device stands in the pool's list, from 0."""


class PresenceChange(Base):
    """A device came, went or was taken for gone."""

    __tablename__ = "device_presence"
    __table_args__ = (Index(None, "device_id", "id"),)

    id: Mapped[int] = mapped_column(BigSerial, primary_key=True)
    device_id: Mapped[str] = mapped_column(ForeignKey("devices.id"))
    time: Mapped[datetime] = mapped_column(UtcDateTime)
    is_connected: Mapped[bool]
    reason: Mapped[str] = mapped_column(String(200), default="")


class JoinToken(Base):
    """A one-time token that a runner exchanges for its own key; only its SHA-256 is kept."""

    __tablename__ = "join_tokens"

    id: Mapped[str] = mapped_column(String(ID_LENGTH), primary_key=True)
    token_hash: Mapped[str] = mapped_column(String(64), unique=True)
    note: Mapped[str] = mapped_column(String(200), default="")
    labels: Mapped[list[str]] = mapped_column(Json)
    created_by: Mapped[str] = mapped_column(String(200))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime)
    used_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    revoked_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    device_id: Mapped[str | None] = mapped_column(String(ID_LENGTH))
