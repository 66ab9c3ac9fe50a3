"""Moves files between this runner and the Control Room: packages and inputs in, artifacts out."""

import asyncio
import hashlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from controlroom.foundation.errors import ControlRoomError, Unavailable
from controlroom.protocol.plan import AttemptPlan, PlannedFile
from controlroom.protocol.wire import ARTIFACT_PATH, INPUT_FILE_PATH, PACKAGE_PATH, TOKEN_HEADER
from controlroom.runner.link.address import ControlRoomAddress, http_client
from controlroom.runner.link.transport import refusal_detail

if TYPE_CHECKING:
    import httpx

_CHUNK_BYTES = 256 * 1024
_WAIT_SECONDS = 60.0
_TRY_AGAIN = frozenset({408, 425, 429, 500, 502, 503, 504})


class TransferRefused(ControlRoomError):
    """The Control Room does not give or take the file; asking again would change nothing."""

    status = 403
    code = "transfer_refused"
    title = "The Control Room refused a file"


class TransferFailed(Unavailable):
    """The Control Room could not be reached or could not answer; the same may work later."""

    code = "transfer_failed"


class Transfers:
    """File transfers of one runner. The client is made when it is first needed."""

    def __init__(self, address: ControlRoomAddress) -> None:
        self._address = address
        self._client: httpx.AsyncClient | None = None

    async def fetch_package(self, plan: AttemptPlan, file: BinaryIO) -> str:
        """Write an attempt's package into a file and return the SHA-256 of what came.

        Raises `TransferRefused` or `TransferFailed`; what is longer than announced is refused.
        """
        path = PACKAGE_PATH.format(attempt_id=plan.attempt_id)
        return await self._fetch("package", path, plan.token, plan.package_bytes, file)

    async def fetch_input(self, plan: AttemptPlan, planned: PlannedFile, file: BinaryIO) -> str:
        """Write a file of an attempt's inputs into a file and return the SHA-256 of what came.

        Raises `TransferRefused` or `TransferFailed`; what is longer than announced is refused.
        """
        path = INPUT_FILE_PATH.format(attempt_id=plan.attempt_id, file_id=planned.file_id)
        return await self._fetch("file", path, plan.token, planned.size_bytes, file)

    async def _fetch(self, what: str, path: str, token: str, announced_bytes: int, file: BinaryIO) -> str:
        import httpx

        digest = hashlib.sha256()
        room = announced_bytes
        try:
            async with self._open_client().stream(
                "GET", self._address.http(path), headers={TOKEN_HEADER: token}
            ) as answer:
                if answer.status_code != 200:
                    raise _refusal(answer.status_code, await answer.aread())
                async for chunk in answer.aiter_bytes(_CHUNK_BYTES):
                    room -= len(chunk)
                    if room < 0:
                        raise TransferRefused(
                            f"The {what} is longer than the {announced_bytes:,} bytes announced."
                        )
                    digest.update(chunk)
                    await asyncio.to_thread(file.write, chunk)
        except httpx.HTTPError as error:
            raise _failure(error) from None
        return digest.hexdigest()

    async def store_artifact(self, attempt_id: str, token: str, sha256: str, path: Path) -> None:
        """Send a file's content under its hash. Raises `TransferRefused` or `TransferFailed`."""
        import httpx

        url = f"{self._address.http(ARTIFACT_PATH.format(attempt_id=attempt_id))}/{sha256}"
        size = (await asyncio.to_thread(path.stat)).st_size
        headers = {
            TOKEN_HEADER: token,
            "Content-Type": "application/octet-stream",
            "Content-Length": str(size),
        }
        try:
            answer = await self._open_client().put(url, headers=headers, content=_content(path))
        except httpx.HTTPError as error:
            raise _failure(error) from None
        if not answer.is_success:
            raise _refusal(answer.status_code, answer.content)

    async def close(self) -> None:
        """Let go of the connections."""
        if self._client is not None:
            await self._client.aclose()

    def _open_client(self) -> "httpx.AsyncClient":
        if self._client is None:
            self._client = http_client(self._address, answer_seconds=_WAIT_SECONDS)
        return self._client


async def _content(path: Path) -> AsyncIterator[bytes]:
    file = await asyncio.to_thread(path.open, "rb")
    try:
        while chunk := await asyncio.to_thread(file.read, _CHUNK_BYTES):
            yield chunk
    finally:
        file.close()


def _refusal(status: int, body: bytes) -> ControlRoomError:
    words = f"The Control Room answered {status}.{refusal_detail(body)}"
    return TransferFailed(words) if status in _TRY_AGAIN else TransferRefused(words)


def _failure(error: Exception) -> TransferFailed:
    return TransferFailed(f"The Control Room cannot be reached: {error or type(error).__name__}.")
