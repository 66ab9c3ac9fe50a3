"""A client of the REST API: answers as plain values, errors as `ControlRoomError`, every call with its time limit."""

import ssl
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

import httpx
import msgspec
import truststore

from controlroom import __version__
from controlroom.cli.addresses import EXAMPLE_ADDRESS
from controlroom.cli.client.problems import NoControlRoom, error_of, unreachable
from controlroom.foundation.errors import Invalid
from controlroom.runner.link.address import is_socks_address, proxy_for

API_PATH = "/api/v1"
CONNECT_SECONDS = 5.0
ANSWER_SECONDS = 60.0
UPLOAD_SECONDS = 600.0
"""A package is unpacked and checked before the answer comes."""
_PAGE_ROWS = 200
_MOST_PAGES = 500


class Client:
    """Speaks with one Control Room. Use it as a context manager; not from several threads at once.

    Paths are relative to the API, such as ``/bots``. Every method raises `Unreachable` where nothing answers, and
    the error that the Control Room names where it refuses, with the fields it names.
    """

    def __init__(self, url: str, api_key: str = "", *, transport: httpx.BaseTransport | None = None) -> None:
        self.url = checked_url(url)
        headers = {"User-Agent": f"controlroom-cli/{__version__}", "Accept": "application/json"}
        if api_key:
            headers["Authorization"] = f"Bearer {api_key}"
        proxy = proxy_for(self.url)
        if proxy is not None and is_socks_address(proxy):
            raise Invalid(
                "The commands do not go through a SOCKS proxy, as a Bot Runner does. "
                "Name an HTTP proxy in HTTPS_PROXY, or the Control Room's host in NO_PROXY."
            )
        self._http = httpx.Client(
            base_url=self.url + API_PATH,
            headers=headers,
            timeout=httpx.Timeout(ANSWER_SECONDS, connect=CONNECT_SECONDS),
            verify=truststore.SSLContext(ssl.PROTOCOL_TLS_CLIENT),
            proxy=proxy,
            trust_env=False,
            transport=transport,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._http.close()

    def get(self, path: str, **parameters: Any) -> Any:
        """Read something."""
        return self.request("GET", path, parameters=parameters)

    def post(self, path: str, body: object = None, **parameters: Any) -> Any:
        """Make or do something; ``body`` goes as JSON."""
        return self.request("POST", path, body=body, parameters=parameters)

    def put(self, path: str, body: object) -> Any:
        """Set something."""
        return self.request("PUT", path, body=body)

    def delete(self, path: str) -> None:
        """Remove something."""
        self.request("DELETE", path)

    def pages(self, path: str, *, limit: int | None = None, **parameters: Any) -> Iterator[Any]:
        """Give the items of a list, page after page, at most ``limit`` of them."""
        cursor, given = "", 0
        for _ in range(_MOST_PAGES):
            rows = _PAGE_ROWS if limit is None else min(_PAGE_ROWS, limit - given)
            page = self.get(path, **parameters, limit=rows, cursor=cursor)
            yield from page["items"]
            given += len(page["items"])
            cursor = page["next_cursor"] or ""
            if not cursor or (limit is not None and given >= limit):
                return

    def upload(self, path: str, file: Path, media_type: str, **parameters: Any) -> Any:
        """Send a file as the request's body, piece by piece."""
        with file.open("rb") as content:
            headers = {"Content-Type": media_type, "Content-Length": str(file.stat().st_size)}
            return self.request(
                "POST",
                path,
                content=content,
                headers=headers,
                parameters=parameters,
                timeout_seconds=UPLOAD_SECONDS,
            )

    def download(self, path: str, target: Path) -> None:
        """Write what is at a path to a file, which is there only once it is whole; raise `Invalid` where it cannot be."""
        aside = target.with_name(f".{target.name}.part")
        try:
            with (
                self._http.stream("GET", path) as response,
                aside.open("wb") as file,
            ):
                if not response.is_success:
                    response.read()
                    raise error_of(response)
                for piece in response.iter_bytes():
                    file.write(piece)
            aside.replace(target)
        except httpx.HTTPError as error:
            raise unreachable(self.url, error) from None
        except OSError as error:
            raise Invalid(f"{target} cannot be written: {error.strerror or error}.") from None
        finally:
            with suppress(OSError):
                aside.unlink(missing_ok=True)

    def request(
        self,
        method: str,
        path: str,
        *,
        parameters: Mapping[str, Any] | None = None,
        body: object = None,
        content: Any = None,
        headers: Mapping[str, str] | None = None,
        timeout_seconds: float | None = None,
    ) -> Any:
        """Make a request and return its answer's JSON, None where there is none. Empty parameters are left out."""
        wanted = {name: value for name, value in (parameters or {}).items() if value not in (None, "")}
        sent = dict(headers or {})
        if body is not None:
            content = msgspec.json.encode(body)
            sent["Content-Type"] = "application/json"
        limit = httpx.Timeout(timeout_seconds or ANSWER_SECONDS, connect=CONNECT_SECONDS)
        try:
            response = self._http.request(
                method, path, params=wanted, content=content, headers=sent, timeout=limit
            )
        except httpx.HTTPError as error:
            raise unreachable(self.url, error) from None
        return self._answer_of(response)

    def _answer_of(self, response: httpx.Response) -> Any:
        if not response.is_success:
            raise error_of(response)
        if not response.content:
            return None
        try:
            return msgspec.json.decode(response.content)
        except msgspec.MsgspecError:
            raise NoControlRoom(
                f"{self.url} answers, but not as a Control Room does; check the address."
            ) from None


def checked_url(url: str) -> str:
    """Return an address without the slash at its end; raise `Invalid` for one that is none, or holds a password."""
    try:
        parts = urlsplit(url.strip())
        is_fit = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_fit = False
    if not is_fit:
        raise Invalid(f"'{url}' is no address of a Control Room; give one such as {EXAMPLE_ADDRESS}.")
    if parts.username or parts.password or parts.query or parts.fragment:
        raise Invalid("The address of a Control Room holds neither a name nor a password, '?' nor '#'.")
    return f"{parts.scheme}://{parts.netloc}{parts.path}".rstrip("/")
