"""The form of server-sent events (WHATWG HTML, section 9.2)."""

import asyncio
from collections.abc import AsyncIterator

import msgspec
from fastapi.responses import StreamingResponse
from starlette.requests import ClientDisconnect
from starlette.types import Message, Receive, Scope, Send

from controlroom.foundation.telemetry import logger

KEEP_ALIVE_SECONDS = 15
"""Proxies close what is silent for longer; a comment line keeps the stream open."""

KEEP_ALIVE = b": alive\n\n"
MEDIA_TYPE = "text/event-stream"


LONGEST_SEND_SECONDS = 60.0
"""A reader who takes nothing for so long is cut off. Until then nothing is made for them: what they missed, or that it is
too much, is looked up when they read on."""

log = logger("server.live")


def message(kind: str, data: object, *, position: int | None = None) -> bytes:
    """Return one message; ``position`` becomes its id, from which a client resumes."""
    id_line = b"" if position is None else b"id: %d\n" % position
    return b"%sevent: %s\ndata: %s\n\n" % (id_line, kind.encode(), msgspec.json.encode(data))


def stream(messages: AsyncIterator[bytes]) -> StreamingResponse:
    """Answer with a stream that no proxy holds back."""
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return _Stream(messages, media_type=MEDIA_TYPE, headers=headers)


class _Stream(StreamingResponse):
    """A stream that ends when its reader takes nothing any more."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send what is streamed, and close where it comes from in any case."""

        async def send_in_time(message: Message) -> None:
            async with asyncio.timeout(LONGEST_SEND_SECONDS):
                await send(message)

        try:
            await super().__call__(scope, receive, send_in_time)
        except (ClientDisconnect, TimeoutError):
            log.info("stream.reader_stuck", path=scope["path"])
