"""The connection to a log collector: TCP with TLS, both ends checked."""

import asyncio
import ssl
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from controlroom.audit.syslog.message import frame
from controlroom.foundation.errors import Unavailable
from controlroom.foundation.settings import Settings

_SECONDS = 15.0
"""Time that connecting, and that handing a batch over, may take."""


@dataclass(frozen=True, slots=True)
class Collector:
    """Where a log collector listens, and what proves either end."""

    host: str
    port: int
    ca_file: Path | None = None
    certificate_file: Path | None = None
    key_file: Path | None = None


def collector_of(settings: Settings) -> Collector | None:
    """Return the collector that the settings name, None where they name none."""
    if not settings.audit_syslog_host:
        return None
    return Collector(
        settings.audit_syslog_host,
        settings.audit_syslog_port,
        settings.audit_syslog_ca_file,
        settings.audit_syslog_certificate_file,
        settings.audit_syslog_key_file,
    )


class CollectorAway(Unavailable):
    """The log collector cannot be reached, or does not prove who it is."""

    code = "log_collector_away"
    title = "The log collector is away"


class CollectorConnection:
    """An open connection; syslog has no answers, so all that can be seen is whether it still stands."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, name: str) -> None:
        self._reader = reader
        self._writer = writer
        self._name = name
        self._ended = asyncio.ensure_future(self._watch())

    async def send(self, messages: Sequence[bytes]) -> None:
        """Hand messages over; raise `CollectorAway` where the connection has ended."""
        self.require_open()
        try:
            self._writer.writelines(frame(message) for message in messages)
            async with asyncio.timeout(_SECONDS):
                await self._writer.drain()
        except (OSError, TimeoutError) as error:
            raise CollectorAway(f"{self._name} does not take what is sent: {_said(error)}.") from None

    def require_open(self) -> None:
        """Raise `CollectorAway` where the other end has closed or broken the connection."""
        if self._ended.done():
            raise CollectorAway(f"{self._name} has closed the connection.")

    async def wait(self, seconds: float) -> None:
        """Wait for a while, or until the connection has ended."""
        await asyncio.wait([self._ended], timeout=seconds)

    async def close(self) -> None:
        """Close the connection, with TLS's own goodbye where the other end still listens."""
        self._ended.cancel()
        self._writer.close()
        with suppress(OSError, TimeoutError):
            async with asyncio.timeout(2):
                await self._writer.wait_closed()

    async def _watch(self) -> None:
        with suppress(OSError):
            while await self._reader.read(4096):  # a collector says nothing; what it says is let be
                pass


async def connect(collector: Collector) -> CollectorConnection:
    """Connect; raise `CollectorAway` that says why it cannot be."""
    name = f"The log collector at {collector.host}:{collector.port}"
    context = await asyncio.to_thread(_tls, collector)
    try:
        async with asyncio.timeout(_SECONDS):
            reader, writer = await asyncio.open_connection(
                collector.host, collector.port, ssl=context, server_hostname=collector.host
            )
    except ssl.SSLCertVerificationError as error:
        raise CollectorAway(
            f"{name} shows a certificate that is not trusted: {error.verify_message}. Name its authority in "
            "CONTROLROOM_AUDIT_SYSLOG_CA_FILE."
        ) from None
    except (OSError, TimeoutError) as error:
        raise CollectorAway(f"{name} cannot be reached: {_said(error)}.") from None
    return CollectorConnection(reader, writer, name)


def _tls(collector: Collector) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=collector.ca_file)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        if collector.certificate_file is not None:
            context.load_cert_chain(collector.certificate_file, collector.key_file)
    except (OSError, ValueError) as error:
        raise CollectorAway(
            f"The certificates for the log collector cannot be read: {_said(error)}. They are named in "
            "CONTROLROOM_AUDIT_SYSLOG_CA_FILE, _CERTIFICATE_FILE and _KEY_FILE."
        ) from None
    return context


def _said(error: BaseException) -> str:
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
