"""The long-poll transport: plain HTTPS requests, for networks whose proxies let no WebSocket pass.

POST carries an array of messages and opens the session with the first; GET waits for an array of messages. What is
sent goes in one POST at a time, which keeps its order.
"""

import asyncio
import ssl
from collections.abc import Sequence
from typing import TYPE_CHECKING

import msgspec

from controlroom.protocol.messages import FromServer, Hello, Welcome
from controlroom.protocol.wire import MEDIA_TYPE, POLL_PATH, POLL_SESSION_HEADER, encode
from controlroom.runner.link.address import ControlRoomAddress, http_client
from controlroom.runner.link.transport import (
    Connection,
    LinkError,
    LinkLost,
    RunnerRefused,
    decode_messages,
    expect_welcome,
    refusal_detail,
)

if TYPE_CHECKING:
    import httpx

_WAIT_SECONDS = 25
"""How long a GET asks the Control Room to wait: below the minute after which common proxies end a silent request."""
_ANSWER_SECONDS = 20.0
_CLOSE_SECONDS = 2.0
_PAUSE_SECONDS = 0.2
"""Between two answers without a message that came too soon, so that a broken server is not flooded."""
_BODY_BYTES = 1024 * 1024
_SESSION_GONE = 410
_raw_array = msgspec.msgpack.Decoder(list[msgspec.Raw])


class LongPollTransport:
    """Opens long-poll sessions."""

    name = "long-poll"

    def __init__(self, address: ControlRoomAddress, *, wait_seconds: float = _WAIT_SECONDS) -> None:
        self._address = address
        self._wait_seconds = wait_seconds

    async def open(self, hello: Hello) -> tuple[Connection, Welcome]:
        """Post the hello and take the session that the answer names."""
        client = http_client(self._address, answer_seconds=_ANSWER_SECONDS)
        connection = _LongPollConnection(client, self._address.http(POLL_PATH), self._wait_seconds)
        try:
            return connection, expect_welcome(await connection.begin(hello))
        except BaseException:
            await connection.close()
            raise


class _LongPollConnection:
    def __init__(self, client: "httpx.AsyncClient", url: str, wait_seconds: float) -> None:
        self._client = client
        self._url = url
        self._wait_seconds = wait_seconds
        self._session = ""
        self._turn = asyncio.Lock()
        self._early: list[FromServer] = []
        """Messages that came with the answer to a POST."""

    async def begin(self, hello: Hello) -> FromServer | None:
        """Open the session; return the first message of the answer."""
        answer = await self._request("POST", content=msgspec.msgpack.encode([msgspec.Raw(encode(hello))]))
        messages = _messages(answer)
        self._session = answer.headers.get(POLL_SESSION_HEADER, "")
        if not self._session and isinstance(messages[0] if messages else None, Welcome):
            raise LinkLost(
                f"The Control Room's answer names no session: the header {POLL_SESSION_HEADER} is missing."
            )
        self._early = messages[1:]
        return messages[0] if messages else None

    async def send(self, messages: Sequence[bytes]) -> None:
        async with self._turn:
            for body in _bodies(messages):
                self._early.extend(_messages(await self._request("POST", content=body)))

    async def receive(self) -> Sequence[FromServer]:
        while not self._early:
            asked = asyncio.get_running_loop().time()
            answer = await self._request("GET")
            self._early.extend(_messages(answer))
            if not self._early and asyncio.get_running_loop().time() - asked < _PAUSE_SECONDS:
                await asyncio.sleep(_PAUSE_SECONDS)
        messages, self._early = self._early, []
        return messages

    async def close(self) -> None:
        try:
            async with asyncio.timeout(_CLOSE_SECONDS):
                await self._client.aclose()
        except (TimeoutError, OSError):
            return

    async def _request(self, method: str, content: bytes | None = None) -> "httpx.Response":
        import httpx

        headers = {POLL_SESSION_HEADER: self._session} if self._session else {}
        if content is not None:
            headers["Content-Type"] = MEDIA_TYPE
        waits = self._wait_seconds if method == "GET" else 0.0
        timeout = httpx.Timeout(_ANSWER_SECONDS, read=_ANSWER_SECONDS + waits)
        parameters = {"wait": f"{waits:g}"} if waits else None
        try:
            answer = await self._client.request(
                method, self._url, params=parameters, headers=headers, content=content, timeout=timeout
            )
        except (httpx.HTTPError, httpx.InvalidURL, ssl.SSLError, OSError) as error:
            raise LinkLost(f"The Control Room cannot be reached: {_words(error)}.") from error
        if answer.status_code not in (200, 202, 204):
            raise _refused(answer)
        return answer


def _refused(answer: "httpx.Response") -> LinkError:
    status, detail = answer.status_code, refusal_detail(answer.content)
    if status in (401, 403):
        return RunnerRefused(f"The Control Room refuses this runner's key with {status}.{detail}")
    if status == _SESSION_GONE:
        return LinkLost("The Control Room has ended the long-poll session.")
    return LinkLost(f"The Control Room answered {status}.{detail}")


def _messages(answer: "httpx.Response") -> list[FromServer]:
    if not answer.content or not answer.headers.get("Content-Type", "").startswith(MEDIA_TYPE):
        return []
    try:
        return decode_messages([bytes(raw) for raw in _raw_array.decode(answer.content)])
    except msgspec.MsgspecError:
        raise LinkLost("What answers at the Control Room's address does not speak its protocol.") from None


def _bodies(messages: Sequence[bytes]) -> list[bytes]:
    """Pack messages into arrays that stay near a size which proxies let pass."""
    bodies: list[list[msgspec.Raw]] = []
    room = 0
    for message in messages:
        if not bodies or len(message) > room:
            bodies.append([])
            room = _BODY_BYTES
        bodies[-1].append(msgspec.Raw(message))
        room -= len(message)
    return [msgspec.msgpack.encode(body) for body in bodies]


def _words(error: Exception) -> str:
    return str(error) or type(error).__name__
