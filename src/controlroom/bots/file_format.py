"""The spelling of a file in a schema and among inputs; see `bots.file_inputs` for what follows from it."""

from controlroom.foundation.ids import is_id

FILE_FORMAT = "file"
LIMIT_KEYWORD = "x-max-mb"
FILE_ID_PREFIX = "fil"


def is_file_id(value: str) -> bool:
    """Say whether a text has the form of an uploaded file's id."""
    return is_id(value, FILE_ID_PREFIX)
