"""Routes of the declared site: its versions, what follows from it, and what proofs and probes found."""

from typing import Annotated, Any, cast

from fastapi import APIRouter, Body, Depends, Path, Query, Request, Response, status

from controlroom.foundation.http import PROBLEMS
from controlroom.identity.access import permitted
from controlroom.identity.caller import Caller
from controlroom.identity.permissions import Permission
from controlroom.sites.models import ReportKind
from controlroom.sites.reading import ProbeReport
from controlroom.sites.schemas import (
    ChangesOut,
    FlowsOut,
    ProofIn,
    ReportOut,
    RulesOut,
    SiteIn,
    SiteOut,
    SiteTextIn,
    SiteVersionOut,
    TargetsOut,
    WholeReportOut,
)
from controlroom.sites.service import RulesetFile, SiteService

router = APIRouter(prefix="/api/v1/network", tags=["network"], responses=PROBLEMS)


def site_service(request: Request) -> SiteService:
    """Return the service that the server put into ``app.state.sites``."""
    return cast("SiteService", request.app.state.sites)


Sites = Annotated[SiteService, Depends(site_service)]
Reader = Annotated[Caller, permitted(Permission.NETWORK_READ)]
Keeper = Annotated[Caller, permitted(Permission.NETWORK_MANAGE)]


@router.get("/site")
async def get_site(sites: Sites, caller: Reader) -> SiteOut:
    """Give the present version of the site."""
    return SiteOut.model_validate(await sites.current(caller))


@router.put("/site", status_code=status.HTTP_201_CREATED)
async def declare_site(sites: Sites, caller: Keeper, wanted: Annotated[SiteIn, Body()]) -> SiteOut:
    """Declare a new version of the site; it is checked first, and a fault is told with its line and key."""
    declared = await sites.declare(caller, wanted.text, based_on=wanted.based_on, note=wanted.note)
    return SiteOut.model_validate(declared)


@router.post("/site/changes")
async def site_changes(sites: Sites, caller: Reader, wanted: Annotated[SiteTextIn, Body()]) -> ChangesOut:
    """Say what a site file would open and close beside the present version; nothing is kept."""
    return ChangesOut.model_validate(await sites.what_would_change(caller, wanted.text))


@router.get("/site/versions")
async def site_versions(sites: Sites, caller: Reader) -> list[SiteVersionOut]:
    """List the versions of the site, newest first."""
    return [SiteVersionOut.model_validate(each) for each in await sites.versions(caller)]


@router.get("/site/versions/{number}")
async def site_version(
    sites: Sites, caller: Reader, number: Annotated[int, Path(ge=1, le=2_000_000_000)]
) -> SiteOut:
    """Give one version of the site."""
    return SiteOut.model_validate(await sites.version(caller, number))


@router.get("/flows")
async def network_flows(sites: Sites, caller: Reader) -> FlowsOut:
    """List what the present site allows, zone by zone; all else is denied."""
    found = await sites.overview(await sites.current(caller))
    return FlowsOut.model_validate({name: found[name] for name in FlowsOut.model_fields})


@router.get(
    "/diagram",
    response_class=Response,
    responses={200: {"content": {"image/svg+xml": {}}, "description": "The diagram"}},
)
async def network_diagram(sites: Sites, caller: Reader) -> Response:
    """Give the diagram of the present site as SVG."""
    found = await sites.overview(await sites.current(caller))
    return Response(
        found["styled_diagram"],
        media_type="image/svg+xml",
        headers={"Content-Disposition": 'attachment; filename="network.svg"', "Cache-Control": "no-store"},
    )


@router.get("/targets")
async def network_targets(sites: Sites, caller: Reader) -> TargetsOut:
    """List the kinds of firewall that rules can be written for, and those whose rules can be read."""
    return TargetsOut.model_validate(await sites.targets(caller))


@router.get("/rules")
async def network_rules(
    sites: Sites,
    caller: Reader,
    target: Annotated[str, Query(max_length=60, description="One of `/targets`.")],
    place: Annotated[str, Query(max_length=100, description="A host of the site, or `border`.")],
) -> RulesOut:
    """Render the rules of one firewall; they are proved where the target's rules can be read back."""
    return RulesOut.model_validate(await sites.rules(caller, target=target, place=place))


@router.post("/proofs", status_code=status.HTTP_201_CREATED)
async def prove_ruleset(sites: Sites, caller: Keeper, wanted: Annotated[ProofIn, Body()]) -> WholeReportOut:
    """Prove what a firewall holds against the present site, and keep the verdict."""
    files = [RulesetFile(file.name, file.text.encode()) for file in wanted.files]
    found = await sites.prove(caller, files, place=wanted.place, format_name=wanted.format, idle=wanted.idle)
    return WholeReportOut.model_validate(found)


@router.post("/probes", status_code=status.HTTP_201_CREATED)
async def keep_probes(sites: Sites, caller: Keeper, report: Annotated[ProbeReport, Body()]) -> WholeReportOut:
    """Keep a report of `controlroom network check --format json`."""
    return WholeReportOut.model_validate(await sites.keep_probes(caller, report.model_dump_json()))


@router.post("/probes/from-here", status_code=status.HTTP_201_CREATED)
async def probe_from_here(sites: Sites, caller: Keeper) -> WholeReportOut:
    """Probe the flows of the host of the site that this server runs on, and keep what is found."""
    return WholeReportOut.model_validate(await sites.probe_from_here(caller))


@router.get("/reports")
async def network_reports(
    sites: Sites,
    caller: Reader,
    kind: Annotated[ReportKind | None, Query(description="Only proofs, or only probes.")] = None,
) -> list[ReportOut]:
    """List the reports that are kept, newest first."""
    return [ReportOut.model_validate(each) for each in await sites.reports(caller, kind)]


@router.get("/reports/{report_id}")
async def network_report(
    sites: Sites, caller: Reader, report_id: Annotated[str, Path(max_length=64)]
) -> WholeReportOut:
    """Give what one proof or round of probes found."""
    found: Any = await sites.report(caller, report_id)
    return WholeReportOut.model_validate(found)
