"""The bus: wakes whoever waits for a topic, here and on other nodes. It carries no truth; a lost wake costs only time."""

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from typing import Protocol


class Subscription(Protocol):
    """Listens to some topics; wakes that come while nobody waits are folded into one."""

    async def wait(self, timeout_seconds: float) -> frozenset[str]:
        """Return the topics woken since the last call, or an empty set after the timeout."""
        ...


class Bus(Protocol):
    """Carries wakes between the parts of a node and between nodes."""

    async def wake(self, topics: Sequence[str]) -> None:
        """Wake every listener of these topics."""
        ...

    def subscribe(self, *topics: str) -> AbstractAsyncContextManager[Subscription]:
        """Listen to topics; one that ends in ``*`` stands for all that begin so."""
        ...
