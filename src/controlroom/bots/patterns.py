"""Regular expressions that strangers wrote, matched in time that grows only with the text (RE2), never exponentially."""

import re
from functools import lru_cache
from typing import Protocol, cast

import re2  # type: ignore[import-untyped]  # the library has no stubs

LONGEST_PATTERN = 500
_MEMORY_BYTES = 2 * 1024 * 1024
_ECMA_ESCAPE = re.compile(r"\\(\\|u([0-9a-fA-F]{4})|u\{([0-9a-fA-F]{1,6})\})")
"""ECMA-262 writes a character as ``\\u00e9``, RE2 as ``\\x{00e9}``; an escaped backslash stays as it is."""


class PatternRefused(ValueError):
    """The pattern cannot be used; the text says why in a few words."""


class Pattern(Protocol):
    """A compiled pattern."""

    def search(self, text: str) -> object | None:
        """Return something where the pattern is found anywhere in the text."""
        ...


@lru_cache(maxsize=512)
def compiled(pattern: str) -> Pattern:
    """Return a pattern ready for matching; raise `PatternRefused`.

    The dialect is RE2's (github.com/google/re2/wiki/Syntax): ECMA-262 without look-around and back-references.
    """
    if len(pattern) > LONGEST_PATTERN:
        raise PatternRefused(f"is longer than {LONGEST_PATTERN} characters")
    options = re2.Options()
    options.log_errors = False
    options.never_capture = True
    options.max_mem = _MEMORY_BYTES
    try:
        return cast("Pattern", re2.compile(_ECMA_ESCAPE.sub(_to_re2, pattern), options))
    except (re2.error, UnicodeError) as error:
        said = error.args[0] if error.args else ""
        words = said.decode("utf-8", "replace") if isinstance(said, bytes) else "it is not text"
        raise PatternRefused(
            f"is not a pattern that can be used: {words} (no look-around, no back-references)"
        ) from None


def found_in(pattern: str, text: str) -> bool:
    """Say whether the pattern is found anywhere in the text; raise `PatternRefused`."""
    return compiled(pattern).search(text) is not None


def _to_re2(escape: re.Match[str]) -> str:
    digits = escape[2] or escape[3]
    return f"\\x{{{digits}}}" if digits else escape[0]
