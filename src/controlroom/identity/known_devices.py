"""Knows browsers from which someone signed in before, so that guessers beside them on one network cannot slow them down.

A browser gets a cookie after a sign-in that says whose it was, under an HMAC (the OWASP "device cookie"). It opens nothing:
it only lets tries count by themselves instead of with those of the whole network.
"""

import hmac
import secrets

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

LIFETIME_SECONDS = 180 * 86_400

_KEY_BYTES = 32
_LONGEST = 200


class KnownDevices:
    """Makes and reads the cookies of known browsers."""

    def __init__(self, secret_key: bytes) -> None:
        derive = HKDF(
            algorithm=SHA256(), length=_KEY_BYTES, salt=None, info=b"controlroom identity known devices"
        )
        self._key = derive.derive(secret_key)

    def value_for(self, account: str) -> str:
        """Return a new value for the browser that an account has just signed in from."""
        device = secrets.token_urlsafe(16)
        return f"{device}.{self._mac(device, account)}"

    def device_of(self, value: str, account: str) -> str:
        """Return which browser a value stands for, empty where it is not one that this account signed in from."""
        device, dot, mac = value.partition(".")
        if not dot or len(value) > _LONGEST or not value.isascii():
            return ""
        return device if hmac.compare_digest(mac, self._mac(device, account)) else ""

    def _mac(self, device: str, account: str) -> str:
        return hmac.digest(self._key, f"{device}:{account}".encode(errors="replace"), "sha256").hex()
