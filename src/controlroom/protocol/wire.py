"""The encoding: MessagePack, one message a WebSocket frame, or an array of messages a long-poll body."""

from collections.abc import Sequence

import msgspec

from controlroom.protocol.messages import FromRunner, FromServer

MAXIMUM_FRAME_BYTES = 4 * 1024 * 1024
"""A larger frame is refused; batches keep far below it."""

MEDIA_TYPE = "application/msgpack"

LINK_PATH = "/runner/v1/link"
"""The WebSocket of a runner."""
POLL_PATH = "/runner/v1/poll"
"""The long-poll pair where WebSockets do not pass: GET gives messages, POST takes them."""
JOIN_PATH = "/runner/v1/join"
PACKAGE_PATH = "/runner/v1/attempts/{attempt_id}/package"
INPUT_FILE_PATH = "/runner/v1/attempts/{attempt_id}/files/{file_id}"
ARTIFACT_PATH = "/runner/v1/attempts/{attempt_id}/artifacts"
TOKEN_HEADER = "X-Attempt-Token"
POLL_SESSION_HEADER = "X-Poll-Session"

_encoder = msgspec.msgpack.Encoder()
_from_runner: msgspec.msgpack.Decoder[FromRunner] = msgspec.msgpack.Decoder(FromRunner)
_from_server: msgspec.msgpack.Decoder[FromServer] = msgspec.msgpack.Decoder(FromServer)
_many_from_runner = msgspec.msgpack.Decoder(list[FromRunner])
_many_from_server = msgspec.msgpack.Decoder(list[FromServer])


class MalformedMessage(ValueError):
    """What came is not a message of this protocol; the text says where it goes wrong, without its content."""


def encode(message: FromRunner | FromServer) -> bytes:
    """Encode one message."""
    return _encoder.encode(message)


def encode_many(messages: Sequence[FromRunner | FromServer]) -> bytes:
    """Encode messages for one long-poll body."""
    return _encoder.encode(messages)


def decode_from_runner(data: bytes) -> FromRunner:
    """Decode one message of a runner; raise `MalformedMessage`."""
    try:
        return _from_runner.decode(data)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise MalformedMessage(str(error)) from None


def decode_from_server(data: bytes) -> FromServer:
    """Decode one message of a server; raise `MalformedMessage`."""
    try:
        return _from_server.decode(data)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise MalformedMessage(str(error)) from None


def decode_many_from_runner(data: bytes) -> list[FromRunner]:
    """Decode a long-poll body of a runner; raise `MalformedMessage`."""
    try:
        return _many_from_runner.decode(data)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise MalformedMessage(str(error)) from None


def decode_many_from_server(data: bytes) -> list[FromServer]:
    """Decode a long-poll body of a server; raise `MalformedMessage`."""
    try:
        return _many_from_server.decode(data)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise MalformedMessage(str(error)) from None
