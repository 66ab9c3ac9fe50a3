"""Keeping a list's filter under a name, and dropping it; the lists themselves show what is kept."""

from typing import Annotated

from fastapi import APIRouter, Form, Path, Request, Response
from pydantic import ValidationError

from controlroom.filters.schemas import FilterEditIn, FilterIn
from controlroom.foundation.errors import Invalid
from controlroom.identity.access import page_caller
from controlroom.identity.caller import Caller
from controlroom.identity.cross_site import safe_next
from controlroom.identity.permissions import Permission
from controlroom.web.rendering import go_to
from controlroom.web.services import filters_of

router = APIRouter(include_in_schema=False, prefix="/filters")

Owner = Annotated[Caller, page_caller(Permission.OWN_ACCOUNT)]
Back = Annotated[str, Form(max_length=2000)]


@router.post("")
async def keep(
    *,
    request: Request,
    caller: Owner,
    list_name: Annotated[str, Form(max_length=100)],
    name: Annotated[str, Form(max_length=200)] = "",
    filter: Annotated[str, Form(max_length=1000)] = "",  # the field's name
    sort: Annotated[str, Form(max_length=100)] = "",
    shared: Annotated[str, Form(max_length=10)] = "",
    back: Back = "/",
) -> Response:
    """Keep a filter; one of the caller's own with the same name is replaced."""
    try:
        wanted = FilterIn(list_name=list_name, name=name, filter=filter, sort=sort, shared=bool(shared))
    except ValidationError:
        raise Invalid("A filter needs a name of 1 to 60 characters.") from None
    filters = filters_of(request)
    present = [
        each
        for each in await filters.visible(caller, list_name)
        if each.owner_id == caller.user_id and each.name == wanted.name
    ]
    if present:
        edit = FilterEditIn(filter=wanted.filter, sort=wanted.sort, shared=wanted.shared)
        await filters.edit(caller, present[0].id, edit)
    else:
        await filters.keep(caller, wanted)
    return go_to(request, safe_next(back))


@router.post("/{filter_id}/drop")
async def drop(
    request: Request, caller: Owner, filter_id: Annotated[str, Path(max_length=64)], back: Back = "/"
) -> Response:
    """Drop one of the caller's filters."""
    await filters_of(request).drop(caller, filter_id)
    return go_to(request, safe_next(back))
