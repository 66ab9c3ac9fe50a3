"""Whoever makes a request, and the one place that says whether they may."""

from dataclasses import dataclass, field

from controlroom.audit.actor import Actor
from controlroom.foundation.errors import Forbidden
from controlroom.identity.permissions import Permission


@dataclass(frozen=True, slots=True)
class Caller:
    """Someone signed in, or a program with an API key. ``user_id`` is the user whose rights these are.

    ``csrf_token`` is what this session's forms and changing requests must carry; empty for an API key, which needs
    none.
    """

    actor: Actor
    user_id: str
    user_name: str
    permissions: frozenset[Permission]
    session_id: str | None = None
    api_key_id: str | None = None
    display_name: str = ""
    csrf_token: str = field(default="", repr=False)

    def may(self, permission: Permission) -> bool:
        """Say whether this caller has a right."""
        return permission in self.permissions

    def require(self, permission: Permission) -> None:
        """Raise `Forbidden` that names the right that is missing."""
        if permission not in self.permissions:
            raise Forbidden(
                f"This needs the right '{permission.value}', which {self.user_name} does not have here."
            )
