"""The names of users and things: which forms they may have, and the one form they are kept in."""

import re
import unicodedata

from controlroom.foundation.errors import FieldError, Invalid

LONGEST_DISPLAY_NAME = 200
LONGEST_KEY_NAME = 100

_NAME = re.compile(r"[a-z0-9][a-z0-9._@-]{0,99}")


def folded_name(name: str) -> str:
    """Return a name in lower case, without blanks around it; empty where no user can have it."""
    folded = unicodedata.normalize("NFKC", name).strip().casefold()
    return folded if _NAME.fullmatch(folded) else ""


def require_name(name: str) -> str:
    """Return a new user's name as it is kept; raise `Invalid` where it has a form that no name may have."""
    folded = folded_name(name)
    if not folded:
        message = (
            "A user name has 1 to 100 letters a to z, digits or . _ @ - and begins with a letter or digit."
        )
        raise Invalid(message, fields=(FieldError("/name", message),))
    return folded


def require_label(label: str, *, pointer: str, shortest: int, longest: int) -> str:
    """Return a name for people to read, without blanks around it; raise `Invalid` for one that cannot be shown."""
    kept = label.strip()
    problem = ""
    if not shortest <= len(kept) <= longest:
        problem = f"This has {shortest} to {longest} characters, not {len(kept)}."
    elif any(unicodedata.category(character) in ("Cc", "Cs") for character in kept):
        problem = "This may not hold control characters."
    if problem:
        raise Invalid(problem, fields=(FieldError(pointer, problem),))
    return kept
