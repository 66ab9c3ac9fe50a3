"""Where the Control Room is and how one gets there: its address, the proxy in between and the trust in its certificate."""

import ipaddress
import ssl
import urllib.request
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from controlroom.foundation.errors import Invalid

if TYPE_CHECKING:
    import httpx

_CONNECT_SECONDS = 10.0
_ANSWER_SECONDS = 30.0
_MOST_CONNECTIONS = 8


@dataclass(frozen=True, slots=True)
class ControlRoomAddress:
    """A Control Room's base URL, without a slash at its end, and the key by which it knows this runner."""

    url: str
    key: str = field(default="", repr=False)

    @property
    def headers(self) -> dict[str, str]:
        """The headers that every request of this runner carries."""
        return {"Authorization": f"Bearer {self.key}"} if self.key else {}

    def http(self, path: str) -> str:
        """Return the address of a path for HTTP."""
        return self.url + path

    def websocket(self, path: str) -> str:
        """Return the address of a path for WebSocket: ``ws`` for ``http``, ``wss`` for ``https``."""
        return "ws" + self.url.removeprefix("http") + path

    @property
    def is_plain_text(self) -> bool:
        """Whether the key would travel unencrypted over a network."""
        parts = urlsplit(self.url)
        return parts.scheme == "http" and not _is_loopback(parts.hostname or "")


def control_room_url(text: str) -> str:
    """Return a base URL in its one form; raise `Invalid` for what cannot be the address of a Control Room."""
    example = "write it as https://controlroom.example.com"
    try:
        parts = urlsplit(text.strip())
        port = parts.port
    except ValueError:
        raise Invalid(f"'{text}' is not an address; {example}.") from None
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise Invalid(f"'{text}' is not the address of a Control Room; {example}.")
    if parts.username or parts.password or parts.query or parts.fragment:
        raise Invalid(f"The address of a Control Room has no user name, query or fragment; {example}.")
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return f"{parts.scheme}://{host}{f':{port}' if port else ''}{parts.path.rstrip('/')}"


def proxy_for(url: str) -> str | None:
    """Return the proxy that leads to a URL, from HTTPS_PROXY, HTTP_PROXY, ALL_PROXY and NO_PROXY or the system's own.

    NO_PROXY may hold ranges of addresses such as ``10.0.0.0/8`` for hosts that are named by their address. This machine
    itself is always reached directly.
    """
    parts = urlsplit(url)
    host = parts.hostname or ""
    proxies = urllib.request.getproxies()
    if _is_loopback(host) or urllib.request.proxy_bypass(host) or _is_in_range(host, proxies.get("no", "")):
        return None
    return proxies.get("https" if parts.scheme in ("https", "wss") else "http") or proxies.get("all")


@cache
def tls_context() -> ssl.SSLContext:
    """Return TLS as the operating system trusts it: its own certificate store, a company's own authority included."""
    import truststore

    return truststore.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


def http_client(
    address: ControlRoomAddress, *, answer_seconds: float = _ANSWER_SECONDS
) -> "httpx.AsyncClient":
    """Return a client for this Control Room; each single wait for it has a limit."""
    import httpx

    proxy = proxy_for(address.url)
    through: httpx.AsyncBaseTransport | None = None
    if proxy is not None and is_socks_address(proxy):
        from controlroom.runner.link.socks import SocksTransport

        through = SocksTransport(proxy, tls_context(), most_connections=_MOST_CONNECTIONS)
    return httpx.AsyncClient(
        headers=address.headers,
        verify=tls_context(),
        proxy=None if through else proxy,
        transport=through,
        trust_env=False,
        timeout=httpx.Timeout(answer_seconds, connect=_CONNECT_SECONDS),
        limits=httpx.Limits(max_connections=_MOST_CONNECTIONS, max_keepalive_connections=4),
    )


def is_socks_address(proxy: str) -> bool:
    """Say whether the address of a proxy is that of a SOCKS proxy."""
    return urlsplit(proxy).scheme.startswith("socks")


def _is_in_range(host: str, no_proxy: str) -> bool:
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    for entry in no_proxy.split(","):
        if "/" in entry:
            try:
                if address in ipaddress.ip_network(entry.strip(), strict=False):
                    return True
            except ValueError:  # another kind of entry, which others understand
                continue
    return False


def _is_loopback(host: str) -> bool:
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
