"""Packs a folder or a script into a package: the same content makes the same bytes, so that it is the same version.

What is left out: folders of tools (`ALWAYS_LEFT_OUT`), and what the rules of `exclusions` name.
"""

import hashlib
import os
import stat
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from pathspec import GitIgnoreSpec

from controlroom.bots.archive import PackageFacts, PackageLimits
from controlroom.bots.errors import NotAZip, PackageRefused, PackageTooBig, UnsafeEntry
from controlroom.bots.exclusions import exclusion_rules
from controlroom.bots.files import CHUNK_BYTES, FolderFiles, PackageFiles
from controlroom.bots.names import check_path

ALWAYS_LEFT_OUT = frozenset(
    {
        ".git", ".hg", ".svn", ".venv", "venv", "__pycache__", "node_modules", "output", ".mypy_cache",
        ".pytest_cache", ".ruff_cache", ".tox", ".idea", ".vscode", ".DS_Store",
    }
)  # fmt: skip
_EARLIEST = (1980, 1, 1, 0, 0, 0)
"""The earliest time that a zip can hold; every entry has it, so that only content counts."""
_FILE_MODE, _PROGRAM_MODE = 0o644, 0o755
_UNIX = 3


@dataclass(frozen=True, slots=True)
class PackedPackage:
    """What was packed: its facts and its files' paths."""

    facts: PackageFacts
    names: Sequence[str]


def source_files(source: Path, limits: PackageLimits | None = None) -> FolderFiles:
    """Return the files of a folder, or of a single script, that would be packed.

    Raises `PackageRefused` for a link, an unsafe name or more files than the limits take, and `DeclarationInvalid`
    where a file that says what to leave out cannot be read.
    """
    limits = limits or PackageLimits()
    if source.is_file():
        check_path(source.name)
        return FolderFiles(source.parent, [source.name], source.stem)
    if not source.is_dir():
        raise PackageRefused(f"There is no folder or file '{source}'.")
    rules = exclusion_rules(_top(source))
    names: list[str] = []
    for name in _walk(source, rules):
        check_path(name)
        names.append(name)
        if len(names) > limits.entries:
            raise PackageTooBig(f"The folder holds more than {limits.entries:,} files.")
    return FolderFiles(source, names)


def _top(source: Path) -> FolderFiles:
    """Return the files at the top, where all that says what to leave out stands, and ignore files a folder deeper."""
    paths = (*source.iterdir(), *source.glob("*/*ignore*"))
    return FolderFiles(source, [path.relative_to(source).as_posix() for path in paths if path.is_file()])


def _walk(source: Path, rules: GitIgnoreSpec) -> Iterator[str]:
    """Give the paths of files that are not left out; a folder that is left out is not entered, as git has it."""
    for folder, folders, files in os.walk(source):
        inner = Path(folder).relative_to(source).as_posix()
        start = "" if inner == "." else f"{inner}/"
        folders[:] = sorted(
            name
            for name in folders
            if name not in ALWAYS_LEFT_OUT and not rules.match_file(f"{start}{name}/")
        )
        for name in (*folders, *sorted(files)):
            path = f"{start}{name}"
            if name in ALWAYS_LEFT_OUT or (name in files and rules.match_file(path)):
                continue
            _check_kind(source / path, path)
            if name in files:
                yield path


def _check_kind(path: Path, name: str) -> None:
    mode = path.lstat().st_mode
    if stat.S_ISLNK(mode):
        raise UnsafeEntry("is a link; put the file itself there, or leave it out", entry=name)
    if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):
        raise UnsafeEntry("is neither a file nor a folder; leave it out", entry=name)


def pack(source: Path, target: IO[bytes], limits: PackageLimits | None = None) -> PackedPackage:
    """Write the package of a folder or a script to a file that is open for reading and writing.

    Raises as `source_files` does, and `PackageTooBig` past the limits.
    """
    limits = limits or PackageLimits()
    files = source_files(source, limits)
    names = files.names()
    if not names:
        raise PackageRefused(f"There is nothing to pack in '{source}'.")
    root = source.parent if source.is_file() else source
    unpacked = 0
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, allowZip64=False) as archive:
        for name in names:
            unpacked += files.size_bytes(name)
            if unpacked > limits.unpacked_bytes:
                raise PackageTooBig(f"the folder holds more than {limits.unpacked_bytes:,} bytes", entry=name)
            _write(archive, root / name, name, files)
    target.flush()
    size = target.tell()
    if size > limits.packed_bytes:
        raise PackageTooBig(
            f"The package has {size:,} bytes; at most {limits.packed_bytes:,} bytes are taken."
        )
    target.seek(0)
    address = hashlib.sha256()
    while chunk := target.read(CHUNK_BYTES):
        address.update(chunk)
    return PackedPackage(PackageFacts(address.hexdigest(), size, unpacked, len(names)), names)


def _write(archive: zipfile.ZipFile, path: Path, name: str, files: PackageFiles) -> None:
    entry = zipfile.ZipInfo(name, _EARLIEST)
    runnable = path.stat().st_mode & stat.S_IXUSR and os.name != "nt"
    entry.external_attr = (stat.S_IFREG | (_PROGRAM_MODE if runnable else _FILE_MODE)) << 16
    entry.create_system = _UNIX
    entry.compress_type = zipfile.ZIP_DEFLATED
    try:
        with archive.open(entry, "w") as file:
            for chunk in files.chunks(name):
                file.write(chunk)
    except (zipfile.LargeZipFile, RuntimeError) as error:
        raise NotAZip(f"changed while it was packed: {error}", entry=name) from error
