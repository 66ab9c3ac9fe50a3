"""Fencing tokens: derived from the attempt's id and the server's key, so that any node can check one and none is stored."""

import hashlib
import hmac


class AttemptTokens:
    """Makes and checks the token that every report of an attempt carries."""

    def __init__(self, secret_key: bytes) -> None:
        self._key = hmac.digest(secret_key, b"controlroom attempt tokens", hashlib.sha256)

    def token_for(self, attempt_id: str) -> str:
        """Return an attempt's token: 128 bits of an HMAC-SHA-256, in hex."""
        return hmac.digest(self._key, attempt_id.encode(), hashlib.sha256)[:16].hex()

    def is_valid(self, attempt_id: str, token: str) -> bool:
        """Say, in constant time, whether a token belongs to an attempt."""
        return hmac.compare_digest(self.token_for(attempt_id).encode(), token.encode())
