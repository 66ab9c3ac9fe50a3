"""Proofs: give what a firewall holds, and see what is missing, what is too much, and which rule does it."""

from typing import Annotated, Any

from fastapi import APIRouter, Form, Request, Response, UploadFile

from controlroom.foundation.errors import ControlRoomError
from controlroom.identity.access import page_caller
from controlroom.identity.caller import Caller
from controlroom.identity.permissions import Permission
from controlroom.sites.errors import NoSite, SiteTooLarge
from controlroom.sites.jobs import BORDER
from controlroom.sites.models import ReportKind
from controlroom.sites.service import LARGEST_RULESET_BYTES, MOST_RULESET_FILES, RulesetFile
from controlroom.web.pages.network.frame import network_page
from controlroom.web.rendering import go_to, is_htmx
from controlroom.web.services import sites_of

router = APIRouter(include_in_schema=False, prefix="/network/proofs")

TEMPLATE = "pages/network_proof/network_proofs.html"

Reader = Annotated[Caller, page_caller(Permission.NETWORK_READ)]
Keeper = Annotated[Caller, page_caller(Permission.NETWORK_MANAGE)]


@router.get("")
async def proofs(request: Request, caller: Reader) -> Response:
    """Show where to give a ruleset, and the proofs that were made."""
    return await _show(request, caller)


@router.post("")
async def prove(
    *,
    request: Request,
    caller: Keeper,
    rulesets: list[UploadFile],
    place: Annotated[str, Form(max_length=100)] = BORDER,
    format_name: Annotated[str, Form(alias="format", max_length=40)] = "",
    idle: Annotated[str, Form(max_length=10)] = "",
) -> Response:
    """Prove the files and go to the verdict; show why where they cannot be read."""
    try:
        files = await _read(rulesets)
        report = await sites_of(request).prove(
            caller, files, place=place, format_name=format_name, idle=bool(idle)
        )
    except ControlRoomError as error:
        asked = {"place": place, "format": format_name, "idle": bool(idle)}
        return await _show(request, caller, refusal=error, asked=asked)
    return go_to(request, f"/network/proofs/{report.id}")


@router.get("/{report_id}")
async def proof(request: Request, caller: Reader, report_id: str) -> Response:
    """Show one verdict with its findings, witnesses and assumptions."""
    report = await sites_of(request).report(caller, report_id)
    return network_page(request, caller, "pages/network_proof/network_proof.html", {"report": report})


async def _read(uploads: list[UploadFile]) -> list[RulesetFile]:
    files, left = [], LARGEST_RULESET_BYTES
    for upload in uploads[: MOST_RULESET_FILES + 1]:
        content = await upload.read(left + 1)
        left -= len(content)
        if left < 0:
            raise SiteTooLarge(
                f"A ruleset may have at most {LARGEST_RULESET_BYTES // 1024 // 1024} MiB here; the command "
                "'controlroom network verify' takes larger ones."
            )
        files.append(RulesetFile(upload.filename or "ruleset", content))
    return files


async def _show(
    request: Request,
    caller: Caller,
    *,
    refusal: ControlRoomError | None = None,
    asked: dict[str, Any] | None = None,
) -> Response:
    sites = sites_of(request)
    status = 200 if refusal is None else 422 if is_htmx(request) else refusal.status
    try:
        site = await sites.current(caller)
    except NoSite:
        return network_page(request, caller, TEMPLATE, {"site": None}, status=status)
    context = {
        "site": site,
        "hosts": (await sites.overview(site))["hosts"],
        "formats": (await sites.targets(caller))["formats"],
        "reports": await sites.reports(caller, ReportKind.PROOF),
        "asked": asked or {"place": BORDER, "format": "", "idle": False},
        "refusal": refusal,
        "limit_bytes": LARGEST_RULESET_BYTES,
    }
    return network_page(request, caller, TEMPLATE, context, status=status)
