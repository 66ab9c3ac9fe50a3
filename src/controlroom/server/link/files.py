"""What a runner fetches and brings besides messages: its key, an attempt's package, inputs and artifacts."""

from typing import Annotated, cast

import msgspec
from fastapi import APIRouter, Path, Request, Response
from fastapi.responses import FileResponse

from controlroom.devices.joining import JoinService
from controlroom.foundation.cache import Cache
from controlroom.foundation.errors import Invalid, TooLarge, TooManyRequests
from controlroom.identity.access import PUBLIC, address_of
from controlroom.protocol import wire
from controlroom.protocol.join import JoinRequest
from controlroom.runs.files import AttemptFiles
from controlroom.runs.storable import storable_facts
from controlroom.server.link.access import AttemptToken, DeviceCaller

router = APIRouter()

_JOIN_BODY_BYTES = 64 * 1024
_JOINS_A_MINUTE = 30


@router.post(wire.JOIN_PATH, dependencies=[PUBLIC], status_code=201, response_class=Response)
async def join(request: Request) -> Response:
    """Exchange a one-time join token for a device's own key."""
    cache = cast("Cache", request.app.state.cache)
    if await cache.increment(f"join:{address_of(request)}", ttl_seconds=60) > _JOINS_A_MINUTE:
        raise TooManyRequests("Too many joins from this address; wait a minute.", retry_after_seconds=60)
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > _JOIN_BODY_BYTES:
            raise TooLarge("A join request is small JSON.")
    try:
        wanted = msgspec.json.decode(bytes(body), type=JoinRequest)
    except (msgspec.MsgspecError, ValueError) as error:
        raise Invalid(f"That is not a join request: {error}") from None
    wanted = msgspec.structs.replace(wanted, facts=storable_facts(wanted.facts))
    reply = await cast("JoinService", request.app.state.joining).join(wanted, address_of(request))
    return Response(msgspec.json.encode(reply), media_type="application/json", status_code=201)


@router.get(wire.PACKAGE_PATH, response_class=FileResponse)
async def package(
    request: Request, device: DeviceCaller, token: AttemptToken, attempt_id: str
) -> FileResponse:
    """Give the package of an attempt that is this device's and lives."""
    path, sha256 = await _files(request).package(device.id, attempt_id, token)
    return FileResponse(path, media_type="application/zip", headers={"ETag": f'"{sha256}"'})


@router.get(wire.INPUT_FILE_PATH, response_class=FileResponse)
async def input_file(
    request: Request,
    device: DeviceCaller,
    token: AttemptToken,
    attempt_id: str,
    file_id: Annotated[str, Path(max_length=64)],
) -> FileResponse:
    """Give a file among the inputs of an attempt that is this device's and lives."""
    path, sha256 = await _files(request).input_file(device.id, attempt_id, token, file_id)
    return FileResponse(path, media_type="application/octet-stream", headers={"ETag": f'"{sha256}"'})


@router.put(wire.ARTIFACT_PATH + "/{sha256}", status_code=204)
async def artifact(
    request: Request,
    device: DeviceCaller,
    token: AttemptToken,
    attempt_id: str,
    sha256: Annotated[str, Path(pattern="^[0-9a-f]{64}$")],
) -> None:
    """Take the content of an artifact; a report names it afterwards."""
    await _files(request).store_artifact(device.id, attempt_id, token, sha256, request.stream())


def _files(request: Request) -> AttemptFiles:
    return cast("AttemptFiles", request.app.state.attempt_files)
