"""The first page: four questions answered on one screen, then how it went of late. Live."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from controlroom.identity.access import Guard, page_caller
from controlroom.identity.caller import Caller
from controlroom.insight.api import insight_of
from controlroom.insight.trends import Period
from controlroom.web.live.sharing import shared_live
from controlroom.web.pages.dashboard.charts import HEIGHT, WIDTH, charts
from controlroom.web.pages.dashboard.first_steps import first_steps
from controlroom.web.rendering import page

router = APIRouter(include_in_schema=False)

PATH = "/dashboard"

FAILED_FILTER = "state:failed,timed_out,lost,rejected"


@router.get(PATH)
@shared_live
async def dashboard(
    request: Request,
    caller: Annotated[Caller, page_caller(Guard.SIGNED_IN)],
    period: Annotated[Period, Query()] = Period.DAY,
) -> Response:
    """Show what the caller may know of the present moment, and the period behind it."""
    found = await insight_of(request).dashboard(caller, period)
    slots = found.devices.slots if found.devices else 0
    context = {
        "found": found,
        "steps": await first_steps(request, caller),
        "period": period,
        "charts": charts(found.trends, period, found.time, slots) if found.trends else [],
        "width": WIDTH,
        "height": HEIGHT,
        "failed_filter": FAILED_FILTER,
    }
    return page(request, caller, "pages/dashboard/dashboard.html", context)
