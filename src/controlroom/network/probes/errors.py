"""What a peer can do instead of holding up its side of a handshake; the texts are the evidence that is shown."""

from controlroom.network.errors import NetworkError


class NotThisProtocol(NetworkError):
    """The peer took the connection, but what it said, or its silence, is not the protocol that was asked for."""


class TlsFailed(NetworkError):
    """The peer speaks TLS, but no encrypted connection came of it that a client would trust."""
