"""Notes when the database was last backed up, in the data folder, so that the server can say when it was long ago."""

import json
from datetime import UTC, datetime
from pathlib import Path

_FILE = "last-backup.json"


def note_backup(data_folder: Path, *, made_at: datetime, size_bytes: int) -> None:
    """Write down that a backup was made; raises `OSError` where the folder cannot be written."""
    note = {"made_at": made_at.astimezone(UTC).isoformat(), "size_bytes": size_bytes}
    aside = data_folder / f"{_FILE}.part"
    aside.write_text(json.dumps(note) + "\n", encoding="utf-8")
    aside.replace(data_folder / _FILE)


def last_backup(data_folder: Path) -> datetime | None:
    """Return when the last backup was made, None where none is known."""
    try:
        found = datetime.fromisoformat(json.loads((data_folder / _FILE).read_text("utf-8"))["made_at"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return found if found.tzinfo is not None else None
