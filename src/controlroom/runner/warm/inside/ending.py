"""Ends a forked interpreter as Python itself ends, but for pulling down what the fork server had loaded.

Python's own end (`Py_FinalizeEx`) takes apart every module there is. In a fork each page that this touches is copied
first, which costs more than many a bot. All that a bot can notice is done here in the same order: its threads are waited
for, its exit functions run, what it imported and defined is taken apart, its streams are flushed, and C's own ``exit``
ends the process. Where threads are left that nobody waits for, Python ends the process, because only it can halt them.
"""

from __future__ import annotations

import atexit
import gc
import io
import os
import sys
import threading
import weakref
from collections.abc import Callable, Iterable
from contextlib import suppress
from types import ModuleType

FLUSH_FAILED = 120
"""Python's exit code where standard output could not be written to its end."""
_LAST_ERROR = ("last_exc", "last_type", "last_value", "last_traceback")

_FILES = (io.TextIOWrapper, io.BufferedWriter, io.BufferedRandom, io.FileIO)
"""What ``open`` makes, the layers above first."""

_c_exit: list[Callable[[int], int]] = []


def prepare() -> frozenset[str]:
    """Load what is needed, once in the host; return the names of the modules that are there before any bot is."""
    try:
        import ctypes
    except ImportError:
        return frozenset(sys.modules)
    # The one that holds the interpreter's lock: no thread may run Python while C's exit functions do.
    _c_exit.append(ctypes.PyDLL(None).exit)
    return frozenset(sys.modules)


def exit_code(ending: SystemExit) -> int:
    """Return the code that Python gives such an end, after showing what is no number."""
    if ending.code is None:
        return 0
    if isinstance(ending.code, int):
        return ending.code & 0xFF
    sys.stderr.write(f"{ending.code}\n")
    return 1


def end(code: int, known: frozenset[str]) -> None:
    """End the process; returns, with nothing taken apart, where only Python can end it. ``known`` is from `prepare`."""
    threading._shutdown()  # type: ignore[attr-defined]  # what a fork of multiprocessing calls too
    if not _c_exit or _has_other_threads():
        return
    atexit._run_exitfuncs()
    flushed = _flush()
    _take_apart(known)
    _c_exit[0](code if _flush() and flushed else FLUSH_FAILED)


def _has_other_threads() -> bool:
    try:
        return len(os.listdir("/proc/self/task")) > 1
    except OSError:
        return threading.active_count() > 1


def _flush() -> bool:
    done = True
    for stream in (sys.stdout, sys.stderr):
        try:
            if stream is not None and not stream.closed:
                stream.flush()
        except Exception:  # a bot may have put anything in the stream's place
            done = stream is sys.stderr and done
    return done


def _take_apart(known: frozenset[str]) -> None:
    for name in _LAST_ERROR:
        if hasattr(sys, name):
            setattr(sys, name, None)
    sys.stdout, sys.stderr = sys.__stdout__, sys.__stderr__
    names = [name for name in sys.modules if name not in known or name == "__main__"]
    references = [_reference(sys.modules.pop(name)) for name in names]
    # Kept until all else is gone: what ends in a circle ends in any order, and may write into them at its end.
    files = [thing for thing in gc.get_objects() if type(thing) in _FILES]
    gc.collect()
    for reference in reversed(references):
        module = reference()
        if isinstance(module, ModuleType):
            _empty(module.__dict__)
    gc.collect()
    for kind in _FILES:
        for file in files:
            if type(file) is kind and not file.closed:
                with suppress(Exception):
                    file.flush()


def _reference(module: object) -> Callable[[], object]:
    try:
        return weakref.ref(module)
    except TypeError:
        return lambda: None


def _empty(names: dict[str, object]) -> None:
    """Take a module's names away, those with one underscore first, as Python does."""
    _forget(names, [name for name in names if name[:1] == "_" and name[1:2] != "_"])
    _forget(names, [name for name in names if name != "__builtins__"])


def _forget(names: dict[str, object], which: Iterable[str]) -> None:
    for name in which:
        names[name] = None
