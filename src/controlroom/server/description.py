"""The description of the API: OpenAPI 3.1, served to whoever may sign in, and written by `controlroom server openapi`."""

from typing import Annotated, Any

from fastapi import FastAPI, Request
from fastapi.openapi.utils import get_openapi
from fastapi.responses import JSONResponse
from pydantic import BaseModel

from controlroom.foundation.http import PROBLEM_MEDIA_TYPE
from controlroom.identity.access import Guard, permitted
from controlroom.identity.caller import Caller

PATH = "/api/v1/openapi.json"

_DESCRIPTION = (
    "Errors are problem+json (RFC 9457). Lists take `filter`, `sort`, `cursor` and `limit`. What can be edited has an "
    "ETag, and an edit must send it as If-Match. Sign in with a session cookie, whose changes need `X-CSRF-Token`, or "
    "send an API key as `Authorization: Bearer crk_...`."
)


def describe(app: FastAPI, problem: type[BaseModel]) -> None:
    """Give the app its description and the route that serves it."""

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = _document(app, problem)
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]  # the documented way to replace the description

    @app.get(PATH, tags=["description"], response_class=JSONResponse)
    async def description(
        request: Request, caller: Annotated[Caller, permitted(Guard.SIGNED_IN)]
    ) -> JSONResponse:
        """Give this document."""
        return JSONResponse(request.app.openapi())


def _document(app: FastAPI, problem: type[BaseModel]) -> dict[str, Any]:
    document = get_openapi(
        title=app.title,
        version=app.version,
        summary=app.summary,
        description=_DESCRIPTION,
        routes=app.routes,
        openapi_version="3.1.0",
    )
    schemas = document.setdefault("components", {}).setdefault("schemas", {})
    schema = problem.model_json_schema(ref_template="#/components/schemas/{model}")
    schemas.update(schema.pop("$defs", {}))
    schemas["Problem"] = schema
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    for operations in document["paths"].values():
        for operation in operations.values():
            _errors_as_problems(operation)
    return document


def _errors_as_problems(operation: dict[str, Any]) -> None:
    content = {PROBLEM_MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    responses = operation.setdefault("responses", {})
    for status, description in _further_errors(operation).items():
        responses.setdefault(status, {"description": description}).setdefault("content", content)
    for status, response in responses.items():
        is_said_otherwise = "content" in response and status != "422"  # the framework's own form of a 422
        if int(status) >= 400 and not is_said_otherwise:
            response["content"] = content


def _further_errors(operation: dict[str, Any]) -> dict[str, str]:
    """Return the errors that follow from what an operation takes, whichever room it is of."""
    errors: dict[str, str] = {}
    if operation.get("security"):
        errors["401"] = "Nobody is signed in"
    if "requestBody" in operation:
        errors["400"] = "The body cannot be read"
    if any(parameter["name"].lower() == "if-match" for parameter in operation.get("parameters", ())):
        errors["412"] = "Someone changed this meanwhile"
        errors["428"] = "An edit must say which version it was made from"
    return errors
