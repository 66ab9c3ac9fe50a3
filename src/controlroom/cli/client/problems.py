"""Turns what a Control Room answers, or that it does not answer, back into the errors that the commands know."""

import re

import httpx
import msgspec

from controlroom.foundation import errors
from controlroom.foundation.errors import ControlRoomError, FieldError, Unavailable


class Unreachable(Unavailable):
    """Nothing answers at the Control Room's address."""

    code = "unreachable"
    title = "The Control Room cannot be reached"


class NoControlRoom(Unavailable):
    """Something answers at the address, but not as a Control Room does."""

    code = "no_control_room"
    title = "This is no Control Room"


_BY_STATUS: dict[int, type[ControlRoomError]] = {
    kind.status: kind
    for kind in (
        errors.Invalid,
        errors.Unauthenticated,
        errors.Forbidden,
        errors.NotFound,
        errors.Conflict,
        errors.PreconditionFailed,
        errors.PreconditionRequired,
        errors.TooLarge,
        errors.TooManyRequests,
        errors.Unavailable,
    )
}
_ERRNO = re.compile(r"^\[Errno -?\d+\] ")
_GATEWAY_STATUSES = (502, 503, 504)


class _FieldProblem(msgspec.Struct):
    pointer: str = ""
    message: str = ""


class _Problem(msgspec.Struct):
    title: str
    detail: str
    code: str
    request_id: str = ""
    errors: list[_FieldProblem] = []


def error_of(response: httpx.Response) -> ControlRoomError:
    """Return the error that an answer stands for; one that is no problem+json comes from something in between."""
    try:
        problem = msgspec.json.decode(response.content, type=_Problem)
    except msgspec.MsgspecError:
        return _of_something_else(response)
    fields = tuple(FieldError(field.pointer, field.message) for field in problem.errors)
    detail = problem.detail
    if response.status_code >= 500 and response.status_code not in _GATEWAY_STATUSES and problem.request_id:
        detail = f"{detail} Request {problem.request_id}."
    error = _BY_STATUS.get(response.status_code, ControlRoomError)(
        detail, fields=fields, retry_after_seconds=_retry_after(response)
    )
    error.status, error.code, error.title = response.status_code, problem.code, problem.title
    return error


def unreachable(url: str, error: httpx.HTTPError) -> ControlRoomError:
    """Return the one sentence for a request that got no answer."""
    if isinstance(error, httpx.ConnectTimeout):
        reason = "it does not answer"
    elif isinstance(error, httpx.TimeoutException):
        reason = "it took too long to answer"
    elif isinstance(error, httpx.ConnectError):
        reason = _ERRNO.sub("", str(error)).strip().rstrip(".") or "the connection was refused"
    elif isinstance(error, httpx.ProxyError):
        reason = f"the proxy does not let it through ({error})"
    else:
        reason = f"the connection broke ({type(error).__name__})"
    return Unreachable(
        f"{url}: {reason}. Start it with 'controlroom up', or name another address with --url or CONTROLROOM_URL."
    )


def _of_something_else(response: httpx.Response) -> ControlRoomError:
    address = response.request.url.copy_with(path="/", query=None)
    said = f"{response.status_code} {response.reason_phrase}".strip()
    if response.status_code in _GATEWAY_STATUSES:
        return Unreachable(f"{address}: what stands before the Control Room answers {said}.")
    return NoControlRoom(f"{address} answers {said}, and not as a Control Room does; check the address.")


def _retry_after(response: httpx.Response) -> int | None:
    text = response.headers.get("retry-after", "")
    return int(text) if text.isascii() and text.isdigit() else None
