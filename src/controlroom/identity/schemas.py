"""What the API takes and gives of users, sessions and API keys."""

from datetime import datetime
from typing import Annotated

from pydantic import AwareDatetime, Field, StringConstraints

from controlroom.foundation.http import Schema
from controlroom.identity.caller import Caller
from controlroom.identity.models import ApiKey, Session, User, UserKind
from controlroom.identity.names import LONGEST_DISPLAY_NAME, LONGEST_KEY_NAME
from controlroom.identity.overviews import Overview
from controlroom.identity.passwords import LONGEST_PASSWORD
from controlroom.identity.permissions import Permission, known_permissions
from controlroom.identity.sessions import OpenSession

Name = Annotated[str, StringConstraints(min_length=1, max_length=100)]
DisplayName = Annotated[str, StringConstraints(max_length=LONGEST_DISPLAY_NAME)]
Password = Annotated[
    str, Field(min_length=1, max_length=LONGEST_PASSWORD, json_schema_extra={"format": "password"})
]
Roles = Annotated[list[Name], Field(max_length=50, examples=[["operator"]])]


class SignInIn(Schema):
    """A name and its password."""

    name: Name
    password: Password


class WhoAmI(Schema):
    """Whoever makes the request, and what they may do."""

    user_id: str
    name: str
    display_name: str
    permissions: list[Permission]
    api_key_id: str | None = Field(None, description="The API key that was used, if one was.")
    csrf_token: str | None = Field(
        None, description="Send it as `X-CSRF-Token` with changes by cookie; null for an API key."
    )

    must_enrol: bool = Field(
        False, description="A role asks for a second factor; until one is enrolled, nothing else is open."
    )
    must_change_password: bool = Field(
        False, description="The password was made up; until it is changed, nothing else is open."
    )
    time_zone: str = Field("", description="IANA name; empty for the browser's own.")

    @classmethod
    def of(cls, caller: Caller) -> "WhoAmI":
        """Show a caller to themselves."""
        return cls(
            must_enrol=caller.must_enrol,
            must_change_password=caller.must_change_password,
            time_zone=caller.time_zone,
            user_id=caller.user_id,
            name=caller.user_name,
            display_name=caller.display_name,
            permissions=sorted(caller.permissions),
            api_key_id=caller.api_key_id,
            csrf_token=caller.csrf_token or None,
        )


class SignedInOut(Schema):
    """A new session; its secret is in the cookie."""

    user_id: str
    name: str
    display_name: str
    permissions: list[Permission]
    must_enrol: bool = Field(
        False, description="A role asks for a second factor; until one is enrolled, nothing else is open."
    )
    must_change_password: bool = Field(
        False, description="The password was made up; until it is changed, nothing else is open."
    )
    csrf_token: str = Field(description="Send it as `X-CSRF-Token` with changes by cookie.")
    expires_at: datetime = Field(description="The session ends then at the latest.")


class UserOut(Schema):
    """A user."""

    id: str
    name: str
    kind: UserKind = Field(description="A service account has keys and no password.")
    display_name: str
    roles: list[str] = Field(description="Roles at the root; those at places are role assignments.")
    is_enabled: bool
    disabled_at: datetime | None
    password_changed_at: datetime | None
    created_at: datetime
    updated_at: datetime
    revision: int

    @classmethod
    def of(cls, user: User) -> "UserOut":
        """Show a user, but nothing of their password."""
        return cls(
            id=user.id,
            name=user.name,
            kind=user.kind,
            display_name=user.display_name,
            roles=list(user.roles),
            is_enabled=user.disabled_at is None,
            disabled_at=user.disabled_at,
            password_changed_at=user.password_changed_at,
            created_at=user.created_at,
            updated_at=user.updated_at,
            revision=user.revision,
        )


class ListedUserOut(UserOut):
    """A user as a list shows them."""

    second_factors: int = Field(description="How many second factors they have enrolled.")
    seen_at: datetime | None = Field(description="When they last used a session or a key, exact to a minute.")

    @classmethod
    def listed(cls, user: User, overview: Overview) -> "ListedUserOut":
        """Show a user with what is known of their coming and going."""
        return cls(
            **UserOut.of(user).model_dump(),
            second_factors=overview.second_factors,
            seen_at=overview.seen_at,
        )


class NewUserIn(Schema):
    """A user to create."""

    name: Name = Field(
        description="What they sign in with: a to z, digits, `.`, `_`, `@`, `-`; kept in lower case."
    )
    display_name: DisplayName = ""
    roles: Roles
    password: Password | None = Field(None, description="Leave it out to have one made up.")
    kind: UserKind = Field(
        UserKind.PERSON, description="A service account gets no password; make keys for it instead."
    )


class UserEditIn(Schema):
    """What to change of a user; what is left out stays."""

    display_name: DisplayName | None = None
    roles: Roles | None = None


class OwnAccountIn(Schema):
    """What to change of one's own account."""

    time_zone: Annotated[str, StringConstraints(max_length=64)] = Field(
        description="IANA name such as `Europe/Berlin`; empty for the browser's own."
    )


class PasswordResetIn(Schema):
    """A new password for another user."""

    password: Password | None = Field(None, description="Leave it out to have one made up.")


class PasswordGivenOut(Schema):
    """A user with a new password."""

    user: UserOut
    generated_password: str | None = Field(description="The password that was made up; shown this once.")


class PasswordChangeIn(Schema):
    """A new password for oneself."""

    current_password: Password
    new_password: Password


class SessionOut(Schema):
    """One of one's own sessions."""

    id: str
    address: str
    agent: str = Field(description="What the browser said of itself.")
    created_at: datetime
    used_at: datetime = Field(description="Exact to a minute.")
    expires_at: datetime
    is_current: bool

    @classmethod
    def of(cls, session: Session, caller: Caller) -> "SessionOut":
        """Show a session to its owner."""
        return cls(
            id=session.id,
            address=session.address,
            agent=session.agent,
            created_at=session.created_at,
            used_at=session.used_at,
            expires_at=session.expires_at,
            is_current=session.id == caller.session_id,
        )


class OpenSessionOut(Schema):
    """Someone's session that can still be used."""

    id: str
    user_id: str
    user_name: str
    address: str
    agent: str = Field(description="What the browser said of itself.")
    created_at: datetime
    used_at: datetime = Field(description="Exact to a minute.")
    expires_at: datetime
    is_current: bool

    @classmethod
    def of(cls, found: OpenSession, caller: Caller) -> "OpenSessionOut":
        """Show a session to whoever manages sessions."""
        shown = SessionOut.of(found.session, caller)
        return cls(user_id=found.session.user_id, user_name=found.user_name, **shown.model_dump())


class EndedOut(Schema):
    """How many sessions ended."""

    ended: int


class ApiKeyOut(Schema):
    """An API key, without its secret."""

    id: str
    user_id: str
    name: str
    hint: str = Field(description="The key's last characters.")
    permissions: list[Permission]
    created_at: datetime
    expires_at: datetime
    used_at: datetime | None = Field(description="Exact to a minute.")
    revoked_at: datetime | None
    rotated_from_id: str | None = Field(description="The key that this one takes the place of.")

    @classmethod
    def of(cls, key: ApiKey) -> "ApiKeyOut":
        """Show a key, but nothing it could be used with."""
        return cls(
            id=key.id,
            user_id=key.user_id,
            name=key.name,
            hint=key.hint,
            permissions=sorted(known_permissions(key.permissions)),
            created_at=key.created_at,
            expires_at=key.expires_at,
            used_at=key.used_at,
            revoked_at=key.revoked_at,
            rotated_from_id=key.rotated_from_id,
        )


class NewApiKeyIn(Schema):
    """An API key to make."""

    name: Annotated[str, StringConstraints(min_length=1, max_length=LONGEST_KEY_NAME)]
    permissions: Annotated[list[Permission], Field(min_length=1, max_length=len(Permission))]
    expires_at: AwareDatetime = Field(description="At most a year from now.")
    user_id: Annotated[str, StringConstraints(max_length=64)] | None = Field(
        None, description="A service account whose key it becomes; one's own where it is left out."
    )


class RotationIn(Schema):
    """How a key is to be rotated."""

    overlap_hours: int = Field(24, ge=0, le=24 * 30, description="How long the old key counts on.")
    expires_at: AwareDatetime = Field(description="End of the new key, at most a year from now.")


class NewApiKeyOut(Schema):
    """An API key that was just made."""

    key: ApiKeyOut
    secret: str = Field(description="The key itself; shown this once.", examples=["crk_..."])
