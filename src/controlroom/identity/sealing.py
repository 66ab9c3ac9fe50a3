"""Keeps small secrets in the database so that the database alone gives them to nobody: sealed with the server's key."""

import base64
import secrets

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from controlroom.foundation.errors import Unavailable

_NONCE_BYTES = 12  # NIST SP 800-38D section 8.2.2
_KEY_BYTES = 32


class Sealing:
    """AES-256-GCM under a key of its own, derived from the server's (HKDF, RFC 5869); each secret is bound to its place."""

    def __init__(self, secret_key: bytes) -> None:
        derive = HKDF(
            algorithm=SHA256(), length=_KEY_BYTES, salt=None, info=b"controlroom identity second factors"
        )
        self._cipher = AESGCM(derive.derive(secret_key))

    def seal(self, secret: bytes, *, place: str) -> str:
        """Return a secret sealed, as base64url; ``place``, such as the user's id, must be given again to open it."""
        nonce = secrets.token_bytes(_NONCE_BYTES)
        return base64.urlsafe_b64encode(nonce + self._cipher.encrypt(nonce, secret, place.encode())).decode()

    def open(self, sealed: str, *, place: str) -> bytes:
        """Return a sealed secret; raise `Unavailable` where it was sealed with another key or for another place."""
        raw = base64.urlsafe_b64decode(sealed)
        try:
            return self._cipher.decrypt(raw[:_NONCE_BYTES], raw[_NONCE_BYTES:], place.encode())
        except (InvalidTag, ValueError):
            raise Unavailable(
                "A second factor was sealed with another server key; an administrator can reset it."
            ) from None
