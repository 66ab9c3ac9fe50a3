"""An identity service with quick hashes, and a small app that mounts identity's routes and the audit log's."""

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack

import argon2
import httpx
import pytest
from argon2.low_level import Type
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse

from controlroom.audit import api as audit_api
from controlroom.audit.actor import Actor, ActorKind
from controlroom.audit.service import AuditService
from controlroom.foundation.cache.memory import MemoryCache
from controlroom.foundation.clock import Clock
from controlroom.foundation.database import Database
from controlroom.foundation.errors import ControlRoomError
from controlroom.foundation.settings import Settings
from controlroom.identity import api
from controlroom.identity.caller import Caller
from controlroom.identity.service import IdentityService, local_caller

QUICK = argon2.Parameters(
    type=Type.ID, version=19, salt_len=16, hash_len=32, time_cost=1, memory_cost=8, parallelism=1
)


@pytest.fixture
def settings() -> Settings:
    return Settings(public_url="", session_idle_minutes=60, session_absolute_hours=12)


@pytest.fixture
async def identity(database: Database, clock: Clock, settings: Settings) -> AsyncIterator[IdentityService]:
    service = IdentityService(database, MemoryCache(clock), clock, settings, hash_parameters=QUICK)
    yield service
    await service.close()


@pytest.fixture
def console() -> Caller:
    """Someone with every right who is not a user: the command line."""
    return local_caller(Actor(ActorKind.SYSTEM, "system", "Command line"))


@pytest.fixture
def app(database: Database, clock: Clock, identity: IdentityService) -> FastAPI:
    made = FastAPI()
    made.state.identity = identity
    made.state.audit = AuditService(database, clock, b"a key for tests")
    made.include_router(api.router)
    made.include_router(audit_api.router)

    @made.exception_handler(ControlRoomError)
    async def _problem(_request: Request, error: ControlRoomError) -> JSONResponse:
        errors = [{"pointer": field.pointer, "message": field.message} for field in error.fields]
        body = {"code": error.code, "detail": error.detail, "errors": errors}
        return JSONResponse(body, error.status)

    return made


@pytest.fixture
async def browsers(app: FastAPI) -> AsyncIterator[Callable[[], httpx.AsyncClient]]:
    """Opens browsers: clients that keep their own cookies."""
    async with AsyncExitStack() as stack:

        def browser() -> httpx.AsyncClient:
            transport = httpx.ASGITransport(app=app, client=("192.0.2.7", 50_000))
            client = httpx.AsyncClient(transport=transport, base_url="http://controlroom.test")
            stack.push_async_callback(client.aclose)
            return client

        yield browser
