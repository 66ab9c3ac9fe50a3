"""Files as inputs of a trial: paths on the author's machine, which the bot gets as a runner would give them."""

import hashlib
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from controlroom.bots.file_format import FILE_ID_PREFIX
from controlroom.bots.file_inputs import FilePlace, file_places, media_type_of, replaced
from controlroom.bots.inputs import InputsInvalid
from controlroom.bots.manifest import JsonSchema
from controlroom.foundation.errors import FieldError
from controlroom.foundation.ids import new_id
from controlroom.protocol.plan import PlannedFile
from controlroom.runner.input_files import INPUT_FILES, READ_ONLY_FILE, READ_ONLY_FOLDER, paths_of

AT = "@"
"""A path may be given with it in front, as ``controlroom run start`` has it."""


@dataclass(frozen=True, slots=True)
class LocalFiles:
    """``inputs`` name the files by ids; ``sources`` are the author's own files by these ids."""

    inputs: Mapping[str, Any]
    planned: tuple[PlannedFile, ...]
    sources: Mapping[str, Path]

    def place(self, workspace: Path) -> None:
        """Copy the files into a workspace, to be read and not changed, so that the author's own stay as they are. Blocking."""
        if not self.planned:
            return
        folder = workspace / INPUT_FILES
        folder.mkdir(parents=True)
        for file_id, path in paths_of(self.planned, folder).items():
            shutil.copyfile(self.sources[file_id], path)
            path.chmod(READ_ONLY_FILE)
        folder.chmod(READ_ONLY_FOLDER)


def local_files(schema: JsonSchema, inputs: Mapping[str, Any]) -> LocalFiles:
    """Return what a trial does with the paths that stand where the schema wants files. Blocking.

    Raises `InputsInvalid` with an error at each field whose file is not there or does not fit.
    """
    places = file_places(schema, inputs, is_value=bool)
    problems: list[FieldError] = []
    planned: list[PlannedFile] = []
    ids: dict[Path, str] = {}
    for place in places:
        path = local_path(place.value)
        problem = _problem(place, path)
        if problem:
            problems.append(FieldError(f"/inputs{place.pointer}", problem))
            continue
        file_id = ids.setdefault(path.resolve(), new_id(FILE_ID_PREFIX))
        planned.append(PlannedFile(place.pointer, file_id, path.name, _hash_of(path), path.stat().st_size))
    if problems:
        told = "; ".join(f"{field.pointer.removeprefix('/inputs/')}: {field.message}" for field in problems)
        raise InputsInvalid(f"The inputs do not fit: {told}.", fields=tuple(problems))
    values = {place.path: file.file_id for place, file in zip(places, planned, strict=True)}
    return LocalFiles(replaced(inputs, values), tuple(planned), {each: path for path, each in ids.items()})


def local_path(value: str) -> Path:
    """Return the path that an author gave."""
    return Path(value.removeprefix(AT)).expanduser()


def _problem(place: FilePlace, path: Path) -> str:
    if not path.is_file():
        return f"names no file on this machine: {path}"
    try:
        with path.open("rb"):
            return place.problem(media_type_of(path.name), path.stat().st_size)
    except OSError as error:
        return f"names a file that cannot be read: {path}: {error.strerror}"


def _hash_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
