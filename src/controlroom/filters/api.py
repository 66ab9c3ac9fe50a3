"""Routes of saved filters."""

from typing import Annotated, cast

from fastapi import APIRouter, Body, Depends, Path, Query, Request, Response, status

from controlroom.filters.schemas import FilterEditIn, FilterIn, FilterOut
from controlroom.filters.service import FilterService
from controlroom.foundation.http import PROBLEMS, require_match, set_etag
from controlroom.identity.access import permitted
from controlroom.identity.caller import Caller
from controlroom.identity.permissions import Permission

router = APIRouter(prefix="/api/v1/filters", tags=["filters"], responses=PROBLEMS)


def filter_service(request: Request) -> FilterService:
    """Return the service that the server put into ``app.state.filters``."""
    return cast("FilterService", request.app.state.filters)


Filters = Annotated[FilterService, Depends(filter_service)]
Person = Annotated[Caller, permitted(Permission.OWN_ACCOUNT)]
FilterId = Annotated[str, Path(max_length=64)]


@router.get("")
async def list_filters(
    filters: Filters,
    caller: Person,
    list_name: Annotated[
        str, Query(max_length=40, description="Only those of one list, such as `runs`.")
    ] = "",
) -> list[FilterOut]:
    """List one's own saved filters and the shared ones, by name."""
    return [FilterOut.model_validate(kept) for kept in await filters.visible(caller, list_name)]


@router.post("", status_code=status.HTTP_201_CREATED)
async def keep_filter(
    filters: Filters, caller: Person, wanted: Annotated[FilterIn, Body()], response: Response
) -> FilterOut:
    """Keep a filter under a name."""
    kept = await filters.keep(caller, wanted)
    set_etag(response, kept.revision)
    response.headers["Location"] = f"{router.prefix}/{kept.id}"
    return FilterOut.model_validate(kept)


@router.get("/{filter_id}")
async def get_filter(filters: Filters, caller: Person, filter_id: FilterId, response: Response) -> FilterOut:
    """Give a saved filter; the ETag is what an edit needs."""
    kept = await filters.get(caller, filter_id)
    set_etag(response, kept.revision)
    return FilterOut.model_validate(kept)


@router.patch("/{filter_id}")
async def edit_filter(
    *,
    request: Request,
    filters: Filters,
    caller: Person,
    filter_id: FilterId,
    wanted: Annotated[FilterEditIn, Body()],
    response: Response,
) -> FilterOut:
    """Change one's own filter. Send the ETag that was read as `If-Match`."""
    kept = await filters.edit(
        caller, filter_id, wanted, check_revision=lambda revision: require_match(request, revision)
    )
    set_etag(response, kept.revision)
    return FilterOut.model_validate(kept)


@router.delete("/{filter_id}", status_code=status.HTTP_204_NO_CONTENT)
async def drop_filter(filters: Filters, caller: Person, filter_id: FilterId) -> None:
    """Drop one's own filter, or, with the right to manage users, a shared one."""
    await filters.drop(caller, filter_id)
