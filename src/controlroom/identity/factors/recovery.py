"""Recovery codes: each stands in once for a second factor that was lost. Shown once, kept as hashes."""

import hashlib
import secrets

COUNT = 10
_ALPHABET = "abcdefghjkmnpqrstuvwxyz23456789"  # nothing that can be misread; about 5 bits a letter
_GROUPS = 4
_GROUP = 4


def new_recovery_codes() -> list[str]:
    """Return ten new codes such as ``h2k9-mmt4-x7qd-9wrz``, of 79 random bits each."""
    return ["-".join(_group() for _ in range(_GROUPS)) for _ in range(COUNT)]


def recovery_hash(user_id: str, code: str) -> str:
    """Return under which hash a user's code is kept; blanks, hyphens and capitals do not matter.

    The codes are random enough that a slow hash would protect nothing that a fast one does not.
    """
    plain = "".join(letter for letter in code.casefold() if letter.isalnum())
    return hashlib.sha256(f"{user_id}:{plain}".encode(errors="replace")).hexdigest()


def looks_like_recovery(code: str) -> bool:
    """Say whether what was typed has the length of a recovery code, rather than of a one-time password."""
    return sum(letter.isalnum() for letter in code) == _GROUPS * _GROUP


def _group() -> str:
    return "".join(secrets.choice(_ALPHABET) for _ in range(_GROUP))
