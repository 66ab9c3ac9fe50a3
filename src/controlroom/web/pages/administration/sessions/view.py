"""Who is signed in, from where, and signing them out."""

from typing import Annotated

from fastapi import APIRouter, Form, Request, Response

from controlroom.identity.access import identity_of, page_caller
from controlroom.identity.caller import Caller
from controlroom.identity.permissions import Permission
from controlroom.identity.sessions import OpenSession
from controlroom.web.lists import ListQuery
from controlroom.web.navigation import ADMINISTRATION
from controlroom.web.rendering import changed, page
from controlroom.web.tables import Column, TableSpec, shown_table

router = APIRouter(include_in_schema=False)

PATH = f"{ADMINISTRATION}/sessions"

Manager = Annotated[Caller, page_caller(Permission.SESSION_MANAGE)]


def _session_id(found: OpenSession) -> str:
    return found.session.id


SESSIONS = TableSpec(
    name="sessions",
    path=PATH,
    noun="session",
    plural="sessions",
    columns=(
        Column("user", "User", heading=True),
        Column("address", "From where"),
        Column("agent", "Browser", style="cut"),
        Column("created", "Signed in", sort="created", style="w-time", newest_first=True),
        Column("used", "Last used", sort="used", style="w-time", newest_first=True),
        Column("expires", "Ends at the latest", style="w-time w-less"),
        Column("id", "Id", shown=False),
        Column("actions", "", style="number w-action"),
    ),
    default_sort="-used",
    example="user:alice address:10.0.0.7",
    live="session.",
    key=_session_id,
)


@router.get(PATH)
async def sessions(request: Request, caller: Manager, wanted: ListQuery) -> Response:
    """Show a page of everyone's sessions that can still be used."""
    service = identity_of(request).sessions
    table = await shown_table(request, caller, SESSIONS, wanted, lambda asked: service.page(caller, asked))
    context = {"table": table, "idle_minutes": service.idle_minutes}
    return page(request, caller, "pages/administration/sessions/sessions.html", context, status=table.status)


@router.post(f"{PATH}/end")
async def end(request: Request, caller: Manager, session: Annotated[str, Form(max_length=64)]) -> Response:
    """Sign someone out of one session."""
    await identity_of(request).sessions.end_anyones(caller, session)
    return changed(request, PATH)
