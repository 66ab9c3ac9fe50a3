"""What a runner can be told from outside: command line options first, then CONTROLROOM_RUNNER_ variables."""

import os
from collections.abc import Mapping
from pathlib import Path

import msgspec

from controlroom.foundation.errors import FieldError, Invalid
from controlroom.runner.identity import Identity, default_state_folder

_PREFIX = "CONTROLROOM_RUNNER_"
_MOST_SLOTS = 256


class RunnerSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Settings of one runner process. Sizes are in megabytes, times in seconds."""

    state: Path
    slots: int = 1
    labels: tuple[str, ...] = ()
    spool_mb: int = 64
    """Largest buffer on disk for one attempt while the Control Room is away."""
    package_cache_mb: int = 2048
    environment_limit_mb: int = 10_240
    warm: bool = True
    """Whether bots may be started from warm interpreters."""
    stop_seconds: float = 10
    """Longest grace that running bots have when the runner is stopped."""
    keep_failed: int = 0
    """How many working folders of bots that did not succeed are kept to be looked at; they may hold secrets."""


def runner_settings(
    identity: Identity | None = None, environment: Mapping[str, str] | None = None, **options: object
) -> RunnerSettings:
    """Settle the settings: options that are not None, then the environment, then what was said on joining.

    Raises `Invalid` that names each value that cannot stand.
    """
    source = os.environ if environment is None else environment
    values: dict[str, object] = {"state": str(default_state_folder())}
    if identity is not None:
        values |= {"slots": identity.slots, "labels": identity.labels}
    for name in RunnerSettings.__struct_fields__:
        if text := source.get(_PREFIX + name.upper()):
            values[name] = _words(text) if name == "labels" else text
    values |= {
        name: str(value) if name == "state" else value for name, value in options.items() if value is not None
    }
    try:
        settings = msgspec.convert(values, RunnerSettings, strict=False, dec_hook=_path)
    except msgspec.ValidationError as error:
        raise Invalid(f"A runner setting cannot stand: {error}.") from None
    _check(settings)
    return settings


def _check(settings: RunnerSettings) -> None:
    limits: dict[str, tuple[float, float]] = {
        "slots": (1, _MOST_SLOTS),
        "spool_mb": (1, 65_536),
        "package_cache_mb": (1, 1_048_576),
        "environment_limit_mb": (100, 10_485_760),
        "stop_seconds": (0, 3_600),
        "keep_failed": (0, 100),
    }
    faults = tuple(
        FieldError(f"/{name}", f"must be {least:g} to {most:g}, not {getattr(settings, name):g}")
        for name, (least, most) in limits.items()
        if not least <= getattr(settings, name) <= most
    )
    if faults:
        named = "; ".join(f"{fault.pointer[1:]} {fault.message}" for fault in faults)
        raise Invalid(f"Runner settings that cannot stand: {named}.", fields=faults)


def _words(text: str) -> tuple[str, ...]:
    return tuple(word for word in text.replace(",", " ").split() if word)


def _path(kind: type, value: object) -> object:
    if kind is Path:
        return Path(str(value))
    raise NotImplementedError(kind)
