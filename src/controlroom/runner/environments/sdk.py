"""The files that every environment gets so that ``from controlroom import bot`` works and bots can be started in it."""

import hashlib
from functools import cache
from pathlib import Path

import controlroom
from controlroom import bot
from controlroom.runner.warm import inside

_ROOT = Path(controlroom.__file__).parent
_EMPTY_PACKAGES = ("runner", "runner/warm")


@cache
def sdk_files() -> dict[str, bytes]:
    """Return the files by their path below site-packages. Read once: they are the code that runs."""
    files = {
        "controlroom/__init__.py": (_ROOT / "__init__.py").read_bytes(),
        "controlroom/py.typed": b"",
    }
    for name in _EMPTY_PACKAGES:
        files[f"controlroom/{name}/__init__.py"] = (
            b'"""Only what a bot\'s environment needs of the runner."""\n'
        )
    for package in (bot, inside):
        for path in sorted(Path(package.__file__ or "").parent.glob("*.py")):
            files[f"controlroom/{path.relative_to(_ROOT).as_posix()}"] = path.read_bytes()
    return files


@cache
def sdk_hash() -> str:
    """Return the SHA-256 of those files, which is part of every environment's address."""
    digest = hashlib.sha256()
    for name, content in sorted(sdk_files().items()):
        digest.update(f"{name}\0{len(content)}\0".encode() + content)
    return digest.hexdigest()


def install_sdk(packages: Path) -> None:
    """Write the files into a site-packages folder. A distribution named controlroom that is there gives way."""
    for name, content in sdk_files().items():
        path = packages / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        path.write_bytes(content)
