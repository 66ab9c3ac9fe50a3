"""Unpacks a package: files only, inside the folder only, within bounds."""

import os
import shutil
import stat
import zipfile
from pathlib import Path, PurePosixPath

from controlroom.runner.execution.errors import PackageUnusable

LARGEST_BYTES = 2 * 1024 * 1024 * 1024
MOST_ENTRIES = 50_000
_COPY_BYTES = 1024 * 1024
_PLAIN_KINDS = (0, stat.S_IFREG, stat.S_IFDIR)


def unpack(package: Path, folder: Path) -> None:
    """Unpack a zip into an empty folder. Blocking. Raise `PackageUnusable`."""
    folder.mkdir(parents=True)
    try:
        with zipfile.ZipFile(package) as archive:
            entries = archive.infolist()
            if len(entries) > MOST_ENTRIES:
                raise PackageUnusable(
                    f"The package has {len(entries):,} entries, more than {MOST_ENTRIES:,}."
                )
            left = LARGEST_BYTES
            for entry in entries:
                left -= _unpack_entry(archive, entry, folder, left)
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, FileExistsError) as error:
        raise PackageUnusable(f"The package is not a zip that can be unpacked: {error}.") from None


def _unpack_entry(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, folder: Path, limit: int) -> int:
    target = folder / _safe_name(entry)
    if entry.is_dir():
        target.mkdir(parents=True, exist_ok=True)
        return 0
    if entry.file_size > limit:
        raise PackageUnusable(f"The package unpacks to more than {LARGEST_BYTES // 1024**2:,} MB.")
    target.parent.mkdir(parents=True, exist_ok=True)
    with archive.open(entry) as source, target.open("xb") as file:
        shutil.copyfileobj(source, file, _COPY_BYTES)
    if entry.external_attr >> 16 & stat.S_IXUSR:
        os.chmod(target, 0o755)  # noqa: S103  # a program of the package stays one  # nosec B103
    return entry.file_size


def _safe_name(entry: zipfile.ZipInfo) -> PurePosixPath:
    name = PurePosixPath(entry.filename)
    kind = stat.S_IFMT(entry.external_attr >> 16)
    if kind not in _PLAIN_KINDS:
        raise PackageUnusable(
            f"The package holds {entry.filename!r}, which is a link or a device, not a file."
        )
    if name.is_absolute() or ".." in name.parts or any(sign in entry.filename for sign in "\\:\0"):
        raise PackageUnusable(f"The package holds {entry.filename!r}, which would lie outside of its folder.")
    return name
