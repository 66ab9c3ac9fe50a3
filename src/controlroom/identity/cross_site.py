"""Tells requests that the Control Room's own pages make from those that other sites make with a browser's cookie.

Three things must hold for a change made by cookie: the browser says that it comes from here (Fetch Metadata,
https://www.w3.org/TR/fetch-metadata/, or Origin, RFC 6454), and it carries the token that only the session's pages know.
"""

import hmac
from urllib.parse import urlsplit

from starlette.datastructures import UploadFile
from starlette.requests import HTTPConnection, Request

from controlroom.identity.caller import Caller
from controlroom.identity.errors import CrossSiteRefused
from controlroom.network.catalogue import default_port

CSRF_HEADER = "x-csrf-token"
CSRF_FIELD = "csrf_token"

_READING_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
_FORM_TYPES = ("application/x-www-form-urlencoded", "multipart/form-data")
_OWN_SITES = frozenset({"same-origin", "none"})
_DEFAULT_PORTS = {scheme: default_port(f"control-room-{scheme}") for scheme in ("http", "https")}


async def require_own_page(request: Request, caller: Caller, public_url: str) -> None:
    """Raise `CrossSiteRefused` unless a changing request comes from a page of this session."""
    if request.method in _READING_METHODS:
        return
    require_own_origin(request, public_url)
    token = await _token_of(request)
    if not caller.csrf_token or not hmac.compare_digest(token.encode(), caller.csrf_token.encode()):
        raise CrossSiteRefused(
            "The CSRF token is missing or belongs to another session; reload the page and try again."
        )


def require_own_origin(connection: HTTPConnection, public_url: str) -> None:
    """Raise `CrossSiteRefused` where the browser says that another site asks.

    What sends neither header is no browser, and so carries nobody's cookie unasked.
    """
    site = connection.headers.get("sec-fetch-site")
    if site is not None and site not in _OWN_SITES:
        raise CrossSiteRefused("The browser says that another site made this request.")
    origin = connection.headers.get("origin")
    if origin is None:
        return
    if _place(origin) not in _own_places(connection, public_url):
        raise CrossSiteRefused("The browser says that a page of another address made this request.")


def safe_next(value: str) -> str:
    """Return a path on this server to go to after signing in: the one given where it is one, else ``/``."""
    if not value.startswith("/") or value.startswith(("//", "/\\")) or "\\" in value:
        return "/"
    if any(ord(character) <= 0x20 or ord(character) == 0x7F for character in value):
        return "/"
    parts = urlsplit(value)
    return "/" if parts.scheme or parts.netloc or len(value) > 2000 else value


async def _token_of(request: Request) -> str:
    header = request.headers.get(CSRF_HEADER)
    if header is not None:
        return header
    if not request.headers.get("content-type", "").lower().startswith(_FORM_TYPES):
        return ""
    form = await request.form()
    value = form.get(CSRF_FIELD, "")
    return "" if isinstance(value, UploadFile) else value


def _own_places(connection: HTTPConnection, public_url: str) -> set[str]:
    return {place for place in (connection.headers.get("host", "").lower(), _place(public_url)) if place}


def _place(address: str) -> str:
    """Host and port as a Host header has them; the scheme is left out, for a proxy that ends TLS hides it from us."""
    try:
        parts = urlsplit(address.lower())
        port, host = parts.port, parts.hostname or ""
    except ValueError:
        return ""
    host = f"[{host}]" if ":" in host else host
    return host if port is None or port == _DEFAULT_PORTS.get(parts.scheme) else f"{host}:{port}"
