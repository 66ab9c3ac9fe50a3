"""Which settings may change at run time, within which bounds, and what of each takes effect when."""

from collections.abc import Mapping
from dataclasses import dataclass

from controlroom.foundation.errors import FieldError, Invalid
from controlroom.identity.permissions import Permission


@dataclass(frozen=True, slots=True)
class Changeable:
    """What a setting is called, its bounds, both included, in its ``unit``; the right to change it; when a change takes effect."""

    title: str
    least: int
    most: int
    unit: str
    effect: str
    permission: Permission = Permission.SETTINGS_MANAGE

    def checked(self, value: int) -> int:
        """Return a value that can stand; raise `Invalid` that says the bounds."""
        if not self.least <= value <= self.most:
            message = f"It is {self.least:,} to {self.most:,} {self.unit}, not {value:,}."
            raise Invalid(message, fields=(FieldError("/value", message),))
        return value


_AT_ONCE = "Counts at once, for open sessions too."
_NEXT = "Counts from the next clearing up on, within minutes."
_A_YEAR_OF_HOURS = 8_760

CHANGEABLE: Mapping[str, Changeable] = {
    "session_idle_minutes": Changeable("Longest pause of a session", 5, 43_200, "minutes", _AT_ONCE),
    "session_absolute_hours": Changeable(
        "Longest session", 1, _A_YEAR_OF_HOURS, "hours", "Counts for sessions that begin from now on."
    ),
    "password_minimum_length": Changeable(
        "Shortest password", 8, 128, "characters", "Counts for passwords chosen from now on."
    ),
    "event_retention_hours": Changeable("Live events are kept", 1, _A_YEAR_OF_HOURS, "hours", _NEXT),
    "unnamed_file_hours": Changeable("Files without a name are kept", 1, _A_YEAR_OF_HOURS, "hours", _NEXT),
    "audit_retention_days": Changeable(
        "Audit entries are kept",
        0,
        36_500,
        "days",
        "Counts from the next clearing up on, within an hour. What is removed then does not come back.",
        Permission.AUDIT_MANAGE,
    ),
}
"""All others are read once, when the server starts."""
