"""Probes: what a host of the site really reaches, asked from this server or told by a report of the command."""

from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Annotated, Any

from fastapi import APIRouter, Request, Response, UploadFile

from controlroom.foundation.errors import ControlRoomError
from controlroom.identity.access import page_caller
from controlroom.identity.caller import Caller
from controlroom.identity.permissions import Permission
from controlroom.sites.errors import NoSite, SiteTooLarge
from controlroom.sites.models import ReportKind
from controlroom.sites.reading import LARGEST_REPORT_BYTES
from controlroom.web.pages.network.frame import network_page
from controlroom.web.rendering import go_to, is_htmx
from controlroom.web.services import sites_of

router = APIRouter(include_in_schema=False, prefix="/network/probes")

TEMPLATE = "pages/network_probes/network_probes.html"

Reader = Annotated[Caller, page_caller(Permission.NETWORK_READ)]
Keeper = Annotated[Caller, page_caller(Permission.NETWORK_MANAGE)]


@router.get("")
async def probes(request: Request, caller: Reader) -> Response:
    """Show how to ask, and what was found."""
    return await _show(request, caller)


@router.post("")
async def keep(request: Request, caller: Keeper, report: UploadFile) -> Response:
    """Keep a report of the command and go to it."""
    try:
        content = await report.read(LARGEST_REPORT_BYTES + 1)
        if len(content) > LARGEST_REPORT_BYTES:
            raise SiteTooLarge(f"A report may have at most {LARGEST_REPORT_BYTES // 1024 // 1024} MiB.")
        kept = await sites_of(request).keep_probes(caller, content)
    except ControlRoomError as error:
        return await _show(request, caller, refusal=error)
    return go_to(request, f"/network/probes/{kept.id}")


@router.post("/from-here")
async def from_here(request: Request, caller: Keeper) -> Response:
    """Probe from this server and go to what was found."""
    try:
        kept = await sites_of(request).probe_from_here(caller)
    except ControlRoomError as error:
        return await _show(request, caller, refusal=error)
    return go_to(request, f"/network/probes/{kept.id}")


@router.get("/{report_id}")
async def probed(request: Request, caller: Reader, report_id: str) -> Response:
    """Show what one round of probes found."""
    report = await sites_of(request).report(caller, report_id)
    context = {"report": report, "lines": lines_of(report.report.get("answers", []))}
    return network_page(request, caller, "pages/network_probes/network_probed.html", context)


def lines_of(answers: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return the answers, neighbours that differ in their port alone as one line, what fails first."""

    def likeness(answer: Mapping[str, Any]) -> tuple[Any, ...]:
        names = ("flow", "expected", "probe", "destination", "host", "verdict", "judgement")
        return tuple(answer[name] for name in names)

    lines = []
    for _, group in groupby(answers, key=likeness):
        members = list(group)
        ports = [str(member["port"]) for member in members]
        shown = ", ".join(ports) if len(ports) <= 4 else f"{ports[0]} … {ports[-1]} ({len(ports)})"
        lines.append({**members[0], "ports": shown})
    return sorted(lines, key=lambda line: line["judgement"] == "as needed")


async def _show(request: Request, caller: Caller, *, refusal: ControlRoomError | None = None) -> Response:
    sites = sites_of(request)
    status = 200 if refusal is None else 422 if is_htmx(request) else refusal.status
    try:
        site = await sites.current(caller)
    except NoSite:
        return network_page(request, caller, TEMPLATE, {"site": None}, status=status)
    context = {
        "site": site,
        "here": (await sites.overview(site))["here"],
        "reports": await sites.reports(caller, ReportKind.PROBES),
        "refusal": refusal,
        "limit_bytes": LARGEST_REPORT_BYTES,
    }
    return network_page(request, caller, TEMPLATE, context, status=status)
