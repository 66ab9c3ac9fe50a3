"""Files among a bot's inputs: where they lie on this machine, under which names, and how its inputs lead to them."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from controlroom.foundation.file_names import safe_names
from controlroom.protocol.plan import AttemptPlan, PlannedFile

INPUT_FILES = "input-files"
"""The folder in a bot's workspace; its files may be read and not changed."""
READ_ONLY_FILE, READ_ONLY_FOLDER = 0o400, 0o500


def paths_of(files: Sequence[PlannedFile], folder: Path) -> dict[str, Path]:
    """Return where each file lies, by its id; one that is named twice lies there once."""
    named = {file.file_id: file.name for file in files}
    return {file_id: folder / name for file_id, name in zip(named, safe_names(named.values()), strict=True)}


def inputs_with_paths(plan: AttemptPlan, folder: Path) -> dict[str, Any]:
    """Return the inputs as the bot reads them: absolute paths in place of files' ids, all else as it was."""
    if not plan.files:
        return plan.inputs
    paths = paths_of(plan.files, folder)
    places = {file.pointer: str(paths[file.file_id]) for file in plan.files}
    return {name: _placed(value, _below("", name), places) for name, value in plan.inputs.items()}


def _placed(value: Any, pointer: str, places: dict[str, str]) -> Any:
    if pointer in places:
        return places[pointer]
    if isinstance(value, dict):
        return {name: _placed(inner, _below(pointer, name), places) for name, inner in value.items()}
    if isinstance(value, list):
        return [_placed(inner, _below(pointer, str(index)), places) for index, inner in enumerate(value)]
    return value


def _below(pointer: str, name: str) -> str:
    return f"{pointer}/{name.replace('~', '~0').replace('/', '~1')}"
