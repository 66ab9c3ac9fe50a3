"""Edits by form say which revision they were made from, as edits by the API do with ``If-Match``."""

from collections.abc import Callable

from controlroom.foundation.errors import PreconditionFailed


def made_from(revision: int) -> Callable[[int], None]:
    """Return the check of an edit that was made from a revision; it raises `PreconditionFailed` for any other."""

    def check(present: int) -> None:
        if present != revision:
            raise PreconditionFailed(
                "Someone changed this while you were at it. What they made of it is shown beside; save again to put yours in its place."
            )

    return check
