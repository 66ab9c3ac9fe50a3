"""HTTP through a SOCKS proxy (RFC 1928): httpx's own way needs a library that is no longer kept, so the connections are
made by the one that WebSockets go through here."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Iterable
from typing import Any, Self
from urllib.parse import unquote, urlsplit

import httpcore
import httpx
from python_socks import ProxyConnectionError, ProxyError, ProxyTimeoutError, ProxyType
from python_socks.async_.asyncio import Proxy

_TYPES = {
    "socks5h": ProxyType.SOCKS5,
    "socks5": ProxyType.SOCKS5,
    "socks4a": ProxyType.SOCKS4,
    "socks4": ProxyType.SOCKS4,
}
_NAMES_BY_PROXY = ("socks5h", "socks4a")
"""With these the proxy looks the name up, with the others this machine does (as curl has it)."""


class SocksTransport(httpx.AsyncBaseTransport):
    """Requests over connections that a SOCKS proxy makes. Raises what httpx raises."""

    def __init__(self, proxy: str, context: ssl.SSLContext, *, most_connections: int) -> None:
        self._pool = httpcore.AsyncConnectionPool(
            ssl_context=context, max_connections=most_connections, network_backend=_SocksBackend(proxy)
        )

    async def __aenter__(self) -> Self:
        await self._pool.__aenter__()
        return self

    async def aclose(self) -> None:
        """Close every connection."""
        await self._pool.aclose()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send one request."""
        url = httpcore.URL(
            scheme=request.url.raw_scheme,
            host=request.url.raw_host,
            port=request.url.port,
            target=request.url.raw_path,
        )
        sent = httpcore.Request(
            method=request.method,
            url=url,
            headers=request.headers.raw,
            content=request.stream,
            extensions=request.extensions,
        )
        try:
            answer = await self._pool.handle_async_request(sent)
        except Exception as error:
            raise _as_httpx(error) from error
        return httpx.Response(
            answer.status, headers=answer.headers, stream=_Body(answer), extensions=answer.extensions
        )


class _Body(httpx.AsyncByteStream):
    def __init__(self, answer: httpcore.Response) -> None:
        self._answer = answer

    async def __aiter__(self) -> AsyncIterator[bytes]:
        try:
            async for part in self._answer.aiter_stream():
                yield part
        except Exception as error:
            raise _as_httpx(error) from error

    async def aclose(self) -> None:
        await self._answer.aclose()


def _as_httpx(error: Exception) -> Exception:
    """Return the error of the same name that httpx has, and an error of another library as it is."""
    kind = getattr(httpx, type(error).__name__, None) if isinstance(error, _HTTPCORE_ERRORS) else None
    return kind(str(error)) if kind is not None else error


_HTTPCORE_ERRORS = (
    httpcore.NetworkError,
    httpcore.TimeoutException,
    httpcore.ProtocolError,
    httpcore.ProxyError,
    httpcore.UnsupportedProtocol,
)


class _SocksBackend(httpcore.AsyncNetworkBackend):
    def __init__(self, proxy: str) -> None:
        parts = urlsplit(proxy)
        if not parts.hostname or not parts.port:
            raise httpx.UnsupportedProtocol("The SOCKS proxy's address names no host or no port")
        self._proxy = Proxy(
            _TYPES[parts.scheme],
            parts.hostname,
            parts.port,
            unquote(parts.username) if parts.username else None,
            unquote(parts.password) if parts.password else None,
            parts.scheme in _NAMES_BY_PROXY,
        )

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        try:
            made = await self._proxy.connect(host, port, timeout=timeout)
            reader, writer = await asyncio.open_connection(sock=made)
        except (ProxyTimeoutError, TimeoutError) as error:
            raise httpcore.ConnectTimeout("the SOCKS proxy does not answer in time") from error
        except ProxyError as error:
            raise httpcore.ProxyError("the SOCKS proxy does not let the runner through") from error
        except (ProxyConnectionError, OSError) as error:
            raise httpcore.ConnectError("the SOCKS proxy cannot be reached") from error
        return _Stream(reader, writer)

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


class _Stream(httpcore.AsyncNetworkStream):
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        try:
            async with asyncio.timeout(timeout):
                return await self._reader.read(max_bytes)
        except TimeoutError as error:
            raise httpcore.ReadTimeout(str(error)) from error
        except OSError as error:
            raise httpcore.ReadError(str(error)) from error

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        try:
            async with asyncio.timeout(timeout):
                self._writer.write(buffer)
                await self._writer.drain()
        except TimeoutError as error:
            raise httpcore.WriteTimeout(str(error)) from error
        except OSError as error:
            raise httpcore.WriteError(str(error)) from error

    async def aclose(self) -> None:
        self._writer.close()

    async def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.AsyncNetworkStream:
        try:
            async with asyncio.timeout(timeout):
                await self._writer.start_tls(ssl_context, server_hostname=server_hostname)
        except TimeoutError as error:
            raise httpcore.ConnectTimeout(str(error)) from error
        except OSError as error:
            raise httpcore.ConnectError(str(error)) from error
        return self

    def get_extra_info(self, info: str) -> Any:
        if info == "is_readable":
            # A connection at rest on which something came, or that was closed, is not taken again.
            return self._reader.at_eof() or self._writer.is_closing()
        names = {
            "ssl_object": "ssl_object",
            "client_addr": "sockname",
            "server_addr": "peername",
            "socket": "socket",
        }
        return self._writer.get_extra_info(names[info]) if info in names else None
