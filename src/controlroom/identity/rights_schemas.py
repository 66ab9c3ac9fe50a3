"""What the API takes and gives of roles, where they are given, and why someone may or may not."""

from datetime import datetime
from typing import Annotated

from pydantic import Field, StringConstraints

from controlroom.foundation.http import Schema
from controlroom.identity.assignments import AssignmentView
from controlroom.identity.explanation import Explanation, Reason
from controlroom.identity.holders import Holder, HoldersAt
from controlroom.identity.permissions import Permission, Scope
from controlroom.identity.places import PlaceKind
from controlroom.identity.roles import LONGEST_DESCRIPTION, RoleView

RoleName = Annotated[str, StringConstraints(min_length=1, max_length=100)]
PlaceName = Annotated[
    str,
    StringConstraints(max_length=400),
    Field(
        description="A folder's path, a bot's id, name or folder and name, a pool's id or name; empty for the root."
    ),
]
Rights = Annotated[list[Permission], Field(min_length=1, max_length=len(Permission))]
Description = Annotated[str, StringConstraints(max_length=LONGEST_DESCRIPTION)]


class PermissionOut(Schema):
    """A right, and what it means."""

    name: Permission
    meaning: str
    scope: Scope = Field(description="Where a role can give it.")


class RoleOut(Schema):
    """A role and the rights it gives."""

    name: str
    description: str
    permissions: list[Permission]
    requires_second_factor: bool
    is_shipped: bool = Field(description="Ships with the product; its rights stay.")
    revision: int

    @classmethod
    def of(cls, role: RoleView) -> "RoleOut":
        """Show a role."""
        return cls(
            name=role.name,
            description=role.description,
            permissions=sorted(role.permissions),
            requires_second_factor=role.requires_second_factor,
            is_shipped=role.is_shipped,
            revision=role.revision,
        )


class NewRoleIn(Schema):
    """A role to make."""

    name: RoleName = Field(description="a to z, digits, `.`, `_`, `@`, `-`; kept in lower case.")
    description: Description = ""
    permissions: Rights
    requires_second_factor: bool = False


class RoleEditIn(Schema):
    """What to change of a role; what is left out stays."""

    description: Description | None = None
    permissions: Rights | None = None
    requires_second_factor: bool | None = None


class AssignmentIn(Schema):
    """A role to give at a place."""

    user: RoleName = Field(description="The user's id or name.")
    role: RoleName
    kind: PlaceKind = Field(description="`folder`, `bot` or `pool`; one at the root is part of the user.")
    place: PlaceName


class AssignmentOut(Schema):
    """A role that a user has at a place, and at all that lies below it."""

    id: str
    user_id: str
    user_name: str
    role: str
    kind: PlaceKind
    place: str = Field(description="A folder's path, a bot's id or a pool's id.")
    place_name: str
    created_at: datetime
    created_by: str

    @classmethod
    def of(cls, view: AssignmentView) -> "AssignmentOut":
        """Show an assignment."""
        row = view.assignment
        return cls(
            id=row.id,
            user_id=row.user_id,
            user_name=view.user_name,
            role=row.role,
            kind=row.kind,
            place=row.place,
            place_name=view.place_name,
            created_at=row.created_at,
            created_by=row.created_by,
        )


class ReasonOut(Schema):
    """A role that gives a right, and where it was given."""

    role: str
    kind: PlaceKind
    place: str
    place_name: str

    @classmethod
    def of(cls, reason: Reason) -> "ReasonOut":
        """Show a reason."""
        return cls(
            role=reason.role, kind=reason.place.kind, place=reason.place.value, place_name=reason.place_name
        )


class ExplanationOut(Schema):
    """Whether a user may do something somewhere, and why."""

    user_id: str
    user_name: str
    permission: Permission
    kind: PlaceKind
    place: str
    place_name: str
    allowed: bool
    sentence: str
    reasons: list[ReasonOut] = Field(description="What gives the right here.")
    hindrances: list[str] = Field(description="Why not; empty where it is allowed.")
    elsewhere: list[ReasonOut] = Field(description="Where else the user has the right.")
    roles_with_it: list[str]

    @classmethod
    def of(cls, found: Explanation) -> "ExplanationOut":
        """Show an explanation."""
        return cls(
            user_id=found.user.id,
            user_name=found.user.name,
            permission=found.permission,
            kind=found.place.kind,
            place=found.place.value,
            place_name=found.place_name,
            allowed=found.allowed,
            sentence=found.sentence,
            reasons=[ReasonOut.of(each) for each in found.reasons],
            hindrances=list(found.hindrances),
            elsewhere=[ReasonOut.of(each) for each in found.elsewhere],
            roles_with_it=list(found.roles_with_it),
        )


class HolderOut(Schema):
    """A user with a role that counts at a place."""

    user_id: str
    user_name: str
    is_enabled: bool
    role: str
    permissions: list[Permission] = Field(description="Those of the role that mean something at the place.")
    kind: PlaceKind = Field(description="Where it was given: at the place, or above it.")
    place: str
    place_name: str
    assignment_id: str = Field(description="Empty for a role at the root, which is part of the user.")

    @classmethod
    def of(cls, found: Holder) -> "HolderOut":
        """Show a holder."""
        return cls(
            user_id=found.user_id,
            user_name=found.user_name,
            is_enabled=found.is_enabled,
            role=found.role,
            permissions=sorted(found.rights),
            kind=found.place.kind,
            place=found.place.value,
            place_name=found.place_name,
            assignment_id=found.assignment_id,
        )


class HoldersOut(Schema):
    """Who has a role at a place."""

    kind: PlaceKind
    place: str
    place_name: str
    here: list[HolderOut] = Field(description="Roles given at the place itself.")
    inherited: list[HolderOut] | None = Field(
        description="Roles given above it, which count there too; null without the right 'user.read'."
    )

    @classmethod
    def of(cls, found: HoldersAt) -> "HoldersOut":
        """Show who has a role at a place."""
        inherited = found.inherited
        return cls(
            kind=found.place.kind,
            place=found.place.value,
            place_name=found.name,
            here=[HolderOut.of(each) for each in found.here],
            inherited=None if inherited is None else [HolderOut.of(each) for each in inherited],
        )
