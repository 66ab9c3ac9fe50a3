"""What a probe is, what it is told, and what it finds out."""

import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum

from controlroom.network.addresses import Family
from controlroom.network.catalogue import Transport
from controlroom.network.probes.conversation import Conversation
from controlroom.network.probes.encryption import client_context


class Verdict(StrEnum):
    """What became of a probe. Only `OPEN` says that the right service answered."""

    OPEN = "open"
    WRONG_PROTOCOL = "wrong protocol"
    TLS_ERROR = "TLS error"
    REFUSED = "refused"
    PROHIBITED = "administratively prohibited"
    FILTERED = "filtered"
    UNREACHABLE = "unreachable"
    NO_UDP_ANSWER = "no UDP answer"
    NAME_ERROR = "name error"

    @property
    def arrived(self) -> bool:
        """Say whether the packet surely passed every firewall: something over there accepted it."""
        return self in {Verdict.OPEN, Verdict.WRONG_PROTOCOL, Verdict.TLS_ERROR}


class Wrapping(StrEnum):
    """Whether a protocol is spoken in the clear, within TLS from the first byte, or as the site has it."""

    CLEAR = "clear"
    TLS = "tls"
    EITHER = "either"


@dataclass(frozen=True, slots=True)
class Probe:
    """One protocol: how to greet a server of it, and how to stand in for such a server.

    ``ask`` holds the client's side and returns evidence; it raises `NotThisProtocol` or `TlsFailed`. ``answer`` holds
    the server's side, as far as ``ask`` goes. ``services`` and ``flows`` are the catalogue's names of what the probe
    is for; a flow that is named goes before its service. A probe that does not ``prove`` sees a connection only.
    """

    name: str
    title: str
    ask: Callable[[Conversation], Awaitable[str]]
    answer: Callable[[Conversation], Awaitable[None]]
    services: tuple[str, ...] = ()
    flows: tuple[str, ...] = ()
    transport: Transport = Transport.TCP
    wrapping: Wrapping = Wrapping.CLEAR
    proves: bool = True


@dataclass(frozen=True, slots=True)
class Target:
    """Where a probe goes. ``host`` is an address or a name; ``source`` is the address to send from, if it matters."""

    host: str
    port: int
    server_name: str = ""
    source: str = ""
    family: Family | None = None


@dataclass(frozen=True, slots=True)
class Limits:
    """How long a probe may take and how many bytes it takes in; ``tls`` decides what certificates are trusted."""

    connect_seconds: float = 3.0
    answer_seconds: float = 4.0
    most_bytes: int = 64 * 1024
    tls: ssl.SSLContext = field(default_factory=client_context)
    now: Callable[[], datetime] = lambda: datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one probe found: the verdict, what it was seen by, and the time until it was known."""

    verdict: Verdict
    evidence: str
    seconds: float
