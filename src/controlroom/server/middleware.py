"""Around each request: its id, the headers that keep browsers strict, its measure."""

import re
import time

import structlog
from prometheus_client import Counter, Histogram
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from controlroom.foundation.ids import new_id
from controlroom.web.security import SECURITY_HEADERS

REQUESTS = Counter("controlroom_http_requests_total", "Requests answered.", ["method", "route", "status"])
DURATION = Histogram("controlroom_http_request_seconds", "Time to the answer's first byte.", ["route"])

_REQUEST_ID = re.compile(r"^[A-Za-z0-9._-]{8,64}$")
_HTTPS_ONLY = "max-age=31536000"
_KEPT_BY_NO_CACHE = "no-store"
"""For every answer that does not say otherwise: nearly all of them are one person's own (OWASP ASVS 4.0.3, 8.2.1)."""
_METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}


class RequestFrame:
    """Gives each request an id (a caller's own where it has a sensible form), binds it to the log, sets the headers."""

    def __init__(self, app: ASGIApp, *, secure: bool) -> None:
        self._app = app
        self._headers = {**SECURITY_HEADERS, **({"Strict-Transport-Security": _HTTPS_ONLY} if secure else {})}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        given = Headers(scope=scope).get("x-request-id", "")
        request_id = given if _REQUEST_ID.match(given) else new_id("req")
        scope.setdefault("state", {})["request_id"] = request_id
        structlog.contextvars.bind_contextvars(request_id=request_id)
        begun = time.perf_counter()

        async def framed(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers["X-Request-Id"] = request_id
                for name, value in self._headers.items():
                    headers.setdefault(name, value)
                headers.setdefault("Cache-Control", _KEPT_BY_NO_CACHE)
                _measure(scope, message["status"], time.perf_counter() - begun)
            await send(message)

        try:
            await self._app(scope, receive, framed)
        finally:
            structlog.contextvars.unbind_contextvars("request_id")


def _measure(scope: Scope, status: int, seconds: float) -> None:
    route = getattr(scope.get("route"), "path", "unmatched")
    method = scope["method"] if scope["method"] in _METHODS else "other"
    REQUESTS.labels(method, route, status).inc()
    DURATION.labels(route).observe(seconds)
