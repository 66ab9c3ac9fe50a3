"""Time zones by their IANA names, as people choose them."""

from functools import cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from controlroom.foundation.errors import FieldError, Invalid


@cache
def zone_names() -> tuple[str, ...]:
    """Return the names of the zones that people live in, sorted; those without a place are left out but for UTC."""
    return tuple(sorted(name for name in available_timezones() if _is_offered(name)))


def require_zone(name: str) -> str:
    """Return a zone's name as it is kept, empty for none chosen; raise `Invalid` for one that is not known."""
    kept = name.strip()
    if not kept:
        return ""
    try:
        ZoneInfo(kept)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        message = f"There is no time zone '{kept[:64]}'; write one such as Europe/Berlin."
        raise Invalid(message, fields=(FieldError("/time_zone", message),)) from None
    return kept


def _is_offered(name: str) -> bool:
    return name == "UTC" or (
        "/" in name and not name.startswith(("Etc/", "posix/", "right/", "US/", "SystemV/"))
    )
