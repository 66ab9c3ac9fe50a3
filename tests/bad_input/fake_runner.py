"""A runner that says whatever a test wants, over the true transports."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import httpx
import msgspec
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from controlroom.protocol import PROTOCOL_VERSION, wire
from controlroom.protocol.messages import DeviceFacts, FromRunner, FromServer, Hello, Refused, Welcome
from serving import RunningServer

T = TypeVar("T", bound=FromServer)
FACTS = DeviceFacts("host", "linux", "6", "x86_64", "3.11", "0", 1, 1)
_WAIT_SECONDS = 10


def hello(version: int = PROTOCOL_VERSION, slots: int = 64) -> Hello:
    """Return what opens a connection."""
    return Hello(version, FACTS, slots, (), ())


class FakeRunner:
    """A joined device with a key of its own."""

    def __init__(self, room: RunningServer, name: str) -> None:
        self.room = room
        with room.client() as client:
            answer = client.post("/api/v1/join-tokens", json={"note": name}).raise_for_status()
        self.join_token = str(answer.json()["token"])
        body = {
            "token": self.join_token,
            "name": name,
            "facts": msgspec.to_builtins(FACTS),
            "slots": 64,
            "labels": [name],
        }
        self.identity: dict[str, Any] = (
            httpx.post(f"{room.url}{wire.JOIN_PATH}", json=body, trust_env=False).raise_for_status().json()
        )
        self.headers = {"Authorization": f"Bearer {self.identity['key']}"}

    def http(self) -> httpx.Client:
        """Return a client with the device's key; the caller closes it."""
        return httpx.Client(base_url=self.room.url, headers=self.headers, timeout=30, trust_env=False)

    @contextmanager
    def socket(self) -> Iterator[ClientConnection]:
        """Open the WebSocket without a word."""
        url = self.room.url.replace("http:", "ws:") + wire.LINK_PATH
        with connect(url, additional_headers=self.headers, proxy=None, compression=None) as opened:
            yield opened

    @contextmanager
    def link(self) -> Iterator["Link"]:
        """Open the WebSocket with a hello that is welcomed."""
        with self.socket() as opened:
            link = Link(opened)
            link.say(hello())
            link.hear(Welcome)
            yield link


class Link:
    """A conversation with the server; ``heard`` is all that it said."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket
        self.heard: list[FromServer] = []

    def say(self, message: FromRunner) -> None:
        """Send one message."""
        self.socket.send(wire.encode(message))

    def hear(self, kind: type[T]) -> T:
        """Return the next message of a kind; raise `TimeoutError` or `ConnectionClosed` where none comes."""
        while True:
            data = self.socket.recv(_WAIT_SECONDS)
            assert isinstance(data, bytes)
            message = wire.decode_from_server(data)
            self.heard.append(message)
            if isinstance(message, kind):
                return message

    def hear_refusal(self) -> Refused:
        """Return the refusal with which the server closes, after it has closed."""
        refusal = self.hear(Refused)
        assert refusal.fatal
        try:
            while True:
                self.socket.recv(_WAIT_SECONDS)
        except ConnectionClosed:
            return refusal
