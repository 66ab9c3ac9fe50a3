"""Routes of the figures."""

from typing import Annotated, cast

from fastapi import APIRouter, Query, Request

from controlroom.foundation.http import PROBLEMS
from controlroom.identity.access import Guard, permitted
from controlroom.identity.caller import Caller
from controlroom.insight.schemas import DashboardOut
from controlroom.insight.service import InsightService
from controlroom.insight.trends import Period

router = APIRouter(prefix="/api/v1", tags=["insight"], responses=PROBLEMS)


def insight_of(request: Request) -> InsightService:
    """Return the service that the server put into ``app.state.insight``."""
    return cast("InsightService", request.app.state.insight)


@router.get("/dashboard")
async def dashboard(
    request: Request,
    caller: Annotated[Caller, permitted(Guard.SIGNED_IN)],
    period: Annotated[Period, Query(description="24 hours by the hour, or 14 days by the day.")] = Period.DAY,
) -> DashboardOut:
    """Say what is broken, what runs, what comes next, how the devices are, and how it went of late."""
    return DashboardOut.of(await insight_of(request).dashboard(caller, period))
