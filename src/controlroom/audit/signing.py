"""Signatures that others can check: Ed25519 (RFC 8032), with a key of its own that lies in the data folder.

The seal's key is a secret that the server shares with nobody. A checkpoint is meant to be checked elsewhere, so it is
signed with a key whose other half may be given to anyone.
"""

import asyncio
import base64
import binascii
import os
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from controlroom.foundation.errors import Unavailable

KEY_FILE = "audit-signing.key"


class Signer:
    """Signs with the key in a folder, which is made when it is first needed, readable by its owner only."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / KEY_FILE
        self._key: Ed25519PrivateKey | None = None

    async def public_key(self) -> str:
        """Return the public key: its 32 bytes as base64, 44 characters. Raises `Unavailable`."""
        return _public_text(await self._load())

    async def sign(self, text: str) -> tuple[str, str]:
        """Return the public key and the signature of a text, both as base64. Raises `Unavailable`."""
        key = await self._load()
        return _public_text(key), base64.b64encode(key.sign(text.encode())).decode()

    async def _load(self) -> Ed25519PrivateKey:
        if self._key is None:
            try:
                self._key = await asyncio.to_thread(_kept_key, self._path)
            except OSError as error:
                raise Unavailable(
                    f"The key that signs checkpoints, {self._path}, cannot be used: {error.strerror}."
                ) from None
            except (ValueError, TypeError):
                raise Unavailable(
                    f"{self._path} holds no Ed25519 key in PEM form; restore it from a backup."
                ) from None
        return self._key


def is_signed(public_key: str, text: str, signature: str) -> bool:
    """Say whether a signature of a text was made with the other half of a public key; False for what is none."""
    try:
        key = Ed25519PublicKey.from_public_bytes(base64.b64decode(public_key, validate=True))
        key.verify(base64.b64decode(signature, validate=True), text.encode())
    except (InvalidSignature, ValueError, binascii.Error):
        return False
    return True


def _kept_key(path: Path) -> Ed25519PrivateKey:
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        key = load_pem_private_key(path.read_bytes(), password=None)
        if not isinstance(key, Ed25519PrivateKey):
            raise TypeError("another kind of key") from None
        return key
    made = Ed25519PrivateKey.generate()
    with os.fdopen(handle, "wb") as file:
        file.write(made.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        file.flush()
        os.fsync(handle)
    return made


def _public_text(key: Ed25519PrivateKey) -> str:
    raw = key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    return base64.b64encode(raw).decode()
