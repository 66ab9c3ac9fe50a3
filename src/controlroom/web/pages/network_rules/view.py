"""Firewall rules of the declared site: choose a place and a kind of firewall, then copy or download what it needs."""

import asyncio
import io
import zipfile
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response

from controlroom.foundation.errors import ControlRoomError, NotFound
from controlroom.identity.access import page_caller
from controlroom.identity.caller import Caller
from controlroom.identity.permissions import Permission
from controlroom.sites.errors import NoSite
from controlroom.sites.jobs import BORDER
from controlroom.web.pages.network.frame import network_page
from controlroom.web.services import sites_of

router = APIRouter(include_in_schema=False, prefix="/network/rules")

TEMPLATE = "pages/network_rules/network_rules.html"
MOST_SHOWN = 100_000
"""Characters of one file that the page shows; all of it is in the download."""

Reader = Annotated[Caller, page_caller(Permission.NETWORK_READ)]
Target = Annotated[str, Query(max_length=60)]
Place = Annotated[str, Query(max_length=100)]

_EXECUTABLE = 0o755 << 16
_PLAIN = 0o644 << 16


@router.get("")
async def rules(request: Request, caller: Reader, target: Target = "", place: Place = "") -> Response:
    """Show the rules that were asked for, or what can be asked for."""
    sites = sites_of(request)
    try:
        site = await sites.current(caller)
    except NoSite:
        return network_page(request, caller, TEMPLATE, {"site": None})
    overview, known = await asyncio.gather(sites.overview(site), sites.targets(caller))
    context: dict[str, Any] = {
        "site": site,
        "hosts": overview["hosts"],
        "targets": known["targets"],
        "asked": {"target": target, "place": place or BORDER},
        "rules": None,
        "refusal": None,
        "most_shown": MOST_SHOWN,
    }
    if not target:
        return network_page(request, caller, TEMPLATE, context)
    try:
        context["rules"] = await sites.rules(caller, target=target, place=place)
    except ControlRoomError as error:
        context["refusal"] = error
        return network_page(request, caller, TEMPLATE, context, status=error.status)
    return network_page(request, caller, TEMPLATE, context)


@router.get("/download")
async def download(
    request: Request, caller: Reader, target: Target, place: Place, file: Annotated[int, Query(ge=-1)] = -1
) -> Response:
    """Give one file of the rules, or all of them as a zip."""
    found = await sites_of(request).rules(caller, target=target, place=place)
    files = found["files"]
    if file >= len(files):
        raise NotFound("There is no such file of rules.")
    if file >= 0:
        name = str(files[file]["name"]).rpartition("/")[2]
        return _attachment(str(files[file]["text"]).encode(), name, "application/octet-stream")
    content = await asyncio.to_thread(_zipped, files)
    return _attachment(content, f"{place}-{target}.zip", "application/zip")


def _zipped(files: list[dict[str, Any]]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in files:
            entry = zipfile.ZipInfo(file["name"])
            entry.external_attr = _EXECUTABLE if file["executable"] else _PLAIN
            archive.writestr(entry, file["text"], zipfile.ZIP_DEFLATED)
    return buffer.getvalue()


def _attachment(content: bytes, name: str, media_type: str) -> Response:
    # The names are those of places and targets that were found, so letters, digits, dots and dashes only.
    return Response(
        content,
        media_type=media_type,
        headers={"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"},
    )
