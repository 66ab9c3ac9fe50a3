"""TLS within a conversation: from the first byte or after a protocol's own word, without trusting anybody by default."""

import hashlib
import ssl
from datetime import datetime
from pathlib import Path
from typing import Protocol

from controlroom.network.probes.certificates import validity
from controlroom.network.probes.errors import NotThisProtocol, TlsFailed

# OpenSSL's reasons that mean: these bytes are no TLS at all.
_NO_TLS = (
    "WRONG_VERSION_NUMBER",
    "HTTP_REQUEST",
    "HTTPS_PROXY_REQUEST",
    "UNKNOWN_PROTOCOL",
    "RECORD_LAYER_FAILURE",
    "PACKET_LENGTH_TOO_LONG",
    "BAD_RECORD_TYPE",
    "UNEXPECTED_MESSAGE",
    "LENGTH_MISMATCH",
    "UNEXPECTED_RECORD",
    "DECODE_ERROR",
)


class _Channel(Protocol):
    async def send(self, data: bytes) -> None: ...

    async def receive(self) -> bytes: ...


def client_context(
    authorities: Path | None = None, certificate: Path | None = None, key: Path | None = None
) -> ssl.SSLContext:
    """Return a context that checks certificates against a file of authorities, or checks none without one.

    ``certificate`` and ``key`` are shown to servers that want a client's. Raise `OSError` for files that cannot be used.

    A probe sends no secret: what matters is whether a server of the right kind answers, and with which certificate.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if authorities is None:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    else:
        context.load_verify_locations(authorities)
    if certificate is not None:
        context.load_cert_chain(certificate, key)
    return context


class TlsChannel:
    """Moves bytes through TLS over another channel, whose byte limit counts the encrypted bytes."""

    def __init__(
        self, inner: _Channel, session: ssl.SSLObject, incoming: ssl.MemoryBIO, outgoing: ssl.MemoryBIO
    ) -> None:
        self._inner = inner
        self._session = session
        self._incoming = incoming
        self._outgoing = outgoing

    async def handshake(self) -> None:
        """Agree on keys; raise `TlsFailed` or `NotThisProtocol`."""
        while True:
            try:
                self._session.do_handshake()
            except ssl.SSLWantReadError:
                await self._flush()
                if not await self._feed():
                    raise NotThisProtocol("closed the connection at the start of TLS") from None
            except ssl.SSLError as error:
                raise _meaning(error) from None
            else:
                await self._flush()
                return

    async def send(self, data: bytes) -> None:
        """Send all the bytes, encrypted."""
        try:
            self._session.write(data)
        except ssl.SSLError as error:
            raise _meaning(error) from None
        await self._flush()

    async def receive(self) -> bytes:
        """Return the next decrypted bytes, none at the end."""
        while True:
            try:
                return self._session.read(16_384)
            except ssl.SSLWantReadError:
                await self._flush()
                if not await self._feed():
                    return b""
            except (ssl.SSLZeroReturnError, ssl.SSLEOFError):
                return b""
            except ssl.SSLError as error:
                raise _meaning(error) from None

    async def _flush(self) -> None:
        if data := self._outgoing.read():
            await self._inner.send(data)

    async def _feed(self) -> bool:
        data = await self._inner.receive()
        if data:
            self._incoming.write(data)
        return bool(data)


async def encrypt(
    inner: _Channel, context: ssl.SSLContext, name: str, now: datetime
) -> tuple[TlsChannel, str]:
    """Open TLS as a client; return the channel and what was agreed. Raise `TlsFailed` or `NotThisProtocol`."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    session = context.wrap_bio(incoming, outgoing, server_hostname=name or None)
    channel = TlsChannel(inner, session, incoming, outgoing)
    await channel.handshake()
    certificate = session.getpeercert(binary_form=True) or b""
    facts = [session.version() or "TLS", (session.cipher() or ("",))[0], _facts(certificate, now)]
    if context.verify_mode is ssl.CERT_NONE:
        facts.append("not checked against an authority")
    return channel, ", ".join(facts)


async def accept(inner: _Channel, context: ssl.SSLContext, already: bytes) -> TlsChannel:
    """Open TLS as a server; ``already`` are bytes that came before. Raise `TlsFailed` or `NotThisProtocol`."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    if already:
        incoming.write(already)
    session = context.wrap_bio(incoming, outgoing, server_side=True)
    channel = TlsChannel(inner, session, incoming, outgoing)
    await channel.handshake()
    return channel


def _facts(certificate: bytes, now: datetime) -> str:
    begin, end = validity(certificate)
    if end is not None and now > end:
        raise TlsFailed(f"the certificate expired on {end:%Y-%m-%d}")
    if begin is not None and now < begin:
        raise TlsFailed(f"the certificate is valid from {begin:%Y-%m-%d} only; is this clock right?")
    until = f" until {end:%Y-%m-%d}" if end else ""
    return f"certificate sha256 {hashlib.sha256(certificate).hexdigest()[:16]}…{until}"


def _meaning(error: ssl.SSLError) -> NotThisProtocol | TlsFailed:
    reason = error.reason or ""
    words = reason.replace("_", " ").lower() or "no reason given"
    if isinstance(error, ssl.SSLCertVerificationError):
        return TlsFailed(f"the certificate is not trusted: {error.verify_message}")
    if any(reason.startswith(one) for one in _NO_TLS):
        return NotThisProtocol(f"answered the start of TLS with something else ({words})")
    return TlsFailed(f"TLS is spoken, but there was no agreement: {words}")
