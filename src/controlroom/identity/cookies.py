"""The session's cookie: its name, how it is set and how it is taken away."""

from starlette.requests import HTTPConnection
from starlette.responses import Response

COOKIE_NAME = "controlroom_session"


class SessionCookie:
    """The cookie that carries a session's secret, under one public address.

    Where people reach the server by https it is ``Secure`` and has the ``__Host-`` prefix, so that no other host and
    no plain connection can set or read it (RFC 6265bis section 4.1.3.2).
    """

    def __init__(self, *, secure: bool) -> None:
        self._secure = secure
        self.name = f"__Host-{COOKIE_NAME}" if secure else COOKIE_NAME

    def read(self, connection: HTTPConnection) -> str | None:
        """Return the secret that a request or WebSocket carries, if any."""
        return connection.cookies.get(self.name)

    def give(self, response: Response, token: str, *, lifetime_seconds: int) -> None:
        """Set the cookie on an answer."""
        response.set_cookie(
            self.name,
            token,
            max_age=lifetime_seconds,
            path="/",
            secure=self._secure,
            httponly=True,
            samesite="lax",
        )

    def take(self, response: Response) -> None:
        """Remove the cookie from the browser."""
        response.delete_cookie(self.name, path="/", secure=self._secure, httponly=True, samesite="lax")
