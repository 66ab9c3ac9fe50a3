"""What the API gives about files as inputs."""

from datetime import datetime

from pydantic import Field

from controlroom.foundation.http import Schema


class InputFileOut(Schema):
    """A file that was uploaded to be an input; a run's inputs name it by ``id``."""

    id: str
    name: str
    media_type: str = Field(description="By the ending of its name, else as announced.")
    sha256: str
    size_bytes: int
    uploaded_by: str
    uploaded_at: datetime
    expires_at: datetime = Field(description="When it is removed unless a run has used it by then.")
    used_at: datetime | None = Field(description="When the first run was given it, which keeps it.")


class RunFileOut(Schema):
    """A file that a run was given."""

    pointer: str = Field(description="Where it stands among the inputs.", examples=["/invoice"])
    id: str
    name: str
    media_type: str
    sha256: str
    size_bytes: int
