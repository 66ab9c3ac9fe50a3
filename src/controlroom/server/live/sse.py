"""The form of server-sent events (WHATWG HTML, section 9.2)."""

from collections.abc import AsyncIterator

import msgspec
from fastapi.responses import StreamingResponse

KEEP_ALIVE_SECONDS = 15
"""Proxies close what is silent for longer; a comment line keeps the stream open."""

KEEP_ALIVE = b": alive\n\n"
MEDIA_TYPE = "text/event-stream"


def message(kind: str, data: object, *, position: int | None = None) -> bytes:
    """Return one message; ``position`` becomes its id, from which a client resumes."""
    id_line = b"" if position is None else b"id: %d\n" % position
    return b"%sevent: %s\ndata: %s\n\n" % (id_line, kind.encode(), msgspec.json.encode(data))


def stream(messages: AsyncIterator[bytes]) -> StreamingResponse:
    """Answer with a stream that no proxy holds back."""
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return StreamingResponse(messages, media_type=MEDIA_TYPE, headers=headers)
