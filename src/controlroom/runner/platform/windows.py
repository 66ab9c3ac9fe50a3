"""Windows: bots in job objects that die with the runner's handle; no fork, so every start is a cold one.

Type-checked for win32, never run there. Structures and numbers are those of winnt.h, winbase.h and the pages of
learn.microsoft.com on job objects, named pipes and LockFileEx.
"""

import asyncio
import ctypes
import msvcrt
import os
import secrets
import shutil
import signal
import subprocess  # nosec B404
import sys
import threading
from collections.abc import AsyncIterator, Sequence
from concurrent.futures import CancelledError, ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from ctypes import wintypes
from dataclasses import replace
from pathlib import Path

import psutil

from controlroom.runner.platform import processes
from controlroom.runner.platform.contract import (
    BotProcess,
    ByteSource,
    CannotStart,
    EnvironmentLayout,
    ExitFacts,
    FileLock,
    Launcher,
    ProcessOrder,
    TreeUse,
)

assert sys.platform == "win32"  # noqa: S101  # tells the type checker that what follows needs Windows  # nosec B101

_NO_FORK = "Warm interpreters need fork, which Windows does not have."
_READ_BYTES = 64 * 1024
_QUEUED_READS = 4
_CREATE_SUSPENDED = 0x00000004
_KILL_ON_JOB_CLOSE = 0x00002000
_JOB_MEMORY = 0x00000200
_BASIC_ACCOUNTING, _PROCESS_LIST, _EXTENDED_LIMITS = 1, 3, 9
_PIPE_ACCESS_INBOUND, _FIRST_INSTANCE = 0x00000001, 0x00080000
_REJECT_REMOTE_CLIENTS = 0x00000008
_LOCK_NOW, _LOCK_EXCLUSIVE = 0x00000001, 0x00000002
_TICKS_PER_SECOND = 10_000_000
_MOST_LISTED = 4096
_INVALID_HANDLE = ctypes.c_void_p(-1).value

_kernel32 = ctypes.WinDLL("kernel32", use_last_error=True)
_kernel32.CreateJobObjectW.restype = wintypes.HANDLE
_kernel32.CreateNamedPipeW.restype = wintypes.HANDLE
_kernel32.ConnectNamedPipe.argtypes = [wintypes.HANDLE, wintypes.LPVOID]
_kernel32.CloseHandle.argtypes = [wintypes.HANDLE]
_kernel32.AssignProcessToJobObject.argtypes = [wintypes.HANDLE, wintypes.HANDLE]
_kernel32.TerminateJobObject.argtypes = [wintypes.HANDLE, wintypes.UINT]


class _BasicLimits(ctypes.Structure):
    _fields_ = (
        ("PerProcessUserTimeLimit", wintypes.LARGE_INTEGER),
        ("PerJobUserTimeLimit", wintypes.LARGE_INTEGER),
        ("LimitFlags", wintypes.DWORD),
        ("MinimumWorkingSetSize", ctypes.c_size_t),
        ("MaximumWorkingSetSize", ctypes.c_size_t),
        ("ActiveProcessLimit", wintypes.DWORD),
        ("Affinity", ctypes.c_size_t),
        ("PriorityClass", wintypes.DWORD),
        ("SchedulingClass", wintypes.DWORD),
    )


class _ExtendedLimits(ctypes.Structure):
    _fields_ = (
        ("BasicLimitInformation", _BasicLimits),
        ("IoInfo", ctypes.c_ulonglong * 6),
        ("ProcessMemoryLimit", ctypes.c_size_t),
        ("JobMemoryLimit", ctypes.c_size_t),
        ("PeakProcessMemoryUsed", ctypes.c_size_t),
        ("PeakJobMemoryUsed", ctypes.c_size_t),
    )


class _Accounting(ctypes.Structure):
    _fields_ = (
        ("TotalUserTime", wintypes.LARGE_INTEGER),
        ("TotalKernelTime", wintypes.LARGE_INTEGER),
        ("ThisPeriodTotalUserTime", wintypes.LARGE_INTEGER),
        ("ThisPeriodTotalKernelTime", wintypes.LARGE_INTEGER),
        ("TotalPageFaultCount", wintypes.DWORD),
        ("TotalProcesses", wintypes.DWORD),
        ("ActiveProcesses", wintypes.DWORD),
        ("TotalTerminatedProcesses", wintypes.DWORD),
    )


class _ProcessList(ctypes.Structure):
    _fields_ = (
        ("NumberOfAssignedProcesses", wintypes.DWORD),
        ("NumberOfProcessIdsInList", wintypes.DWORD),
        ("ProcessIdList", ctypes.c_size_t * _MOST_LISTED),
    )


class _Overlapped(ctypes.Structure):
    _fields_ = (
        ("Internal", ctypes.c_size_t),
        ("InternalHigh", ctypes.c_size_t),
        ("Offset", wintypes.DWORD),
        ("OffsetHigh", wintypes.DWORD),
        ("hEvent", wintypes.HANDLE),
    )


class _Job:
    """A job object: everything a bot starts belongs to it, and it all ends when the last handle closes."""

    def __init__(self, memory_bytes: int) -> None:
        self._handle: int | None = _checked(_kernel32.CreateJobObjectW(None, None))
        limits = _ExtendedLimits()
        limits.BasicLimitInformation.LimitFlags = _KILL_ON_JOB_CLOSE | (_JOB_MEMORY if memory_bytes else 0)
        limits.JobMemoryLimit = memory_bytes
        _checked(
            _kernel32.SetInformationJobObject(
                wintypes.HANDLE(self._handle), _EXTENDED_LIMITS, ctypes.byref(limits), ctypes.sizeof(limits)
            )
        )

    def add(self, process_handle: int) -> None:
        _checked(_kernel32.AssignProcessToJobObject(self._handle, process_handle))

    def members(self) -> list[psutil.Process]:
        listed = _ProcessList()
        self._query(_PROCESS_LIST, listed)
        found = []
        for pid in listed.ProcessIdList[: listed.NumberOfProcessIdsInList]:
            with suppress(psutil.Error):
                found.append(psutil.Process(pid))
        return found

    def facts(self, exit_code: int, left_behind: tuple[str, ...]) -> ExitFacts:
        limits = _ExtendedLimits()
        self._query(_EXTENDED_LIMITS, limits)
        return ExitFacts(exit_code, self.cpu_seconds(), limits.PeakJobMemoryUsed, left_behind)

    def cpu_seconds(self) -> float:
        """Return the processor time of all that was ever in the job."""
        used = _Accounting()
        self._query(_BASIC_ACCOUNTING, used)
        return float(used.TotalUserTime + used.TotalKernelTime) / _TICKS_PER_SECOND

    def terminate(self) -> None:
        if self._handle is not None:
            _kernel32.TerminateJobObject(self._handle, 1)

    def close(self) -> None:
        if self._handle is not None:
            _kernel32.CloseHandle(self._handle)
            self._handle = None

    def _query(self, kind: int, target: ctypes.Structure) -> None:
        if self._handle is not None:
            _kernel32.QueryInformationJobObject(
                wintypes.HANDLE(self._handle), kind, ctypes.byref(target), ctypes.sizeof(target), None
            )


class _ThreadSource:
    """The reading end of a pipe, read by a thread, since the event loop of Windows cannot wait for plain pipes."""

    def __init__(self, descriptor: int, handle_to_connect: int = 0) -> None:
        self._descriptor = descriptor
        self._connect = handle_to_connect
        self._loop = asyncio.get_running_loop()
        self._reads: asyncio.Queue[bytes] = asyncio.Queue(_QUEUED_READS)
        self._closed = False
        threading.Thread(target=self._pump, daemon=True).start()

    async def read(self) -> bytes:
        return b"" if self._closed else await self._reads.get()

    def close(self) -> None:
        if not self._closed:
            self._closed = True
            with suppress(asyncio.QueueFull):
                self._reads.put_nowait(b"")

    def _pump(self) -> None:
        if self._connect:
            _kernel32.ConnectNamedPipe(self._connect, None)
        data = b"-"
        while data and not self._closed:
            try:
                data = os.read(self._descriptor, _READ_BYTES)
            except OSError:
                data = b""
            try:
                asyncio.run_coroutine_threadsafe(self._reads.put(data), self._loop).result()
            except (RuntimeError, CancelledError):
                break
        with suppress(OSError):
            os.close(self._descriptor)


class _JobProcess:
    """A bot in its job."""

    warm = False

    def __init__(
        self, popen: "subprocess.Popen[bytes]", job: _Job, channel_path: str, channel: ByteSource, note: str
    ) -> None:
        self.pid = popen.pid
        self.note = note
        self._popen = popen
        self._job = job
        self._channel_path = channel_path
        self._started_at = processes.start_time(popen.pid)
        assert popen.stdout is not None and popen.stderr is not None  # noqa: S101, PT018  # both were asked for as pipes  # nosec B101
        self.standard_output: ByteSource = _ThreadSource(os.dup(popen.stdout.fileno()))
        self.standard_error: ByteSource = _ThreadSource(os.dup(popen.stderr.fileno()))
        popen.stdout.close()
        popen.stderr.close()
        self.channel = channel
        self._waiter = ThreadPoolExecutor(1)
        self._ended = asyncio.get_running_loop().run_in_executor(self._waiter, self._wait)

    def _wait(self) -> ExitFacts:
        exit_code = self._popen.wait()
        left = self._job.members()
        names: list[str] = []
        processes.each(left, lambda process: names.append(process.name()))
        self._job.terminate()
        psutil.wait_procs(left, timeout=5)
        # Whoever never opened the channel leaves its reader waiting; opening it once ends that.
        with suppress(OSError), open(self._channel_path, "wb"):
            pass
        return self._job.facts(exit_code, tuple(sorted(names)[:10]))

    async def wait(self) -> ExitFacts:
        return await asyncio.shield(self._ended)

    async def terminate(self) -> None:
        with suppress(OSError, ValueError):
            self._popen.send_signal(signal.CTRL_BREAK_EVENT)

    async def kill(self) -> None:
        self._job.terminate()
        await self.wait()

    async def pause(self) -> None:
        await processes.halt(self._job.members)

    def resume(self) -> None:
        processes.each(self._job.members(), psutil.Process.resume)

    def use(self) -> TreeUse:
        return replace(processes.measure(self._job.members()), cpu_seconds=self._job.cpu_seconds())

    def identities(self) -> dict[int, float]:
        return {self.pid: self._started_at} if self._started_at is not None else {}

    async def close(self) -> None:
        self._job.close()
        for source in (self.standard_output, self.standard_error, self.channel):
            source.close()
        self._waiter.shutdown(wait=False)


class _SpawnLauncher:
    """Starts every process anew."""

    async def start(self, order: ProcessOrder) -> BotProcess:
        """Start a process; raise `CannotStart`."""
        program = shutil.which(order.command[0], path=order.variables.get("PATH"))
        if program is None:
            raise CannotStart(
                f"The command {order.command[0]!r} was not found in the package, the environment or on this machine."
            )
        path = rf"\\.\pipe\controlroom-{order.channel_name}-{secrets.token_hex(8)}"
        try:
            pipe = _open_channel(path)
            job = _Job(order.memory_bytes)
            # Started halted, so that nothing runs before the job holds it.
            popen = subprocess.Popen(  # noqa: S603, ASYNC220  # a command of the package, without a shell  # nosec B603
                [program, *order.command[1:]],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env=order.variables | {"CONTROLROOM_CHANNEL": path},
                cwd=order.folder,
                creationflags=subprocess.CREATE_NEW_PROCESS_GROUP | _CREATE_SUSPENDED,
            )
            job.add(int(popen._handle))  # type: ignore[attr-defined]  # the only handle that cannot name another process meanwhile
            psutil.Process(popen.pid).resume()
        except (OSError, psutil.Error) as error:
            raise CannotStart(f"The process could not be started: {error}") from None
        channel = _ThreadSource(msvcrt.open_osfhandle(pipe, os.O_RDONLY), pipe)
        return _JobProcess(popen, job, path, channel, order.refusal or (_NO_FORK if order.script else ""))

    async def prestart(self, environments: Sequence[Path]) -> None:
        """Do nothing: there are no warm interpreters."""

    async def release(self, environment: Path) -> bool:
        """Say that nothing of the launcher's uses the environment."""
        return True


class _RangeLock:
    """A lock on the first byte of a file."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def release(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


class WindowsPlatform:
    """Windows 10, Windows Server 2016 or later."""

    name = "windows"
    layout = EnvironmentLayout(python=Path("Scripts/python.exe"), scripts=Path("Scripts"))
    inherited_variables = frozenset(
        [
            "ALLUSERSPROFILE",
            "APPDATA",
            "COMMONPROGRAMFILES",
            "COMMONPROGRAMFILES(X86)",
            "COMPUTERNAME",
            "COMSPEC",
            "HOMEDRIVE",
            "HOMEPATH",
            "LANG",
            "LOCALAPPDATA",
            "NUMBER_OF_PROCESSORS",
            "OS",
            "PATH",
            "PATHEXT",
            "PROCESSOR_ARCHITECTURE",
            "PROGRAMDATA",
            "PROGRAMFILES",
            "PROGRAMFILES(X86)",
            "PUBLIC",
            "SESSIONNAME",
            "SYSTEMDRIVE",
            "SYSTEMROOT",
            "USERDOMAIN",
            "USERNAME",
            "USERPROFILE",
            "WINDIR",
        ]
    )

    @asynccontextmanager
    async def open_launcher(self, state_folder: Path, *, warm: bool) -> AsyncIterator[Launcher]:
        """Open the launcher. A service has no console, and CTRL_BREAK goes by the console only: so one is made."""
        _kernel32.AllocConsole()
        yield _SpawnLauncher()

    def lock_file(self, path: Path, *, shared: bool) -> FileLock | None:
        """Lock the first byte by LockFileEx, which ends with the descriptor."""
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOINHERIT | os.O_BINARY)
        locked = _kernel32.LockFileEx(
            wintypes.HANDLE(msvcrt.get_osfhandle(descriptor)),
            _LOCK_NOW | (0 if shared else _LOCK_EXCLUSIVE),
            0,
            1,
            0,
            ctypes.byref(_Overlapped()),
        )
        if locked:
            return _RangeLock(descriptor)
        os.close(descriptor)
        return None

    def end_processes(self, identities: dict[int, float], marker: tuple[str, str]) -> int:
        """Kill what carries the marker; a job has usually done so when the earlier runner ended."""
        return processes.end(identities, marker)


def _open_channel(path: str) -> int:
    handle = _kernel32.CreateNamedPipeW(
        path, _PIPE_ACCESS_INBOUND | _FIRST_INSTANCE, _REJECT_REMOTE_CLIENTS, 1, 0, 1024 * 1024, 0, None
    )
    if handle in (None, _INVALID_HANDLE):
        raise ctypes.WinError(ctypes.get_last_error())
    return int(handle)


def _checked(result: int) -> int:
    if not result:
        raise ctypes.WinError(ctypes.get_last_error())
    return result
