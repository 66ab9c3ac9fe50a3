"""What an attempt is to do: which environment, which command, which limits. Made by the server, followed by the runner.

`controlroom bot run` makes the same plan on the author's machine, so that a bot behaves alike in both places.
"""

from enum import StrEnum
from typing import Any

import msgspec


class EnvironmentKind(StrEnum):
    """How the packages of an environment are found."""

    REQUIREMENTS = "requirements"
    """A list of PEP 508 requirements, resolved by uv."""
    LOCKED_PROJECT = "locked_project"
    """A pyproject.toml with its uv.lock, synced without resolving."""


class EnvironmentSpec(msgspec.Struct, frozen=True):
    """All that defines an environment; its hash is the environment's address.

    ``files`` holds the text of files that the build needs (a requirements file with hashes, pyproject.toml and
    uv.lock), by name. ``post_install`` commands run inside the finished environment.
    """

    kind: EnvironmentKind
    python: str = ""
    """A PEP 440 specifier such as ``>=3.11``, or empty for the runner's own version."""
    requirements: tuple[str, ...] = ()
    files: dict[str, str] = {}
    post_install: tuple[str, ...] = ()


class LaunchKind(StrEnum):
    """How the bot's code is started. ``{python}`` in a command stands for the environment's interpreter."""

    SCRIPT = "script"
    """A Python file, run as ``__main__``; may be started warm."""
    FUNCTION = "function"
    """``module:function`` of the package, called without arguments; may be started warm."""
    COMMAND = "command"
    """A command line, started cold."""


class Launch(msgspec.Struct, frozen=True):
    """How to start the bot inside its unpacked package. Paths are relative to the package and use ``/``."""

    kind: LaunchKind
    target: str = ""
    """The script or ``module:function``; empty for a command."""
    arguments: tuple[str, ...] = ()
    """The whole command line for a command, what follows the script otherwise."""
    folder: str = "."
    """Working folder, relative to the package."""
    python_path: tuple[str, ...] = ()
    path: tuple[str, ...] = ()
    variables: dict[str, str] = {}
    pre_run: tuple[tuple[str, ...], ...] = ()
    """Commands that must all succeed before the bot starts."""
    artifacts_folder: str = ""
    """Folder of the package that files are collected from, besides the SDK's own."""
    warm: bool = True
    """False for a bot that cannot bear to be forked from a warm interpreter."""


class Limits(msgspec.Struct, frozen=True):
    """What an attempt may use; 0 means no limit of its own."""

    timeout_seconds: float = 0
    memory_mb: int = 0
    processes: int = 0
    open_files: int = 0
    artifacts_mb: int = 500
    log_lines: int = 0


class PlannedFile(msgspec.Struct, frozen=True):
    """A file among the inputs: fetched before the bot starts, whose input at ``pointer`` (RFC 6901) becomes its path."""

    pointer: str
    file_id: str
    name: str
    sha256: str
    size_bytes: int


class AttemptPlan(msgspec.Struct, frozen=True):
    """One attempt: everything that the runner needs besides the package itself.

    ``token`` fences the attempt: every report carries it. It lets the runner read this attempt's package and write
    its artifacts, and nothing else, until the attempt ends.
    """

    attempt_id: str
    run_id: str
    number: int
    token: str
    bot_name: str
    version: int
    package_sha256: str
    package_bytes: int
    environment: EnvironmentSpec
    launch: Launch
    limits: Limits
    inputs: dict[str, Any]
    grace_seconds: float = 10
    exclusive: bool = False
    """True: another attempt may begin when the lease runs out, so the runner starts the bot only once a heartbeat that
    names the attempt was answered, and stops it when the lease that this gave is over."""
    files: tuple[PlannedFile, ...] = ()
    """The files that the inputs name. Since protocol version 3."""
