"""Tables of users, roles and where they are given, sessions, second factors and API keys."""

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import BigInteger, ForeignKey, Index, String, Text, UniqueConstraint, false
from sqlalchemy.orm import Mapped, mapped_column

from controlroom.foundation.database import Base, Choice, Json, UtcDateTime
from controlroom.foundation.ids import ID_LENGTH
from controlroom.identity.places import PlaceKind


class UserKind(StrEnum):
    """Who stands behind a user."""

    PERSON = "person"
    SERVICE = "service"
    """A program: it has keys and no password, and cannot sign in."""


class User(Base):
    """A person or a service account. ``name`` is what they sign in with, in lower case."""

    __tablename__ = "users"

    id: Mapped[str] = mapped_column(String(ID_LENGTH), primary_key=True)
    name: Mapped[str] = mapped_column(String(100), unique=True)
    display_name: Mapped[str] = mapped_column(String(200), default="")
    password_hash: Mapped[str | None] = mapped_column(String(200))
    """An argon2id hash, or None for an account that cannot sign in with a password."""
    roles: Mapped[list[str]] = mapped_column(Json)
    """The roles given at the root, so everywhere; those at other places are `RoleAssignment` rows."""
    kind: Mapped[UserKind] = mapped_column(Choice(UserKind), default=UserKind.PERSON, server_default="person")
    time_zone: Mapped[str] = mapped_column(String(64), default="", server_default="")
    """Name of the IANA time zone in which they read times; empty for the browser's own."""
    disabled_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    password_changed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    must_change_password: Mapped[bool] = mapped_column(default=False, server_default=false())
    """Their password was made up, and another has seen it: until they choose their own, nothing is open to them."""
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    updated_at: Mapped[datetime] = mapped_column(UtcDateTime)
    revision: Mapped[int] = mapped_column(default=1)


class Session(Base):
    """A browser's session; the cookie holds a secret of which only the SHA-256 is kept."""

    __tablename__ = "sessions"

    id: Mapped[str] = mapped_column(String(ID_LENGTH), primary_key=True)
    token_hash: Mapped[str] = mapped_column(String(64), unique=True)
    user_id: Mapped[str] = mapped_column(ForeignKey("users.id"), index=True)
    csrf_token: Mapped[str] = mapped_column(String(64))
    address: Mapped[str] = mapped_column(String(64))
    agent: Mapped[str] = mapped_column(String(300))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    used_at: Mapped[datetime] = mapped_column(UtcDateTime)
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime)
    ended_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    confirmed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    """When its owner last proved who they are: at signing in, or since."""


class ApiKey(Base):
    """A program's key; shown once, only its SHA-256 is kept. Never has more rights than its user."""

    __tablename__ = "api_keys"

    id: Mapped[str] = mapped_column(String(ID_LENGTH), primary_key=True)
    key_hash: Mapped[str] = mapped_column(String(64), unique=True)
    user_id: Mapped[str] = mapped_column(ForeignKey("users.id"), index=True)
    name: Mapped[str] = mapped_column(String(100))
    hint: Mapped[str] = mapped_column(String(12))
    """The key's last characters, to tell keys apart."""
    permissions: Mapped[list[str]] = mapped_column(Json)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime)
    used_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    revoked_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    rotated_from_id: Mapped[str | None] = mapped_column(String(ID_LENGTH))
    """The key that this one takes the place of."""


class Role(Base):
    """A role of one's own; for a shipped role (``permissions`` is None) only what is asked of those who have it."""

    __tablename__ = "roles"

    name: Mapped[str] = mapped_column(String(100), primary_key=True)
    description: Mapped[str] = mapped_column(String(500), default="")
    permissions: Mapped[list[str] | None] = mapped_column(Json)
    requires_second_factor: Mapped[bool] = mapped_column(default=False)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    updated_at: Mapped[datetime] = mapped_column(UtcDateTime)
    revision: Mapped[int] = mapped_column(default=1)


class RoleAssignment(Base):
    """A role that a user has at a place below the root, and at all that lies below it."""

    __tablename__ = "role_assignments"
    __table_args__ = (
        UniqueConstraint("user_id", "role", "kind", "place"),
        Index(None, "kind", "place"),
        Index(None, "role"),
    )

    id: Mapped[str] = mapped_column(String(ID_LENGTH), primary_key=True)
    user_id: Mapped[str] = mapped_column(ForeignKey("users.id"))
    role: Mapped[str] = mapped_column(String(100))
    kind: Mapped[PlaceKind] = mapped_column(Choice(PlaceKind))
    place: Mapped[str] = mapped_column(String(400))
    """A folder's path, a bot's id or a pool's id."""
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    created_by: Mapped[str] = mapped_column(String(200))


class FactorKind(StrEnum):
    """Kinds of second factor."""

    TOTP = "totp"
    PASSKEY = "passkey"


class SecondFactor(Base):
    """What a user proves themselves with beside the password."""

    __tablename__ = "second_factors"

    id: Mapped[str] = mapped_column(String(ID_LENGTH), primary_key=True)
    user_id: Mapped[str] = mapped_column(ForeignKey("users.id"), index=True)
    kind: Mapped[FactorKind] = mapped_column(Choice(FactorKind))
    name: Mapped[str] = mapped_column(String(100))
    secret: Mapped[str] = mapped_column(Text)
    """The TOTP secret, encrypted with the server's key; or a passkey's public key, base64url."""
    credential_hash: Mapped[str | None] = mapped_column(String(64), unique=True)
    """SHA-256 of a passkey's credential id, by which it is found."""
    counter: Mapped[int] = mapped_column(BigInteger, default=0)
    """The last time step whose TOTP code was taken; or a passkey's last signature count."""
    detail: Mapped[dict[str, Any]] = mapped_column(Json)
    """Of a passkey: its credential id and transports."""
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    used_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class RecoveryCode(Base):
    """A code that stands in once for a lost second factor; only its SHA-256 is kept."""

    __tablename__ = "recovery_codes"
    __table_args__ = (UniqueConstraint("user_id", "code_hash"),)

    id: Mapped[str] = mapped_column(String(ID_LENGTH), primary_key=True)
    user_id: Mapped[str] = mapped_column(ForeignKey("users.id"))
    code_hash: Mapped[str] = mapped_column(String(64))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    used_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class Purpose(StrEnum):
    """What a challenge is for."""

    SIGN_IN = "sign_in"
    """A right password was given; the second factor is still to come."""
    TOTP = "totp"
    PASSKEY = "passkey"
    """A new second factor of this kind is being enrolled."""


class Challenge(Base):
    """A step that was begun and waits for its answer, for some minutes and a few tries."""

    __tablename__ = "identity_challenges"

    id: Mapped[str] = mapped_column(String(ID_LENGTH), primary_key=True)
    token_hash: Mapped[str] = mapped_column(String(64), unique=True)
    purpose: Mapped[Purpose] = mapped_column(Choice(Purpose))
    user_id: Mapped[str] = mapped_column(ForeignKey("users.id"), index=True)
    secret: Mapped[str] = mapped_column(Text)
    """The WebAuthn challenge (hex), or the new TOTP secret, encrypted with the server's key."""
    tries: Mapped[int] = mapped_column(default=0)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
