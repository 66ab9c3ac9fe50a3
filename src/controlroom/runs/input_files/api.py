"""Routes of files as inputs: uploaded before the run is asked for, read as part of it."""

from typing import Annotated, Any, cast

from fastapi import APIRouter, Depends, Path, Query, Request, status
from fastapi.responses import FileResponse

from controlroom.foundation.errors import Invalid
from controlroom.foundation.http import PROBLEM_MEDIA_TYPE, PROBLEMS
from controlroom.identity.access import permitted
from controlroom.identity.caller import Caller
from controlroom.identity.permissions import Permission
from controlroom.runs.input_files.models import LONGEST_NAME
from controlroom.runs.input_files.schemas import InputFileOut, RunFileOut
from controlroom.runs.input_files.service import InputFileService

router = APIRouter(prefix="/api/v1", tags=["runs"], responses=PROBLEMS)

_BINARY: dict[str, Any] = {"schema": {"type": "string", "format": "binary"}}
_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "description": "The file itself; its Content-Type counts where the name does not tell its type.",
        "content": {"application/octet-stream": _BINARY, "*/*": _BINARY},
    }
}
_TOO_LARGE: dict[str, Any] = {
    "description": "The file, or all that lies unused, is larger than this server takes",
    "content": {PROBLEM_MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
}


def input_file_service(request: Request) -> InputFileService:
    """Return the service that the server put into ``app.state.input_files``."""
    return cast("InputFileService", request.app.state.input_files)


Files = Annotated[InputFileService, Depends(input_file_service)]
Reader = Annotated[Caller, permitted(Permission.RUN_READ)]
Requester = Annotated[Caller, permitted(Permission.RUN_REQUEST)]
RunId = Annotated[str, Path(max_length=64)]
FileId = Annotated[str, Path(max_length=64)]


@router.post(
    "/input-files",
    status_code=status.HTTP_201_CREATED,
    openapi_extra=_BODY,
    responses={413: _TOO_LARGE},
)
async def upload_input_file(
    request: Request,
    files: Files,
    caller: Requester,
    name: Annotated[str, Query(min_length=1, max_length=LONGEST_NAME, description="The file's name.")],
    sha256: Annotated[
        str,
        Query(pattern="^([0-9a-fA-F]{64})?$", description="SHA-256 of the body; refused where it differs."),
    ] = "",
) -> InputFileOut:
    """Upload a file for a run that is asked for next: its inputs name the ``id``, and the bot gets a path.

    A file that no run uses in time is removed.
    """
    content_type = request.headers.get("content-type", "")
    if content_type.startswith(("multipart/", "application/x-www-form-urlencoded")):
        raise Invalid("Send the file itself as the request's body, not as a form.")
    length = request.headers.get("content-length", "")
    stored = await files.upload(
        caller,
        request.stream(),
        name=name,
        announced_type=content_type,
        size_bytes=int(length) if length.isascii() and length.isdigit() and len(length) < 16 else None,
        expected_sha256=sha256.lower() or None,
    )
    return InputFileOut.model_validate(stored)


@router.get("/input-files")
async def list_input_files(files: Files, caller: Requester) -> list[InputFileOut]:
    """List the files that you have uploaded and not yet given to a run, newest first."""
    return [InputFileOut.model_validate(file) for file in await files.unused(caller)]


@router.delete("/input-files/{file_id}", status_code=status.HTTP_204_NO_CONTENT)
async def remove_input_file(files: Files, caller: Requester, file_id: FileId) -> None:
    """Remove a file of yours that no run has used."""
    await files.remove(caller, file_id)


@router.get("/runs/{run_id}/files")
async def list_run_files(files: Files, caller: Reader, run_id: RunId) -> list[RunFileOut]:
    """List the files that a run was given."""
    return [
        RunFileOut(
            pointer=given.pointer,
            id=file.id,
            name=file.name,
            media_type=file.media_type,
            sha256=file.sha256,
            size_bytes=file.size_bytes,
        )
        for given, file in await files.of_run(caller, run_id)
    ]


@router.get(
    "/runs/{run_id}/files/{file_id}/content",
    responses={200: {"content": {"application/octet-stream": _BINARY}, "description": "The file"}},
    response_class=FileResponse,
)
async def get_run_file(files: Files, caller: Reader, run_id: RunId, file_id: FileId) -> FileResponse:
    """Download a file that a run was given."""
    file, path = await files.content(caller, run_id, file_id)
    return FileResponse(
        path,
        media_type="application/octet-stream",
        filename=file.name,
        content_disposition_type="attachment",
        headers={"Content-Security-Policy": "sandbox; default-src 'none'"},
    )
