"""Whoever makes a request, and the one place that says whether they may."""

from dataclasses import dataclass, field

from controlroom.audit.actor import Actor
from controlroom.foundation.errors import Forbidden
from controlroom.identity.permissions import Permission
from controlroom.identity.places import EVERYWHERE, At, Place, Placed


@dataclass(frozen=True, slots=True)
class Caller:
    """Someone signed in, or a program with an API key. ``user_id`` is the user whose rights these are.

    ``permissions`` are the rights that they have at one place or another, ``placed`` says where; without it they have
    them everywhere. ``csrf_token`` is what this session's forms and changing requests must carry; empty for an API
    key, which needs none.
    """

    actor: Actor
    user_id: str
    user_name: str
    permissions: frozenset[Permission]
    session_id: str | None = None
    api_key_id: str | None = None
    display_name: str = ""
    csrf_token: str = field(default="", repr=False)
    placed: Placed | None = None
    time_zone: str = ""
    must_enrol: bool = False
    """A role of theirs asks for a second factor and they have none: until they do, they may do nothing else."""
    must_change_password: bool = False
    """Their password was made up for them: until they choose their own, they may do nothing else."""

    @property
    def everywhere(self) -> frozenset[Permission]:
        """The rights that they have at the root, so everywhere."""
        return self.permissions if self.placed is None else self.placed.everywhere

    def may(self, permission: Permission, at: At | None = None) -> bool:
        """Say whether this caller has a right for a thing; without one, whether they have it for anything at all.

        What changes or shows a thing asks for that thing; only menus and the doors of routes ask for anything at all.
        """
        if at is None or self.placed is None:
            return permission in self.permissions
        return permission in self.placed.at_place(at)

    def require(self, permission: Permission, at: At | None = None) -> None:
        """Raise `Forbidden` that names the right that is missing."""
        if not self.may(permission, at):
            raise Forbidden(
                f"This needs the right '{permission.value}', which {self.user_name} does not have here."
            )

    def require_everywhere(self, permission: Permission) -> None:
        """Raise `Forbidden` unless the right was given at the root: for what belongs to no folder and no pool."""
        self.require(permission, EVERYWHERE)

    def places_with(self, permission: Permission) -> tuple[Place, ...] | None:
        """Return the places at which this caller was given a right, or None where they have it everywhere."""
        if self.placed is None or permission in self.placed.everywhere:
            return None if permission in self.permissions else ()
        return self.placed.having(permission)
