"""How a bot learns that it is to stop.

A cancel is a file that appears and a signal (SIGTERM; CTRL_BREAK on Windows). A bot that has asked `cancelled` at least
once is trusted to ask again: the signal only sets the flag. Any other bot gets `Cancelled` raised in its main thread,
so that ``finally`` blocks and context managers clean up.
"""

from __future__ import annotations

import os
import signal
import threading
from types import FrameType


class Cancelled(BaseException):
    """The run is to stop. Like KeyboardInterrupt, ``except Exception`` does not catch it."""


class _State:
    asks = False
    signalled = False


def cancelled() -> bool:
    """Say whether the run is to stop; a bot with a loop asks once a round and then ends in its own way."""
    _State.asks = True
    if _State.signalled:
        return True
    path = os.environ.get("CONTROLROOM_CANCEL_FILE", "")
    return bool(path) and os.path.exists(path)


def listen() -> None:
    """Handle the signal from now on; done by the runner's launcher before the bot's first statement.

    A handler that the bot set itself stands.
    """
    if threading.current_thread() is not threading.main_thread():
        return
    number = getattr(signal, "SIGBREAK", signal.SIGTERM)
    if signal.getsignal(number) in (signal.SIG_DFL, None):
        signal.signal(number, _on_signal)


def _on_signal(_number: int, _frame: FrameType | None) -> None:
    if _State.signalled:
        return
    _State.signalled = True
    if not _State.asks:
        raise Cancelled("The run was cancelled")
