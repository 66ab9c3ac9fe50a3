"""Builds one environment into an empty folder: a relocatable virtual environment, packages, the SDK, post-install steps."""

import os
import shlex
import shutil
import sysconfig
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from controlroom.protocol.plan import EnvironmentKind, EnvironmentSpec
from controlroom.runner.environments.errors import BuildFailed
from controlroom.runner.environments.interpreters import Interpreter
from controlroom.runner.environments.sdk import install_sdk
from controlroom.runner.environments.uv import LineSink, build_variables, run_command, run_uv
from controlroom.runner.platform.contract import EnvironmentLayout

_SOURCES = "build-files"


@dataclass(frozen=True, slots=True)
class Build:
    """One build: what, with which Python, where, and who hears of it."""

    spec: EnvironmentSpec
    interpreter: Interpreter
    layout: EnvironmentLayout
    folder: Path
    on_line: LineSink
    timeout_seconds: float

    async def run(self) -> None:
        """Build; raise `BuildFailed`. The folder may be renamed afterwards."""
        sources = self.folder / _SOURCES
        self._write_files(sources)
        await self._uv(
            "venv",
            "--relocatable",
            "--no-project",
            "--no-config",
            "--python",
            str(self.interpreter.path),
            "--clear",
            str(self.folder / "venv"),
        )
        if self.spec.kind is EnvironmentKind.LOCKED_PROJECT:
            await self._sync(sources)
        else:
            await self._install(sources)
        install_sdk(packages_folder(self.folder / "venv", self.interpreter))
        for command in self.spec.post_install:
            await self._post_install(command, sources)

    def _write_files(self, sources: Path) -> None:
        sources.mkdir(parents=True)
        for name, text in self.spec.files.items():
            relative = PurePosixPath(name)
            if relative.is_absolute() or ".." in relative.parts or "\\" in name or ":" in name:
                raise BuildFailed(f"The environment names a file outside of its folder: {name!r}.")
            path = sources / relative
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")

    async def _install(self, sources: Path) -> None:
        lists = [sources / name for name in self.spec.files if name.endswith(".txt")]
        if self.spec.requirements:
            listed = sources / "controlroom-requirements.in"
            listed.write_text("\n".join(self.spec.requirements) + "\n", encoding="utf-8")
            lists.append(listed)
        if not lists:
            return
        python = str(self.folder / "venv" / self.layout.python)
        arguments = [word for path in lists for word in ("--requirement", str(path))]
        await self._uv("pip", "install", "--python", python, "--no-python-downloads", *arguments)

    async def _sync(self, sources: Path) -> None:
        for name in ("pyproject.toml", "uv.lock"):
            if name not in self.spec.files:
                raise BuildFailed(f"The environment is a locked project, but its {name} is missing.")
        await self._uv(
            "sync", "--frozen", "--no-dev", "--no-install-project", "--no-python-downloads",
            "--python", str(self.folder / "venv" / self.layout.python),
            variables={"UV_PROJECT_ENVIRONMENT": str(self.folder / "venv")},
        )  # fmt: skip

    async def _post_install(self, command: str, sources: Path) -> None:
        words = shlex.split(command, posix=os.name != "nt")
        if not words:
            return
        scripts = self.folder / "venv" / self.layout.scripts
        path = os.pathsep.join([str(scripts), os.environ.get("PATH", os.defpath)])
        program = shutil.which(words[0], path=path)
        if program is None:
            raise BuildFailed(f"The post-install command {words[0]!r} was not found in the environment.")
        await run_command(
            [program, *words[1:]],
            folder=sources,
            variables=build_variables() | {"PATH": path, "VIRTUAL_ENV": str(self.folder / "venv")},
            on_line=self.on_line,
            timeout_seconds=self.timeout_seconds,
        )

    async def _uv(self, *arguments: str, variables: dict[str, str] | None = None) -> None:
        await run_uv(
            arguments,
            folder=self.folder / _SOURCES,
            variables=build_variables() | (variables or {}),
            on_line=self.on_line,
            timeout_seconds=self.timeout_seconds,
        )


def packages_folder(environment: Path, interpreter: Interpreter) -> Path:
    """Return the folder of an environment's packages, as a virtual environment of that Python version has it."""
    major, minor = interpreter.version.split(".")[:2]
    scheme = sysconfig.get_path(
        "purelib",
        scheme="venv",
        vars={"base": str(environment), "platbase": str(environment), "py_version_short": f"{major}.{minor}"},
    )
    return Path(scheme)
