"""What each setting is, which value is in use, and where it came from; secrets are never shown."""

import os
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from pydantic import SecretStr
from sqlalchemy import make_url

from controlroom.foundation.settings import ENVIRONMENT_PREFIX, Settings, settings_file


class Source(StrEnum):
    """Where a value came from."""

    DEFAULT = "default"
    FILE = "file"
    ENVIRONMENT = "environment"
    START = "start"
    """Given by the command that started the server."""
    RUN_TIME = "run time"
    """Changed while the server runs."""


@dataclass(frozen=True, slots=True)
class ReadSetting:
    """A setting as it was read. ``origin`` names the variable or the file, empty where neither gave it."""

    name: str
    value: str
    is_secret: bool
    source: Source
    origin: str
    meaning: str


def read_settings(settings: Settings) -> Sequence[ReadSetting]:
    """Return every setting in the order in which they are declared. Reads the settings file: call it off the loop."""
    file = settings_file()
    try:
        in_file = tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, tomllib.TOMLDecodeError):
        in_file = {}
    return [_read(settings, name, in_file) for name in Settings.model_fields]


def _read(settings: Settings, name: str, in_file: dict[str, Any]) -> ReadSetting:
    value = getattr(settings, name)
    variable = f"{ENVIRONMENT_PREFIX}{name.upper()}"
    source, origin = Source.DEFAULT, ""
    if variable in os.environ:
        source, origin = Source.ENVIRONMENT, variable
    elif name in in_file:
        source, origin = Source.FILE, str(settings_file())
    elif name in settings.model_fields_set:
        source = Source.START
    is_secret = isinstance(value, SecretStr) or name == "secret_key"
    shown = "***" if isinstance(value, SecretStr) else _shown(name, value)
    return ReadSetting(name, shown, is_secret, source, origin, Settings.model_fields[name].description or "")


def _shown(name: str, value: object) -> str:
    if name == "database_url" and value:  # it may hold a password, also among its parameters
        address = make_url(str(value))
        port = f":{address.port}" if address.port else ""
        return f"{address.get_backend_name()}://{address.host or ''}{port}/{address.database or ''}"
    if isinstance(value, list):
        return ", ".join(str(each) for each in value)
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return "" if value is None else str(value)
