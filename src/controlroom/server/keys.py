"""The server's key: given by a setting, or made once and kept in the data folder, readable by its owner only."""

import os
import secrets
from pathlib import Path

from controlroom.foundation.errors import Invalid, Unavailable
from controlroom.foundation.settings import Settings

_FILE = "secret.key"
_LEAST_BYTES = 32


def server_key(settings: Settings) -> bytes:
    """Return the server's key; raise `Invalid` for one that is too short and `Unavailable` for an unwritable folder."""
    if settings.secret_key is not None:
        key = settings.secret_key.get_secret_value().encode()
        if len(key) < _LEAST_BYTES:
            raise Invalid(f"CONTROLROOM_SECRET_KEY must have {_LEAST_BYTES} characters or more.")
        return key
    path = settings.data_folder / _FILE
    try:
        return _kept_key(path)
    except OSError as error:
        raise Unavailable(
            f"The data folder {settings.data_folder} cannot be used: {error.strerror}."
        ) from None


def _kept_key(path: Path) -> bytes:
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return bytes.fromhex(path.read_text().strip())
    with os.fdopen(handle, "w") as file:
        key = secrets.token_bytes(_LEAST_BYTES)
        file.write(key.hex())
        file.flush()
        os.fsync(handle)
    return key
