"""The web application of a node: routes, pages, errors, headers, and the life of its background parts."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress

from fastapi import FastAPI

from controlroom import __version__
from controlroom.administration import api as administration_api
from controlroom.audit import api as audit_api
from controlroom.bots import api as bots_api
from controlroom.bots import folders_api
from controlroom.devices import api as devices_api
from controlroom.filters import api as filters_api
from controlroom.foundation.clock import Clock, SystemClock
from controlroom.foundation.http import Problem
from controlroom.foundation.settings import Settings
from controlroom.foundation.telemetry import logger
from controlroom.identity import api as identity_api
from controlroom.insight import api as insight_api
from controlroom.runs import api as runs_api
from controlroom.runs.input_files import api as input_files_api
from controlroom.server import health
from controlroom.server.description import describe
from controlroom.server.link import files, long_poll, websocket
from controlroom.server.live import api as live_api
from controlroom.server.middleware import RequestFrame
from controlroom.server.node import open_node
from controlroom.server.problems import install_problem_handlers
from controlroom.sites import api as sites_api
from controlroom.web.mount import mount_web

_API_ROOMS = (
    live_api,
    runs_api,
    input_files_api,
    bots_api,
    folders_api,
    devices_api,
    filters_api,
    identity_api,
    audit_api,
    insight_api,
    administration_api,
    sites_api,
    health,
)
_LINK_ROOMS = (websocket, long_poll, files)

log = logger("server.app")


def create_app(settings: Settings, clock: Clock | None = None) -> FastAPI:
    """Return the application of a node; it opens its database and starts its parts when it is served."""
    app = FastAPI(
        title="Control Room",
        version=__version__,
        summary="The open, self-hosted control room for software robots.",
        lifespan=_lifespan(settings, clock or SystemClock()),
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
    )
    app.add_middleware(RequestFrame, secure=settings.public_url.lower().startswith("https://"))
    for room in _API_ROOMS:
        app.include_router(room.router)
    for link_room in _LINK_ROOMS:
        app.include_router(link_room.router, include_in_schema=False)
    install_problem_handlers(app)
    mount_web(app)
    describe(app, Problem)
    return app


Lifespan = Callable[[FastAPI], AbstractAsyncContextManager[None]]


def _lifespan(settings: Settings, clock: Clock) -> Lifespan:
    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with open_node(settings, clock) as node:
            node.publish_to(app)
            background = asyncio.create_task(node.run_forever())
            background.add_done_callback(_stop_if_broken)
            try:
                yield
            finally:
                node.hub.close()
                background.cancel()
                with suppress(asyncio.CancelledError, BaseExceptionGroup):
                    await background

    return lifespan


def _stop_if_broken(background: "asyncio.Task[None]") -> None:
    """A node whose background parts have broken must not go on looking healthy: it ends, and is started anew."""
    if not background.cancelled() and background.exception() is not None:
        log.critical("node.broke", exc_info=background.exception())
        os.kill(os.getpid(), signal.SIGTERM)
