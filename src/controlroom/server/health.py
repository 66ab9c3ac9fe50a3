"""Whether this node lives and is ready, and its metrics."""

from typing import Literal

from fastapi import APIRouter, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, Gauge, generate_latest

from controlroom.foundation.database import Database
from controlroom.foundation.http import Schema
from controlroom.identity.access import PUBLIC
from controlroom.server.link.hub import LinkHub

router = APIRouter(tags=["health"])

CONNECTED = Gauge("controlroom_connected_runners", "Runners connected to this node.")


class Health(Schema):
    """How a node is."""

    status: Literal["ok", "not_ready"]
    database: Literal["ok", "away"] = "ok"


@router.get("/health/live", dependencies=[PUBLIC])
async def live() -> Health:
    """Say that the process answers."""
    return Health(status="ok")


@router.get(
    "/health/ready", dependencies=[PUBLIC], responses={503: {"model": Health, "description": "Not ready"}}
)
async def ready(request: Request, response: Response) -> Health:
    """Say whether requests can be served: the database answers."""
    database: Database = request.app.state.database
    if await database.answers():
        return Health(status="ok")
    response.status_code = 503
    return Health(status="not_ready", database="away")


@router.get(
    "/metrics",
    dependencies=[PUBLIC],
    response_class=Response,
    responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}},
)
async def metrics(request: Request) -> Response:
    """Give this node's metrics in Prometheus' text form; they name no person, bot or run."""
    hub: LinkHub = request.app.state.hub
    CONNECTED.set(hub.count)
    return Response(generate_latest(REGISTRY), media_type=CONTENT_TYPE_LATEST)
