"""What people see when something fails: a page of its own, or a notice on the page they are on.

Programs get what the server gives them; only requests of browsers for pages are answered here.
"""

from collections.abc import Awaitable, Callable
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from controlroom.foundation.errors import ControlRoomError, Forbidden
from controlroom.foundation.telemetry import logger
from controlroom.identity.access import caller_of
from controlroom.identity.caller import Caller
from controlroom.identity.errors import SignInNeeded
from controlroom.web.rendering import go_to, is_htmx, page
from controlroom.web.security import SECURITY_HEADERS

Handler = Callable[[Request, Any], Response | Awaitable[Response]]

_NOT_PAGES = ("/api/", "/static/", "/health/", "/metrics")
_TITLES = {404: "There is no such page", 405: "This page does not take that", 413: "Too large"}

_ASK = (
    "Whoever needs it for their work asks an administrator for it, with the name of the right and the address of "
    "this page."
)

log = logger("web")


def handle_failures(app: FastAPI) -> None:
    """Answer failed requests for pages with pages; hand the others to the handlers that the app has by now."""
    app.add_exception_handler(SignInNeeded, _send_to_sign_in)  # type: ignore[arg-type]  # Starlette types handlers by Exception
    for kind, handler in (
        (ControlRoomError, _show_error),
        (HTTPException, _show_http_error),
        (RequestValidationError, _show_invalid_address),
        (Exception, _show_crash),
    ):
        app.add_exception_handler(kind, _for_pages(handler, app.exception_handlers.get(kind)))


def _for_pages(shown: Handler, otherwise: Handler | None) -> Any:
    async def handle(request: Request, error: Exception) -> Response:
        chosen = shown if otherwise is None or wants_page(request) else otherwise
        answer = chosen(request, error)
        return answer if isinstance(answer, Response) else await answer

    return handle


def wants_page(request: Request) -> bool:
    """Say whether a browser asks for a page or a part of one."""
    if request.url.path.startswith(_NOT_PAGES):
        return False
    return is_htmx(request) or "text/html" in request.headers.get("accept", "")


async def _send_to_sign_in(request: Request, error: SignInNeeded) -> Response:
    return go_to(request, error.location)


async def _show_error(request: Request, error: ControlRoomError) -> Response:
    advice = _ASK if error.code == Forbidden.code else ""
    return await _failure(request, error.status, error.title, error.detail, advice)


async def _show_http_error(request: Request, error: HTTPException) -> Response:
    title = _TITLES.get(error.status_code, "This did not work")
    detail = f"Nothing is found at {request.url.path}." if error.status_code == 404 else str(error.detail)
    return await _failure(request, error.status_code, title, detail)


async def _show_invalid_address(request: Request, error: RequestValidationError) -> Response:
    names = ", ".join(str(item["loc"][-1]) for item in error.errors())
    detail = f"A part of the address or the form cannot be read: {names}. Go back and try again."
    return await _failure(request, 422, "What was sent does not fit", detail)


async def _show_crash(request: Request, error: Exception) -> Response:
    log.error("page.broke", path=request.url.path, exc_info=error)
    detail = (
        "The Control Room failed at this, and wrote down why. Try again; if it fails again, give your "
        "administrator the id of the request."
    )
    answer = await _failure(request, 500, "Something went wrong here", detail)
    answer.headers.update(SECURITY_HEADERS)  # crashes are answered outside the part that sets them
    return answer


async def _failure(request: Request, status: int, title: str, detail: str, advice: str = "") -> Response:
    caller = await _known_caller(request)
    context = {"title": title, "detail": detail, "status": status, "advice": advice}
    if is_htmx(request):
        answer = page(request, caller, "pages/failure/notice.html", context, status=status)
        answer.headers["HX-Retarget"] = "#notices"
        answer.headers["HX-Reswap"] = "afterbegin"
        answer.headers["HX-Reselect"] = ".notice"
        return answer
    return page(request, caller, "pages/failure/failure.html", context, status=status)


async def _known_caller(request: Request) -> Caller | None:
    """Return who asks, or None where even that cannot be found out: the page then shows without a menu."""
    try:
        return await caller_of(request)
    except Exception as error:  # the page must show whatever else is broken
        log.warning("page.caller_unknown", reason=type(error).__name__)
        return None
