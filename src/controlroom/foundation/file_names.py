"""Names of files that people bring: which ones are kept as they are, and how they lie safely in a folder anywhere."""

import re
import unicodedata
from collections.abc import Iterable

LONGEST_NAME = 200
_LONGEST_SAFE_BYTES = 150
_NOT_EVERYWHERE = frozenset('<>:"|?*')
_RESERVED = re.compile(r"^(con|prn|aux|nul|conin\$|conout\$|com[0-9¹²³]|lpt[0-9¹²³])(\..*)?$", re.IGNORECASE)
"""Names of devices on Windows (learn.microsoft.com: Naming Files, Paths, and Namespaces)."""
_NAMELESS = "file"


def name_problem(name: str) -> str:
    """Say why a text is no plain file name, empty where it is one."""
    if not name.strip() or name in (".", ".."):
        return "must be a file's name"
    if len(name) > LONGEST_NAME:
        return f"must have at most {LONGEST_NAME} characters"
    if "/" in name or "\\" in name:
        return "must be a plain file name, without a folder"
    if any(unicodedata.category(letter) in ("Cc", "Cs", "Zl", "Zp") for letter in name):
        return "holds characters that no file's name can have"
    return ""


def safe_names(names: Iterable[str]) -> list[str]:
    """Return a name for each file, under which all of them can lie in one folder on any system.

    Whatever comes in, a safe name leads nowhere else, is reserved nowhere, has at most some 160 bytes, and differs
    from the others by more than the case or the composition of its letters. Most names are safe as they are.
    """
    taken: set[str] = set()
    safe: list[str] = []
    for name in names:
        stem, suffix = _parts(_cleaned(name))
        candidate, number = f"{stem}{suffix}", 1
        while _key(candidate) in taken:
            number += 1
            candidate = f"{stem}-{number}{suffix}"
        taken.add(_key(candidate))
        safe.append(candidate)
    return safe


def _cleaned(name: str) -> str:
    last = unicodedata.normalize("NFC", name.replace("\\", "/").rpartition("/")[2])
    plain = "".join(
        "_" if letter in _NOT_EVERYWHERE or not letter.isprintable() else letter for letter in last
    )
    plain = plain.lstrip(" ").rstrip(". ")
    if not plain.strip("."):
        return _NAMELESS
    return f"_{plain}" if _RESERVED.match(plain) else plain


def _parts(name: str) -> tuple[str, str]:
    """Return stem and suffix, both cut so that together they are short enough."""
    stem, dot, last = name.rpartition(".")
    stem, suffix = (stem, dot + last) if stem and len(last.encode()) <= 20 else (name, "")
    room = _LONGEST_SAFE_BYTES - len(suffix.encode())
    return stem.encode()[:room].decode(errors="ignore").rstrip(". ") or _NAMELESS, suffix


def _key(name: str) -> str:
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())
