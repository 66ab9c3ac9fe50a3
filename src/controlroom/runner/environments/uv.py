"""Runs uv, and commands inside an environment that is being built, with an environment of variables that is clean."""

import asyncio
import os
import re
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path

import psutil
from uv import find_uv_bin

from controlroom.runner.environments.errors import BuildFailed
from controlroom.runner.environments.index_settings import index_variables
from controlroom.runner.platform import processes

LineSink = Callable[[str], None]

_INHERITED = frozenset(
    {
        "ALL_PROXY",
        "APPDATA",
        "CURL_CA_BUNDLE",
        "HOME",
        "HTTPS_PROXY",
        "HTTP_PROXY",
        "LANG",
        "LOCALAPPDATA",
        "NO_PROXY",
        "PATH",
        "PATHEXT",
        "PROGRAMDATA",
        "REQUESTS_CA_BUNDLE",
        "SSL_CERT_DIR",
        "SSL_CERT_FILE",
        "SYSTEMDRIVE",
        "SYSTEMROOT",
        "TEMP",
        "TMP",
        "TMPDIR",
        "USERPROFILE",
        "XDG_CACHE_HOME",
        "XDG_CONFIG_DIRS",
        "XDG_CONFIG_HOME",
        "XDG_DATA_HOME",
    }
)
_NOT_OF_UV = frozenset({"UV_PROJECT_ENVIRONMENT", "UV_PYTHON", "UV_SYSTEM_PYTHON", "UV_OFFLINE_LOG"})
_SECRET = re.compile(r"PASSWORD|TOKEN|SECRET|CREDENTIAL", re.IGNORECASE)
_USER_IN_URL = re.compile(r"(?<=://)[^/\s@]+@")
_LAST_LINES = 60
_LONGEST_LINE = 4_000
_STREAM_LIMIT = 1024 * 1024


@cache
def uv_program() -> str:
    """Return the path of uv, which is installed beside the runner."""
    return find_uv_bin()


def build_variables() -> dict[str, str]:
    """Return the variables of a build: where things are, proxies, index settings; nothing that is named like a secret.

    Builds run code of the packages, so credentials for an index belong in uv's own store or in a netrc file.
    """
    kept = {
        name: value
        for name, value in os.environ.items()
        if name.upper() in _INHERITED
        or (name.startswith("UV_") and name not in _NOT_OF_UV and not _SECRET.search(name))
    }
    kept.setdefault("LANG", "C.UTF-8")
    return kept | index_variables(os.environ) | {"UV_NO_PROGRESS": "1", "NO_COLOR": "1", "PYTHONUTF8": "1"}


async def run_uv(
    arguments: Sequence[str],
    *,
    folder: Path,
    variables: dict[str, str],
    on_line: LineSink,
    timeout_seconds: float,
) -> str:
    """Run uv and return its standard output; raise `BuildFailed` with its own words."""
    return await run_command(
        [uv_program(), *arguments],
        folder=folder,
        variables=variables,
        on_line=on_line,
        timeout_seconds=timeout_seconds,
    )


async def run_command(
    command: Sequence[str],
    *,
    folder: Path,
    variables: dict[str, str],
    on_line: LineSink,
    timeout_seconds: float,
) -> str:
    """Run a command, handing each line on as it comes; raise `BuildFailed` with its last words.

    When it takes too long, or the caller is cancelled, the command ends with all that it has started.
    """
    shown = " ".join([Path(command[0]).name, *command[1:4]])
    try:
        process = await asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            env=variables,
            cwd=folder,
            limit=_STREAM_LIMIT,
        )
    except OSError as error:
        raise BuildFailed(f"The command {command[0]!r} cannot be run: {error.strerror or error}.") from None
    last: deque[str] = deque(maxlen=_LAST_LINES)
    try:
        async with asyncio.timeout(timeout_seconds):
            await _read_lines(process, last, on_line)
            code = await process.wait()
    except TimeoutError:
        raise BuildFailed(
            f"Building the environment took longer than {timeout_seconds:g} s and was stopped at '{shown}'."
            + _words(last)
        ) from None
    finally:
        if process.returncode is None:
            await _end(process)
    if code != 0:
        raise BuildFailed(
            f"The environment cannot be built: '{shown}' ended with exit code {code}." + _words(last)
        )
    return "\n".join(last)


async def _read_lines(process: asyncio.subprocess.Process, last: deque[str], on_line: LineSink) -> None:
    assert process.stdout is not None  # noqa: S101  # it was asked for as a pipe  # nosec B101
    while True:
        try:
            data = await process.stdout.readline()
        except ValueError:
            continue  # a line beyond the limit was thrown away by the reader
        if not data:
            return
        line = _USER_IN_URL.sub("***@", data.decode("utf-8", "replace").rstrip()[:_LONGEST_LINE])
        if line:
            last.append(line)
            on_line(line)


async def _end(process: asyncio.subprocess.Process) -> None:
    tree = processes.below(process.pid)
    with suppress(ProcessLookupError):
        process.kill()
    processes.each(tree, psutil.Process.kill)
    await process.wait()


def _words(last: deque[str]) -> str:
    return "\n" + "\n".join(last) if last else ""
