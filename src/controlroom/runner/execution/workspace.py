"""The folder of one attempt and what lies where in it."""

import asyncio
import hashlib
import json
import os
import shutil
import stat
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import msgspec

from controlroom.protocol.plan import AttemptPlan
from controlroom.runner.execution.errors import PackageUnusable
from controlroom.runner.execution.unpack import unpack
from controlroom.runner.input_files import INPUT_FILES, inputs_with_paths

_LONGEST_TEMPORARY = 50


@dataclass(frozen=True, slots=True)
class Workspace:
    """Paths below an attempt's folder; all absolute."""

    root: Path

    @classmethod
    def at(cls, folder: Path) -> Self:
        """Return the workspace in a folder, by its path without links, so that it always has the same name."""
        return cls(folder.resolve())

    @property
    def package(self) -> Path:
        """The unpacked package."""
        return self.root / "package"

    @property
    def artifacts(self) -> Path:
        """Where a bot puts files that are to be kept."""
        return self.root / "artifacts"

    @property
    def temporary(self) -> Path:
        """The bot's own temporary folder."""
        return self.root / "temporary"

    @property
    def control(self) -> Path:
        """Files between runner and bot."""
        return self.root / "control"

    @property
    def inputs(self) -> Path:
        """The inputs as JSON."""
        return self.control / "inputs.json"

    @property
    def input_files(self) -> Path:
        """The files among the inputs, which are there before the rest."""
        return self.root / INPUT_FILES

    @property
    def start(self) -> Path:
        """What a cold launcher reads."""
        return self.control / "start.json"

    @property
    def cancel(self) -> Path:
        """Appears when the bot is to stop."""
        return self.control / "cancel"

    @property
    def processes(self) -> Path:
        """Pids and start times, for a runner that comes after this one."""
        return self.control / "processes.json"

    def prepare(self, plan: AttemptPlan, package: Path) -> None:
        """Make the folders, unpack the package and write the inputs. Blocking. Raise `PackageUnusable`.

        An attempt is carried out once: what an earlier try left in the way is removed.
        """
        for folder in (self.package, self.artifacts, self.temporary, self.control):
            if folder.exists():
                _remove(folder)
        unpack(package, self.package)
        for folder in (self.artifacts, self.temporary, self.control):
            folder.mkdir(parents=True, mode=0o700)
        self._write_private(self.inputs, msgspec.json.encode(inputs_with_paths(plan, self.input_files)))
        self._check(plan)

    def empty(self) -> None:
        """Remove what the bot and its package brought; what is needed to end its processes stays. Blocking."""
        for folder in (self.artifacts, self.temporary, self.package, self.input_files):
            _remove(folder)

    def short_temporary(self) -> Path:
        """Return a short path of the temporary folder: a link in the system's own where the path itself is long.

        A Unix socket's path has at most 107 bytes (unix(7)), and programs put sockets into their temporary folder.
        """
        if os.name == "nt" or len(os.fsencode(self.temporary)) <= _LONGEST_TEMPORARY:
            return self.temporary
        link = self._temporary_link
        try:
            if not link.is_symlink():
                link.symlink_to(self.temporary)
            return link if os.readlink(link) == str(self.temporary) else self.temporary
        except OSError:
            return self.temporary

    def remove_link(self) -> None:
        """Remove the link to the temporary folder, where there is one and it is this attempt's."""
        link = self._temporary_link
        with suppress(OSError):
            if os.readlink(link) == str(self.temporary):
                link.unlink()

    @property
    def _temporary_link(self) -> Path:
        name = hashlib.sha256(os.fsencode(self.root)).hexdigest()[:12]
        return Path(tempfile.gettempdir()) / f"cr-{name}"

    def within_package(self, relative: str) -> Path:
        """Return a path of the package; raise `PackageUnusable` where it leads out of it."""
        package = str(self.package)
        path = os.path.normpath(os.path.join(package, relative))
        if _leads_out(path, package) or _passes_link(path, package):
            path = os.path.realpath(os.path.join(package, relative))
            if _leads_out(path, os.path.realpath(package)):
                raise PackageUnusable(f"The plan names {relative!r}, which lies outside of the package.")
        return Path(path)

    def remember_processes(self, identities: dict[int, float]) -> None:
        """Note the processes, so that whoever comes after a crash can end them."""
        self._write_private(
            self.processes, msgspec.json.encode({str(pid): at for pid, at in identities.items()})
        )

    def remembered_processes(self) -> dict[int, float]:
        """Return the noted processes, none where nothing readable is there."""
        try:
            content = json.loads(self.processes.read_bytes())
            return {int(pid): float(started) for pid, started in content.items()}
        except (OSError, ValueError, AttributeError, TypeError):
            return {}

    def write_start(self, script: dict[str, Any]) -> None:
        """Write what a cold launcher reads."""
        self._write_private(self.start, msgspec.json.encode(script))

    def _check(self, plan: AttemptPlan) -> None:
        launch = plan.launch
        if not self.within_package(launch.folder).is_dir():
            raise PackageUnusable(
                f"The package has no folder {launch.folder!r}, which the bot is to start in."
            )
        if launch.kind.value == "script" and not self.within_package(launch.target).is_file():
            raise PackageUnusable(
                f"The package has no file {launch.target!r}, which the bot is to start with."
            )

    @staticmethod
    def _write_private(path: Path, content: bytes) -> None:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with open(descriptor, "wb") as file:
            file.write(content)


def _leads_out(path: str, folder: str) -> bool:
    return path != folder and not path.startswith(folder + os.sep)


def _passes_link(path: str, folder: str) -> bool:
    """Say whether a link lies on the way from a folder, itself included, to a path below it."""
    while path != folder:
        if os.path.islink(path):
            return True
        path = os.path.dirname(path)
    return os.path.islink(folder)


async def discard_workspace(root: Path) -> None:
    """Remove an attempt's folder with everything in it, files that the bot made read-only included."""
    await asyncio.to_thread(_remove, root)


def _remove(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    if not folder.exists():
        return
    for path, _, names in os.walk(folder):
        os.chmod(path, stat.S_IRWXU)
        if os.name == "nt":  # there a file that may not be changed may not be removed either
            for name in names:
                os.chmod(os.path.join(path, name), stat.S_IRWXU)
    shutil.rmtree(folder, ignore_errors=True)
