"""Uploads the files that inputs name as ``@path``, and puts their ids in their place."""

from collections.abc import Mapping
from typing import Any

from controlroom.bots.file_inputs import file_places, media_type_of, replaced
from controlroom.cli.client.rest import Client
from controlroom.creator.local_files import AT, local_path
from controlroom.foundation.errors import FieldError, Invalid


def with_uploaded_files(
    client: Client, schema: Mapping[str, Any], inputs: Mapping[str, Any]
) -> dict[str, Any]:
    """Return inputs with the id of an uploaded file for each ``@path`` that stands where the schema wants a file.

    Each file is sent once. Raises `Invalid` for one that is not there, before anything is sent.
    """
    places = file_places(dict(schema), inputs, is_value=lambda value: value.startswith(AT))
    missing = [place for place in places if not local_path(place.value).is_file()]
    if missing:
        told = ", ".join(str(local_path(place.value)) for place in missing)
        fields = tuple(FieldError(f"/inputs{place.pointer}", "names no file here") for place in missing)
        raise Invalid(f"There is no such file: {told}.", fields=fields)
    ids: dict[str, str] = {}
    for place in places:
        if place.value not in ids:
            path = local_path(place.value)
            sent = client.upload("/input-files", path, media_type_of(path.name), name=path.name)
            ids[place.value] = sent["id"]
    given: dict[str, Any] = replaced(inputs, {place.path: ids[place.value] for place in places})
    return given
