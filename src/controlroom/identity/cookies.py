"""The cookies of sessions and of sign-ins under way: their names, how they are set and taken away."""

from starlette.requests import HTTPConnection
from starlette.responses import Response

COOKIE_NAME = "controlroom_session"
DEVICE_COOKIE_NAME = "controlroom_device"
"""Tells a browser that someone signed in from before; it opens nothing."""
STEP_COOKIE_NAME = "controlroom_sign_in"
"""Carries the secret of a sign-in whose second step is still to come."""


class SessionCookie:
    """A cookie that carries a session's secret, or that of a sign-in under way, under one public address.

    Where people reach the server by https it is ``Secure`` and has the ``__Host-`` prefix, so that no other host and
    no plain connection can set or read it (RFC 6265bis section 4.1.3.2).
    """

    def __init__(self, *, secure: bool, name: str = COOKIE_NAME) -> None:
        self._secure = secure
        self.name = f"__Host-{name}" if secure else name

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
