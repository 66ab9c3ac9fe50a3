"""A small site with the Control Room's addresses and sign-in form, to sign in to and to photograph."""

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs

import pytest

PASSWORD = "correct horse battery"
_COOKIE = "session=open"
_FRAME = (
    "<!doctype html><title>{title}</title><main><h1>{title}</h1>{body}</main>"
    '<form action="/sign-out" method="post"></form>'
)
_FORM = (
    '<!doctype html><title>Sign in</title><p role="alert">{alert}</p><form action="/sign-in" method="post">'
    '<input name="name"><input name="password" type="password"><button>Sign in</button></form>'
)
_BODIES = {
    "/activity": '<a href="/runs/run_01">run_01</a> <a href="/runs/run_00">run_00</a>',
    "/runs/run_01": "<pre>log</pre>",
    "/runs/run_00": "<pre>log</pre>",
    "/bots": "<p>bots</p>",
    "/devices": "<p>devices</p>",
}


@dataclass
class Site:
    """The site; ``visited`` are the addresses that a signed-in visitor opened, ``broken`` answer 500."""

    url: str
    visited: list[str] = field(default_factory=list)
    posted: list[str] = field(default_factory=list)
    broken: set[str] = field(default_factory=set)
    redirect: str = ""


@pytest.fixture
def site() -> Iterator[Site]:
    """Serve the site on a free port."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler)
    found = Site(f"http://127.0.0.1:{server.server_port}")
    server.RequestHandlerClass = _handler_of(found)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield found
    server.shutdown()
    server.server_close()
    thread.join(timeout=10)


def _handler_of(site: Site) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path == "/sign-in" and site.redirect:
                self._answer(302, "", Location=site.redirect)
            elif self.path in ("/sign-in", "/elsewhere"):
                self._answer(200, _FORM.format(alert=""))
            elif _COOKIE not in self.headers.get("Cookie", ""):
                self._answer(302, "", Location="/sign-in")
            else:
                if self.path != "/favicon.ico":
                    site.visited.append(self.path)
                status = 500 if self.path in site.broken else 200 if self.path in _BODIES else 404
                self._answer(status, _FRAME.format(title=self.path, body=_BODIES.get(self.path, "")))

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
            site.posted.append(self.path)
            if self.path == "/sign-out":
                self._answer(303, "", Location="/sign-in")
            elif parse_qs(body).get("password") == [PASSWORD]:
                self._answer(303, "", Location="/activity", Set_Cookie=f"{_COOKIE}; HttpOnly")
            else:
                self._answer(200, _FORM.format(alert="Name or password do not fit."))

        def log_message(self, format: str, *args: object) -> None:
            pass

        def _answer(self, status: int, text: str, **headers: str) -> None:
            content = text.encode()
            self.send_response(status)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.send_header("Content-Length", str(len(content)))
            for name, value in headers.items():
                self.send_header(name.replace("_", "-"), value)
            self.end_headers()
            self.wfile.write(content)

    return Handler
