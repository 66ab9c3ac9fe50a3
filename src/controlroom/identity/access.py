"""Guards routes: each names the right it needs, and gets the caller who has it.

A route's signature says it all::

    @router.get("/runs")
    async def list_runs(caller: Annotated[Caller, permitted(Permission.RUN_READ)]) -> ...

The few routes that need nobody signed in say ``dependencies=[PUBLIC]``. `route_audit.route_permissions` lists what each
route of an app needs, so that a test finds the one that forgot.
"""

from enum import StrEnum
from functools import cache
from typing import Annotated, Any, cast
from urllib.parse import urlencode, urlsplit

from fastapi import Depends, Request, Response, Security, WebSocket
from fastapi.security import APIKeyCookie, HTTPBearer
from starlette.requests import HTTPConnection

from controlroom.foundation.errors import Forbidden, Unauthenticated
from controlroom.identity.authentication import Identity
from controlroom.identity.caller import Caller
from controlroom.identity.cookies import COOKIE_NAME
from controlroom.identity.cross_site import require_own_origin, require_own_page, safe_next
from controlroom.identity.errors import PasswordChangeNeeded, SecondFactorNeeded, SignInNeeded
from controlroom.identity.factors.passkeys import Party
from controlroom.identity.known_devices import LIFETIME_SECONDS as DEVICE_SECONDS
from controlroom.identity.live_sessions import is_background
from controlroom.identity.permissions import Permission
from controlroom.identity.service import IdentityService
from controlroom.identity.sessions import Origin, SignedIn

SIGN_IN_PATH = "/sign-in"
ENROL_PATH = "/me/second-factor"
NEW_PASSWORD_PATH = "/me/new-password"

_BEARER = "bearer "

_session_scheme = APIKeyCookie(
    name=COOKIE_NAME,
    scheme_name="session",
    description=f"A browser's session. Named `__Host-{COOKIE_NAME}` where the public address is https. Changes also "
    "need the session's CSRF token in `X-CSRF-Token`.",
    auto_error=False,
)
_key_scheme = HTTPBearer(
    bearerFormat="crk_...",
    scheme_name="api_key",
    description="An API key, as `Authorization: Bearer crk_...`.",
    auto_error=False,
)


class Guard(StrEnum):
    """What a route may need other than one named right."""

    PUBLIC = "public"
    """Nobody needs to be signed in."""
    SIGNED_IN = "signed_in"
    """Anyone who is signed in or has an API key."""
    ENROLLING = "enrolling"
    """Anyone who is signed in, those too who must enrol a second factor before anything else."""
    RENEWING = "renewing"
    """Anyone who is signed in, those too who must choose a password of their own before anything else."""
    DEVICE = "device"
    """A device with its own key; the devices room checks it."""


class _Public:
    permission = Guard.PUBLIC

    async def __call__(self) -> None:
        """Let everyone in."""


PUBLIC = Depends(_Public())
"""Marks a route that needs nobody signed in: ``dependencies=[PUBLIC]``."""


class _Permitted:
    """Lets in who has a right; a request by cookie that changes something must come from the session's own pages."""

    def __init__(self, permission: Permission | Guard) -> None:
        self.permission = permission

    async def __call__(
        self,
        request: Request,
        _session: Annotated[Any, Security(_session_scheme)],  # declared for the API's description
        _key: Annotated[Any, Security(_key_scheme)],
    ) -> Caller:
        caller = await caller_of(request)
        if caller is None:
            raise Unauthenticated("Sign in, or send an API key as 'Authorization: Bearer crk_...'.")
        if caller.api_key_id is None:
            await require_own_page(request, caller, identity_of(request).public_url)
        return _checked(caller, self.permission)


class _PermittedWebSocket:
    """Lets a WebSocket in; by cookie only from the Control Room's own pages (RFC 6455 section 10.2)."""

    def __init__(self, permission: Permission | Guard) -> None:
        self.permission = permission

    async def __call__(self, websocket: WebSocket) -> Caller:
        caller = await caller_of(websocket)
        if caller is None:
            raise Unauthenticated("Sign in, or send an API key as 'Authorization: Bearer crk_...'.")
        if caller.api_key_id is None:
            require_own_origin(websocket, identity_of(websocket).public_url)
        return _checked(caller, self.permission)


class _PageCaller:
    """Lets in who has a right to a page, and sends who is not signed in to the sign-in page."""

    def __init__(self, permission: Permission | Guard) -> None:
        self.permission = permission

    async def __call__(self, request: Request) -> Caller:
        caller = await caller_of(request)
        if caller is None:
            raise SignInNeeded(sign_in_location(request))
        if caller.must_change_password and self.permission is not Guard.RENEWING:
            raise SignInNeeded(NEW_PASSWORD_PATH)
        if caller.must_enrol and self.permission not in (Guard.ENROLLING, Guard.RENEWING):
            raise SignInNeeded(ENROL_PATH)
        if caller.api_key_id is None:
            await require_own_page(request, caller, identity_of(request).public_url)
        return _checked(caller, self.permission)


@cache
def _permitted(permission: Permission | Guard) -> _Permitted:
    return _Permitted(permission)  # one object a right, so that FastAPI asks it once a request


def permitted(permission: Permission | Guard) -> Any:
    """Return the dependency that gives the `Caller` who has a right: ``Annotated[Caller, permitted(...)]``.

    Raises `Unauthenticated` (401) where nobody is signed in or the key or session is not valid, `Forbidden` (403) where
    the right is missing, `CrossSiteRefused` (403) where a change by cookie lacks the session's CSRF token.
    """
    return Depends(_permitted(permission))


def permitted_websocket(permission: Permission | Guard) -> Any:
    """Return the dependency of a WebSocket route; it raises before the connection is accepted."""
    return Depends(_PermittedWebSocket(permission))


def page_caller(permission: Permission | Guard) -> Any:
    """Return the dependency of a page; raises `SignInNeeded`, with where to go, where nobody is signed in."""
    return Depends(_PageCaller(permission))


async def caller_of(connection: HTTPConnection, *, is_use: bool = True) -> Caller | None:
    """Return who makes a request or opens a WebSocket, or None; checks neither rights nor where it came from.

    An API key goes before a cookie, and one that is not valid is refused even where a cookie would do. Without
    ``is_use`` the session is looked at and not used, as a stream does that asks whether it still counts.
    """
    service = identity_of(connection)
    identity: Identity | None = None
    given = connection.headers.get("authorization")
    if given is not None:
        if given[: len(_BEARER)].lower() == _BEARER:
            identity = await service.authentication.by_api_key(given[len(_BEARER) :].strip(), is_use=is_use)
        if identity is None:
            raise Unauthenticated("The API key is unknown, revoked or expired; make a new one.")
    else:
        token = service.cookie.read(connection)
        is_use = is_use and not is_background(connection)
        identity = await service.authentication.by_session(token, is_use=is_use) if token else None
    if identity is None:
        return None
    return identity.caller(address=address_of(connection), request_id=request_id_of(connection))


def identity_of(connection: HTTPConnection) -> IdentityService:
    """Return the service that the server put into ``app.state.identity``."""
    return cast("IdentityService", connection.app.state.identity)


def party_of(connection: HTTPConnection) -> Party:
    """Return for whom passkeys are made: the host under which people reach this server.

    Browsers make passkeys for names only, and only where the page came by https or from ``localhost``.
    """
    address = identity_of(connection).public_url or f"{connection.url.scheme}://{connection.url.netloc}"
    parts = urlsplit(address)
    return Party(parts.hostname or "", (f"{parts.scheme}://{parts.netloc}",))


def origin_of(connection: HTTPConnection) -> Origin:
    """Return where a request comes from, as a session keeps it and the throttle counts it."""
    return Origin(
        address_of(connection),
        connection.headers.get("user-agent", ""),
        request_id_of(connection),
        identity_of(connection).device_cookie.read(connection) or "",
    )


def give_session(connection: HTTPConnection, response: Response, signed_in: SignedIn) -> None:
    """Give the browser the cookies of a new session: its own, and the one by which the browser is known again."""
    identity = identity_of(connection)
    identity.cookie.give(response, signed_in.token, lifetime_seconds=identity.sessions.lifetime_seconds)
    known = identity.devices.value_for(signed_in.user.name)
    identity.device_cookie.give(response, known, lifetime_seconds=DEVICE_SECONDS)


def address_of(connection: HTTPConnection) -> str:
    """Return the address a request comes from, after trusted proxies; empty where it is unknown."""
    return connection.client.host if connection.client else ""


def request_id_of(connection: HTTPConnection) -> str:
    """Return the request's id, empty where the server gave none."""
    return str(getattr(connection.state, "request_id", ""))


def sign_in_location(request: Request) -> str:
    """Return the address of the sign-in page that leads back to the page that was asked for."""
    path = request.url.path
    wanted = f"{path}?{request.url.query}" if request.url.query else path
    if request.method not in ("GET", "HEAD") or "hx-request" in request.headers:
        wanted = "/"  # a part of a page, or a change, is no place to come back to
    back = safe_next(wanted)
    return SIGN_IN_PATH if back == "/" else f"{SIGN_IN_PATH}?{urlencode({'next': back})}"


def _checked(caller: Caller, permission: Permission | Guard) -> Caller:
    if caller.must_change_password and (isinstance(permission, Permission) or permission is Guard.ENROLLING):
        raise PasswordChangeNeeded(
            "Your password was made up for you; choose your own first (PUT /api/v1/me/password)."
        )
    if caller.must_enrol and isinstance(permission, Permission):
        raise SecondFactorNeeded(
            "A role of yours asks for a second factor; enrol one under your account first."
        )
    if isinstance(permission, Permission):
        caller.require(permission)
    elif permission not in (Guard.SIGNED_IN, Guard.ENROLLING, Guard.RENEWING):
        raise Forbidden(f"A {permission.value} route is not opened by a user's rights.")
    return caller
