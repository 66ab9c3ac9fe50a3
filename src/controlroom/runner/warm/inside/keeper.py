"""The keeper: one small process between the host and one bot, so that nothing the bot starts is ever left behind.

It forks the bot into a session of its own, reports its pid and its end over the control socket, passes signals on, and
ends the whole tree when told to, when the bot has ended, or when the control socket closes because the runner is gone.
On Linux it is a child subreaper (prctl(2)): whatever a bot daemonises becomes the keeper's child instead of init's, so
the tree is known exactly. The bot gets SIGKILL by its parent-death signal if the keeper itself is killed.

Towards the runner: JSON lines ``{"started": pid}``, ``{"failed": text}``, ``{"refused": text}``, ``{"ended": ...}``.
From the runner: lines ``signal NUMBER [group]`` and ``kill``, each answered by ``{"done": true}`` once it is sent.
"""

from __future__ import annotations

import errno
import json
import os
import resource
import select
import signal
import sys
import time
from collections.abc import Callable
from typing import Any

assert sys.platform != "win32"  # noqa: S101  # tells the type checker that what follows needs fork  # nosec B101

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_NOT_FOUND = (errno.ENOENT, errno.ENOTDIR)
_OUT_OF_MEMORY_SCORE = b"500"
_KILL_ROUND_SECONDS = 0.02
_KILL_LIMIT_SECONDS = 10.0

_prctl: list[Callable[..., int]] = []


def prepare() -> None:
    """Load what keepers need, once in the host, so that a fork finds it ready."""
    if sys.platform == "linux" and not _prctl:
        try:
            import ctypes
        except ImportError:
            return
        _prctl.append(ctypes.CDLL(None, use_errno=True).prctl)


def tell(control: int, **words: object) -> None:
    """Send one line to the runner; one that is gone needs no answer."""
    try:
        os.write(control, json.dumps(words).encode() + b"\n")
    except OSError:
        return


def keep(start: dict[str, Any], descriptors: list[int]) -> None:
    """Fork the bot and watch over it; returns only in the bot's process, all set up. A command never returns."""
    standard_output, standard_error, channel, control = descriptors
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    _control_process(_PR_SET_CHILD_SUBREAPER, 1)
    read_end, write_end = os.pipe()
    keeper_pid = os.getpid()
    bot = os.fork()
    if bot == 0:
        try:
            os.close(read_end)
            os.close(control)
            _become_bot(start, (standard_output, standard_error), channel, keeper_pid)
            if start.get("command"):
                os.set_inheritable(channel, True)
                _execute(start["command"])
            os.close(write_end)
        except BaseException as error:
            os.write(write_end, _describe(error, start).encode("utf-8", "replace")[:4096])
            os._exit(127)
        return
    for descriptor in (write_end, standard_output, standard_error, channel):
        os.close(descriptor)
    try:
        _watch(bot, control, _read_failure(read_end))
    finally:
        os._exit(0)


def _control_process(option: int, value: int) -> None:
    for prctl in _prctl:
        prctl(option, value, 0, 0, 0)


def _become_bot(start: dict[str, Any], outputs: tuple[int, int], channel: int, keeper_pid: int) -> None:
    os.setsid()
    _control_process(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != keeper_pid:
        os._exit(127)
    empty = os.open(os.devnull, os.O_RDONLY)
    for source, target in ((empty, 0), (outputs[0], 1), (outputs[1], 2)):
        os.dup2(source, target)
        os.close(source)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.pthread_sigmask(signal.SIG_SETMASK, [])
    _limit(start.get("open_files", 0), start.get("data_bytes", 0))
    os.chdir(start["folder"])
    os.environ.clear()
    os.environ.update(start["environment"])
    facts = os.fstat(channel)
    os.environ["CONTROLROOM_CHANNEL"] = f"{channel}:{facts.st_dev}:{facts.st_ino}"
    time.tzset()


def _limit(open_files: int, data_bytes: int) -> None:
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    for kind, wanted in ((resource.RLIMIT_NOFILE, open_files), (resource.RLIMIT_DATA, data_bytes)):
        if wanted > 0:
            hard = resource.getrlimit(kind)[1]
            value = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
            resource.setrlimit(kind, (value, value))
    if sys.platform == "linux":
        # When memory runs out, the kernel is to take a bot before the runner or the Control Room.
        try:
            score = os.open("/proc/self/oom_score_adj", os.O_WRONLY)
            os.write(score, _OUT_OF_MEMORY_SCORE)
            os.close(score)
        except OSError:
            return


def _execute(command: list[str]) -> None:
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    if hasattr(signal, "SIGXFSZ"):
        signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
    os.execvpe(command[0], command, os.environ)  # noqa: S606  # a command of the package, without a shell  # nosec B606


def _describe(error: BaseException, start: dict[str, Any]) -> str:
    command = start.get("command")
    if (
        command
        and isinstance(error, OSError)
        and error.errno in _NOT_FOUND
        and os.path.isdir(start["folder"])
    ):
        return f"The command {command[0]!r} was not found in the package, the environment or on this machine."
    return f"The process could not be set up: {error}"


def _read_failure(read_end: int) -> str:
    parts = []
    while part := os.read(read_end, 4096):
        parts.append(part)
    os.close(read_end)
    return b"".join(parts).decode("utf-8", "replace")


def _watch(bot: int, control: int, failure: str) -> None:
    if failure:
        _end_tree(bot)
        tell(control, failed=failure)
        return
    tell(control, started=bot)
    wake_reader, wake_writer = os.pipe()
    os.set_blocking(wake_writer, False)
    signal.set_wakeup_fd(wake_writer)
    signal.signal(signal.SIGCHLD, lambda _number, _frame: None)
    pending = b""
    while True:
        status, _ = _reap(bot)
        if status is not None:
            break
        ready, _, _ = select.select([control, wake_reader], [], [])
        if wake_reader in ready:
            os.read(wake_reader, 512)
        if control in ready:
            try:
                words = os.read(control, 4096)
            except OSError:
                words = b""
            if not words:
                _end_tree(bot)
                return
            *lines, pending = (pending + words).split(b"\n")
            for line in lines:
                _obey(line.decode("ascii", "replace").split(), bot)
                tell(control, done=True)
    left_behind = _end_tree(bot)
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    tell(
        control,
        ended=os.waitstatus_to_exitcode(status),
        cpu_seconds=used.ru_utime + used.ru_stime,
        peak_memory_bytes=used.ru_maxrss * (1 if sys.platform == "darwin" else 1024),
        left_behind=left_behind,
    )


def _obey(words: list[str], bot: int) -> None:
    """Follow one line of the runner. The bot is not reaped yet, so its pid is still its own."""
    try:
        if words[:1] == ["signal"]:
            number = int(words[1])
            if words[2:] == ["group"]:
                os.killpg(bot, number)
            else:
                os.kill(bot, number)
        elif words == ["kill"]:
            for pid in [bot, *_descendants(os.getpid())]:
                os.kill(pid, signal.SIGSTOP)
            os.kill(bot, signal.SIGKILL)
    except (OSError, ValueError, IndexError):
        return


def _reap(bot: int) -> tuple[int | None, bool]:
    """Reap whatever has ended; return the bot's wait status once it has, and whether any child is left."""
    found = None
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return found, False
        if pid == 0:
            return found, True
        if pid == bot:
            found = status


def _end_tree(bot: int) -> list[str]:
    """Kill all that is left of the bot's tree and reap it; return the names of up to ten such processes."""
    names: dict[int, str] = {}
    deadline = time.monotonic() + _KILL_LIMIT_SECONDS
    while time.monotonic() < deadline:
        if sys.platform != "linux":
            _kill_group(bot)
        if not _reap(bot)[1]:
            break
        present = _descendants(os.getpid())
        for pid in present:
            # Stopped first, all of them, so that none can fork away from the kill.
            _send(pid, signal.SIGSTOP)
        for pid in present:
            if pid != bot:
                names.setdefault(pid, _name(pid))
            _send(pid, signal.SIGKILL)
        time.sleep(_KILL_ROUND_SECONDS if len(names) > 10 else 0.001)
    return sorted(names.values())[:10]


def _kill_group(group: int) -> None:
    try:
        os.killpg(group, signal.SIGKILL)
    except OSError:
        return


def _send(pid: int, number: int) -> None:
    try:
        os.kill(pid, number)
    except OSError:
        return


def _name(pid: int) -> str:
    try:
        with open(f"/proc/{pid}/comm", encoding="utf-8", errors="replace") as file:
            return file.read().strip()
    except OSError:
        return "?"


def _descendants(root: int) -> list[int]:
    """Return the living processes below one, read from /proc; empty where there is none."""
    children: dict[int, list[int]] = {}
    try:
        entries = os.listdir("/proc")
    except OSError:
        return []
    for entry in entries:
        if entry.isdecimal():
            try:
                with open(f"/proc/{entry}/stat", "rb") as file:
                    state, parent = file.read().rpartition(b")")[2].split()[:2]
            except (OSError, ValueError):
                continue
            if state != b"Z":
                children.setdefault(int(parent), []).append(int(entry))
    found: list[int] = []
    level = [root]
    while level:
        level = [child for parent in level for child in children.get(parent, [])]
        found += level
    return found
