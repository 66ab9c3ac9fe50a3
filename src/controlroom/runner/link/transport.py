"""What a transport is, and the ways in which it fails."""

from collections.abc import Sequence
from typing import Protocol

import msgspec

from controlroom.foundation.telemetry import logger
from controlroom.protocol.messages import FromServer, Hello, Refused, Welcome
from controlroom.protocol.wire import MalformedMessage, decode_from_server

_log = logger("runner.link")
_LONGEST_REASON = 500


class LinkError(Exception):
    """The Control Room cannot be spoken to; the text says why, for people."""


class LinkLost(LinkError):
    """There is no connection, or no longer."""


class TransportBlocked(LinkError):
    """Something on the way does not let this transport pass; another may.

    ``certain`` is false where a Control Room that is just starting would look the same.
    """

    def __init__(self, reason: str, *, certain: bool) -> None:
        super().__init__(reason)
        self.certain = certain


class RunnerRefused(LinkError):
    """The Control Room does not take this runner: its key was revoked, or it speaks another protocol version."""


class Connection(Protocol):
    """An open connection whose `Hello` was answered. Messages keep their order in each direction."""

    async def send(self, messages: Sequence[bytes]) -> None:
        """Send encoded messages; waits while the network takes no more. Raises `LinkLost`."""
        ...

    async def receive(self) -> Sequence[FromServer]:
        """Wait for the next messages, at least one. Raises `LinkLost`."""
        ...

    async def close(self) -> None:
        """End the connection within a few seconds; never raises."""
        ...


class Transport(Protocol):
    """One way to carry messages."""

    @property
    def name(self) -> str:
        """What people call it."""
        ...

    async def open(self, hello: Hello) -> tuple[Connection, Welcome]:
        """Connect and introduce the runner. Raises a `LinkError`."""
        ...


def expect_welcome(message: FromServer | None) -> Welcome:
    """Return the answer to a hello; raise `RunnerRefused` for a refusal and `LinkLost` for anything else."""
    match message:
        case Welcome():
            return message
        case Refused(reason=reason):
            raise RunnerRefused(f"The Control Room refuses this runner: {reason[:_LONGEST_REASON]}")
        case _:
            raise LinkLost("The Control Room did not answer the runner's hello with a welcome.")


def decode_messages(frames: Sequence[bytes]) -> list[FromServer]:
    """Decode messages one by one; what a newer Control Room says and this runner does not know is logged and let be."""
    messages: list[FromServer] = []
    for frame in frames:
        try:
            messages.append(decode_from_server(frame))
        except MalformedMessage as error:
            _log.warning("runner.message_not_understood", reason=str(error))
    return messages


def refusal_detail(body: bytes) -> str:
    """Return the sentence of a problem+json answer with a blank before it, or nothing where there is none."""
    try:
        detail = msgspec.json.decode(body, type=_Problem).detail
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return ""
    return f" {detail[:_LONGEST_REASON]}" if detail else ""


class _Problem(msgspec.Struct):
    detail: str = ""
