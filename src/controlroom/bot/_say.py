"""Readable lines for the author, where no runner listens."""

from __future__ import annotations

import sys


def say(line: str) -> None:
    """Print a line to standard error, so that what the bot prints itself stays as it is."""
    try:
        print(line, file=sys.stderr, flush=True)  # noqa: T201  # the author's terminal is the only listener here
    except (OSError, ValueError, AttributeError):
        return
