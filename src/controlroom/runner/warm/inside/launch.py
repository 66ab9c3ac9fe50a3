"""Runs a bot's code as Python itself would: a script as ``__main__``, or a function of a module.

The same code serves a warm start (after the fork) and a cold one (``python launch.py START_FILE``), so that a bot sees
the same either way: ``sys.argv``, ``sys.path``, ``__file__``, tracebacks without the launcher's frames, exit codes.
What the script raises ends as Python ends it, except that `bot.Failed` and `bot.Cancelled` show no traceback.
"""

from __future__ import annotations

import builtins
import importlib
import io
import json
import os
import sys
import types
from importlib.machinery import SourceFileLoader
from types import TracebackType
from typing import Any

from controlroom.bot import Cancelled, Failed
from controlroom.bot._cancel import listen
from controlroom.bot._channel import channel

EXIT_CANCELLED = 143
"""128 + SIGTERM, as a shell would show it."""
_OUR_FILE = __file__


def main() -> None:
    """Run what the start file says; used for cold starts."""
    with open(sys.argv[1], encoding="utf-8") as file:
        launch = json.load(file)
    del sys.path[0]
    run({**launch, "python_path": []})


def run(launch: dict[str, Any]) -> None:
    """Run a script or function; returns or raises SystemExit, for the interpreter to finish as always.

    ``launch`` has ``kind`` (script or function), ``target``, ``arguments`` and ``python_path``, paths absolute.
    """
    _renew_streams()
    listen()
    sys.path[:0] = launch["python_path"]
    try:
        if launch["kind"] == "script":
            _run_script(launch["target"], launch["arguments"])
        else:
            _run_function(launch["target"], launch["arguments"])
    except SystemExit as ending:
        if isinstance(ending.code, str):
            channel.send("error", "SystemExit", ending.code)
        raise
    except BaseException as error:
        sys.exit(_report(error))


def _renew_streams() -> None:
    """Make the standard streams anew, as the interpreter makes them, but with a line going out when it is complete.

    Those of a fork server belong to whatever it was itself started with.
    """
    for number, name, mode in ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w")):
        raw = io.FileIO(number, mode, closefd=False)
        raw.name = f"<{name}>"
        binary = io.BufferedReader(raw) if mode == "r" else io.BufferedWriter(raw)
        text = io.TextIOWrapper(
            binary, encoding="utf-8", errors="backslashreplace", line_buffering=mode == "w"
        )
        text.mode = mode  # type: ignore[misc]  # the interpreter sets it on its own streams too
        setattr(sys, name, text)
        setattr(sys, f"__{name}__", text)


def _run_script(path: str, arguments: list[str]) -> None:
    sys.argv = [path, *arguments]
    sys.path.insert(0, os.path.dirname(os.path.realpath(path)))
    module = types.ModuleType("__main__")
    module.__dict__.update(
        __file__=path,
        __cached__=None,
        __builtins__=builtins,
        __loader__=SourceFileLoader("__main__", path),
    )
    if sys.version_info < (3, 14):
        module.__dict__.update(__annotations__={})
    sys.modules["__main__"] = module
    with io.open_code(path) as file:
        source = file.read()
    exec(compile(source, path, "exec", dont_inherit=True), module.__dict__)  # noqa: S102  # this is what running a script is  # nosec B102


def _run_function(target: str, arguments: list[str]) -> None:
    name, _, function_name = target.partition(":")
    sys.argv = [target, *arguments]
    sys.path.insert(0, os.getcwd())
    main_module = types.ModuleType("__main__")
    main_module.__dict__.update(__builtins__=builtins)
    sys.modules["__main__"] = main_module
    found: Any = importlib.import_module(name)
    for part in function_name.split("."):
        found = getattr(found, part)
    result = found()
    if isinstance(result, types.CoroutineType):
        import asyncio

        asyncio.run(result)


def _report(error: BaseException) -> int:
    """Show an uncaught error as Python would, tell the runner its name, and return the exit code."""
    kind = type(error)
    name = (
        kind.__qualname__
        if kind.__module__ in {"builtins", "__main__"}
        else f"{kind.__module__}.{kind.__qualname__}"
    )
    if isinstance(error, Cancelled):
        return EXIT_CANCELLED
    if isinstance(error, Failed):
        channel.send("error", "bot.Failed", str(error))
        return 1
    trace = _without_ours(error.__traceback__)
    error.__traceback__ = trace
    sys.last_type, sys.last_value, sys.last_traceback = kind, error, trace
    sys.excepthook(kind, error, trace)
    channel.send("error", name, _text(error))
    return 130 if isinstance(error, KeyboardInterrupt) else 1


def _text(error: BaseException) -> str:
    try:
        return str(error)[:4096]
    except Exception:  # a broken __str__ of the bot's own class must not hide the failure
        return ""


def _without_ours(trace: TracebackType | None) -> TracebackType | None:
    while trace is not None and trace.tb_frame.f_code.co_filename in {_OUR_FILE, importlib.__file__}:
        trace = trace.tb_next
    return trace


if __name__ == "__main__":
    main()
