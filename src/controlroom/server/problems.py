"""The one place where errors become answers: problem+json for programs (RFC 9457), each with its request's id."""

from collections.abc import Sequence
from typing import Any

from fastapi import FastAPI, Request
from fastapi.encoders import jsonable_encoder
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from sqlalchemy.exc import IntegrityError
from starlette.exceptions import HTTPException

from controlroom.foundation.errors import (
    Conflict,
    ControlRoomError,
    FieldError,
    Forbidden,
    Invalid,
    NotFound,
    Unauthenticated,
)
from controlroom.foundation.http import PROBLEM_MEDIA_TYPE, Problem, field_problems
from controlroom.foundation.telemetry import logger
from controlroom.web.security import SECURITY_HEADERS

log = logger("server.problems")

_VALIDATION_PARTS = {"body", "query", "path", "header", "cookie"}


def install_problem_handlers(app: FastAPI) -> None:
    """Answer every error as a problem."""
    app.add_exception_handler(ControlRoomError, _foreseen)  # type: ignore[arg-type]  # Starlette types handlers by Exception
    app.add_exception_handler(RequestValidationError, _not_valid)  # type: ignore[arg-type]  # as above
    app.add_exception_handler(HTTPException, _of_framework)  # type: ignore[arg-type]  # as above
    app.add_exception_handler(UnicodeError, _not_text)  # type: ignore[arg-type]  # as above
    app.add_exception_handler(IntegrityError, _met_another)  # type: ignore[arg-type]  # as above
    app.add_exception_handler(Exception, _unforeseen)


def problem_response(request: Request, error: ControlRoomError) -> Response:
    """Return the answer to an error."""
    body = Problem(
        type=f"/problems/{error.code}",
        title=error.title,
        status=error.status,
        detail=error.detail,
        code=error.code,
        request_id=str(getattr(request.state, "request_id", "")),
        errors=field_problems(error.fields),
    )
    headers: dict[str, str] = {}
    if error.retry_after_seconds is not None:
        headers["Retry-After"] = str(error.retry_after_seconds)
    if isinstance(error, Unauthenticated):
        headers["WWW-Authenticate"] = "Bearer"
    return JSONResponse(jsonable_encoder(body), error.status, headers, media_type=PROBLEM_MEDIA_TYPE)


async def _foreseen(request: Request, error: ControlRoomError) -> Response:
    if error.status >= 500:
        log.warning("request.failed", code=error.code, detail=error.detail)
    return problem_response(request, error)


async def _not_valid(request: Request, error: RequestValidationError) -> Response:
    fields = tuple(_field(item) for item in error.errors())
    detail = "; ".join(f"{field.pointer or 'the request'}: {field.message}" for field in fields[:5])
    return problem_response(request, Invalid(f"What was sent does not fit: {detail}", fields=fields))


def _field(item: dict[str, Any]) -> FieldError:
    place: Sequence[str | int] = item["loc"]
    parts = place[1:] if place and place[0] in _VALIDATION_PARTS else place
    return FieldError(
        "".join(f"/{_escaped(part)}" for part in parts), str(item["msg"]).removeprefix("Value error, ")
    )


def _escaped(part: str | int) -> str:
    return str(part).replace("~", "~0").replace("/", "~1")  # RFC 6901 section 3


async def _of_framework(request: Request, error: HTTPException) -> Response:
    known: dict[int, type[ControlRoomError]] = {401: Unauthenticated, 403: Forbidden, 404: NotFound}
    kind = known.get(error.status_code)
    if kind is not None:
        detail = "There is nothing at this address." if error.status_code == 404 else str(error.detail)
        return problem_response(request, kind(detail))
    problem = ControlRoomError(str(error.detail))
    problem.status, problem.title, problem.code = (
        error.status_code,
        str(error.detail),
        f"http_{error.status_code}",
    )
    response = problem_response(request, problem)
    response.headers.update(error.headers or {})
    return response


async def _not_text(request: Request, error: UnicodeError) -> Response:
    return problem_response(
        request, Invalid("A text in the request is not valid Unicode; it holds half a surrogate pair.")
    )


async def _met_another(request: Request, error: IntegrityError) -> Response:
    """Two requests that passed their checks met in the database, which let one of them through."""
    log.warning("request.met_another", exc_info=error)
    return problem_response(
        request,
        Conflict("Someone else made the same, or removed what this needs, at this moment; try again."),
    )


async def _unforeseen(request: Request, error: Exception) -> Response:
    log.error("request.broke", exc_info=error)
    problem = ControlRoomError(
        "The server made a mistake; it is in the server's log under this request's id."
    )
    answer = problem_response(request, problem)
    answer.headers.update(SECURITY_HEADERS)  # crashes are answered outside the part that sets these
    answer.headers["X-Request-Id"] = str(getattr(request.state, "request_id", ""))
    return answer
