"""What every room's routes share: the page of a list, versions of what can be edited, the form of an error."""

from typing import Annotated, Generic, TypeVar

from fastapi import Depends, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from controlroom.foundation.errors import FieldError, PreconditionFailed, PreconditionRequired
from controlroom.foundation.paging import DEFAULT_LIMIT, LARGEST_LIMIT, PageRequest

T = TypeVar("T")

PROBLEM_MEDIA_TYPE = "application/problem+json"


class Schema(BaseModel):
    """Base of what the API takes and gives: unknown fields are refused, attributes of rows are read."""

    model_config = ConfigDict(extra="forbid", from_attributes=True)


class FieldProblem(Schema):
    """One value that cannot stand."""

    pointer: str = Field(
        description="JSON pointer (RFC 6901) into what was sent.", examples=["/inputs/amount"]
    )
    message: str


class Problem(Schema):
    """An error, as RFC 9457 has it."""

    type: str = Field(
        description="A stable address that names the kind of error.", examples=["/problems/not_found"]
    )
    title: str
    status: int
    detail: str
    code: str = Field(description="The kind of error, for programs.", examples=["not_found"])
    request_id: str = ""
    errors: list[FieldProblem] = Field(default_factory=list)


class PageOut(Schema, Generic[T]):
    """One page of a list."""

    items: list[T]
    next_cursor: str | None = Field(
        None,
        description="Give it as `cursor` for the next page; null on the last. A page of a long list may hold few rows, or "
        "none, and yet have a next one: a filter that no index answers is tried on so many rows at a time.",
    )


def page_request(
    filter: Annotated[  # the parameter's name in the API
        str,
        Query(
            max_length=1000,
            description="Words such as `state:failed bot:reconcile created>=2026-01-31 -label:test text`.",
        ),
    ] = "",
    sort: Annotated[
        str, Query(max_length=60, description="A field to sort by; `-field` for the other direction.")
    ] = "",
    cursor: Annotated[str, Query(max_length=600, description="Where the page before ended.")] = "",
    limit: Annotated[int, Query(ge=1, le=LARGEST_LIMIT, description="Rows on a page.")] = DEFAULT_LIMIT,
) -> PageRequest:
    """Read the one list grammar from the address."""
    return PageRequest(filter=filter, sort=sort, cursor=cursor, limit=limit)


PageQuery = Annotated[PageRequest, Depends(page_request)]


def etag_of(revision: int) -> str:
    """Return the entity tag of a revision (RFC 9110 section 8.8.3)."""
    return f'"{revision}"'


def set_etag(response: Response, revision: int) -> None:
    """Say which revision the answer shows."""
    response.headers["ETag"] = etag_of(revision)


def require_match(request: Request, revision: int) -> None:
    """Raise unless ``If-Match`` names the present revision; an edit must say what it was made from."""
    given = request.headers.get("if-match")
    if given is None:
        raise PreconditionRequired(
            "Send the ETag that you read as If-Match, so that nobody's change is overwritten."
        )
    tags = [tag.strip().removeprefix("W/") for tag in given.split(",")]
    if "*" not in tags and etag_of(revision) not in tags:
        raise PreconditionFailed(
            "Someone changed this since you read it; read it again and repeat your change."
        )


def field_problems(fields: tuple[FieldError, ...]) -> list[FieldProblem]:
    """Turn field errors into their API form."""
    return [FieldProblem(pointer=field.pointer, message=field.message) for field in fields]


_PROBLEM_CONTENT = {PROBLEM_MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}

PROBLEMS: dict[int | str, dict[str, object]] = {
    status: {"description": description, "content": _PROBLEM_CONTENT}
    for status, description in {
        401: "Nobody is signed in",
        403: "The right to this is missing",
        404: "There is no such thing",
        409: "The present state does not allow this",
        422: "What was sent does not fit",
        429: "Too many requests",
        503: "Something this server needs does not answer at the moment",
    }.items()
}
"""Responses that nearly every route may give; give them to the router as ``responses``."""
