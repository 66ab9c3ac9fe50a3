"""Makes a request's inputs of what was typed: files that are named as ``@path`` are uploaded, their ids put in their place."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from controlroom.bots.file_inputs import file_places, media_type_of, replaced
from controlroom.cli.client.rest import Client
from controlroom.creator.given_inputs import inputs_from_pairs, inputs_from_text
from controlroom.creator.local_files import AT, local_path
from controlroom.foundation.errors import FieldError, Invalid


def _with_uploaded_files(
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


def inputs_to_send(
    client: Client, subject: tuple[str, int | None, str], file: Path | None, pairs: list[str]
) -> dict[str, Any]:
    """Return the inputs of a request from a file and from pairs, the files among them uploaded.

    ``subject`` is the bot, the version's number and the task. Raises `Invalid` for what cannot be read.
    """
    try:
        from_file = {} if file is None else inputs_from_text(file.read_text(encoding="utf-8"), str(file))
    except (OSError, UnicodeDecodeError) as error:
        raise Invalid(f"{file} cannot be read: {error}.") from None
    if not pairs and not from_file:
        return {}
    schema = _schema_of(client, *subject)
    return _with_uploaded_files(client, schema, {**from_file, **inputs_from_pairs(pairs, schema)})


def _schema_of(client: Client, bot: str, version: int | None, task: str) -> dict[str, Any]:
    """Return the schema of the inputs that a run would be asked for, empty where that cannot be told."""
    current = client.get(f"/bots/{bot}")
    number = version or current.get("current_version")
    if not number:
        return {}
    manifest: dict[str, Any] = client.get(f"/bots/{bot}/versions/{number}").get("manifest", {})
    name = task or manifest.get("default_task", "")
    of_task = [each["inputs"] for each in manifest.get("tasks", ()) if each.get("name") == name]
    schema: dict[str, Any] = of_task[0] if of_task else manifest.get("inputs", {})
    return schema
