"""A peer in memory that says given bytes: what parsers are tried with, quickly and without a network."""

from datetime import UTC, datetime

from controlroom.network.probes.conversation import Conversation


class ScriptedChannel:
    """Says its parts one after another, whatever it hears, then ends."""

    def __init__(self, parts: list[bytes]) -> None:
        self._parts = list(parts)
        self.heard: list[bytes] = []

    async def send(self, data: bytes) -> None:
        self.heard.append(data)

    async def receive(self) -> bytes:
        while self._parts:
            if part := self._parts.pop(0):
                return part
        return b""


def scripted(parts: list[bytes]) -> Conversation:
    return Conversation(ScriptedChannel(parts), now=lambda: datetime.now(UTC), host="127.0.0.1")
