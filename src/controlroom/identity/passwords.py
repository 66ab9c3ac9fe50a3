"""Passwords: how they are kept and which will do.

Kept as argon2id (RFC 9106) and hashed in threads of their own, few enough that a rush of sign-ins can take neither
the memory nor the event loop. The policy follows NIST SP 800-63B section 3.1.1: length and known weak passwords
count, mixtures of characters do not.
"""

import asyncio
import re
import secrets
import unicodedata
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from importlib.resources import files
from typing import TypeVar

import argon2
from argon2.exceptions import Argon2Error, InvalidHashError
from argon2.profiles import RFC_9106_LOW_MEMORY

from controlroom.foundation.errors import FieldError, TooManyRequests
from controlroom.identity.errors import WeakPassword

T = TypeVar("T")

LONGEST_PASSWORD = 256
"""Characters; more would only give work to whoever hashes."""

_THREADS = 2  # each takes 64 MiB while it hashes
_MOST_WAITING = 64
_WEAK_FILE = "weak_passwords.txt"
_TOLERATED_EXTRA = 6
"""A known weak word with no more than this many digits and signs around it is still that word."""
_REPEATED = re.compile(r"(.{1,4}?)\1+.{0,3}", re.DOTALL)
_EDGES = "0123456789 !\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"
_SHORTEST_NAME = 3
_ALPHABET = "abcdefghjkmnpqrstuvwxyz23456789"  # nothing that can be misread
_GROUP = 5
_GROUPS = 4


class PasswordPolicy:
    """Says which new passwords will do."""

    def __init__(self, minimum_length: int | Callable[[], int]) -> None:
        """Ask for so many characters; a function is asked each time, where the setting may change."""
        self._minimum = minimum_length if callable(minimum_length) else lambda: minimum_length
        lines = (files(__package__) / _WEAK_FILE).read_text(encoding="utf-8").splitlines()
        self._weak = frozenset(line for line in lines if line and not line.startswith("#"))

    @property
    def _minimum_length(self) -> int:
        return self._minimum()

    def check(self, password: str, *, user_name: str, pointer: str = "/password") -> None:
        """Raise `WeakPassword` that says what is wrong; ``pointer`` is where in the request it was sent."""
        problem = self._problem(normalised(password), user_name)
        if problem:
            raise WeakPassword(problem, fields=(FieldError(pointer, problem),))

    def generate(self) -> str:
        """Return a new random password of at least 99 bits that can be read out and typed."""
        groups = max(_GROUPS, -(-(self._minimum_length + 1) // (_GROUP + 1)))
        return "-".join("".join(secrets.choice(_ALPHABET) for _ in range(_GROUP)) for _ in range(groups))

    def _problem(self, password: str, user_name: str) -> str:
        folded = password.casefold()
        if problem := self._form_problem(password):
            return problem
        if len(user_name) >= _SHORTEST_NAME and user_name.casefold() in folded:
            return "The password must not contain the user name."
        if _REPEATED.fullmatch(folded):
            return "The password is a short piece repeated; choose one that is harder to guess."
        if self._is_known(folded):
            return "The password is one of those that are tried first; choose one that is harder to guess."
        return ""

    def _form_problem(self, password: str) -> str:
        if len(password) < self._minimum_length:
            return f"The password needs at least {self._minimum_length} characters."
        if len(password) > LONGEST_PASSWORD:
            return f"The password may have at most {LONGEST_PASSWORD} characters."
        if any("\ud800" <= character <= "\udfff" for character in password):
            return "The password holds half of a character."
        return ""

    def _is_known(self, folded: str) -> bool:
        core = folded.strip(_EDGES)
        bare = folded.replace(" ", "")
        return (
            folded in self._weak
            or bare in self._weak
            or (core in self._weak and len(folded) - len(core) <= _TOLERATED_EXTRA)
        )


class PasswordHasher:
    """Hashes and checks passwords in a bounded pool of threads."""

    def __init__(self, parameters: argon2.Parameters = RFC_9106_LOW_MEMORY) -> None:
        self._hasher = argon2.PasswordHasher.from_parameters(parameters)
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="password")
        self._waiting = 0
        self._nobodys: str | None = None

    async def hash(self, password: str) -> str:
        """Return the argon2id hash of a password."""
        return await self._in_thread(partial(self._hasher.hash, normalised(password)))

    async def is_right(self, password: str, kept: str | None) -> bool:
        """Say whether a password belongs to a kept hash; takes as long where there is none to compare with."""
        return await self._in_thread(
            partial(self._compare, normalised(password)[: LONGEST_PASSWORD + 1], kept)
        )

    def is_outdated(self, kept: str) -> bool:
        """Say whether a hash was made with other parameters than are used now."""
        try:
            return self._hasher.check_needs_rehash(kept)
        except InvalidHashError:
            return True

    def close(self) -> None:
        """End the threads; what they hash is let go."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _compare(self, password: str, kept: str | None) -> bool:
        if kept is None and self._nobodys is None:
            self._nobodys = self._hasher.hash(secrets.token_hex())
        try:
            matches = self._hasher.verify(kept or self._nobodys or "", password)
        except (Argon2Error, InvalidHashError, UnicodeEncodeError):
            return False
        return matches and kept is not None

    async def _in_thread(self, work: Callable[[], T]) -> T:
        if self._waiting >= _MOST_WAITING:
            raise TooManyRequests("Too many people sign in at this moment; try again.", retry_after_seconds=5)
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, work)
        finally:
            self._waiting -= 1


def normalised(password: str) -> str:
    """Return a password in the one form that is hashed, so that it does not depend on the keyboard (NFKC)."""
    return unicodedata.normalize("NFKC", password)
