"""Fixtures of the bots' tests."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from datetime import timedelta
from pathlib import Path

import argon2
import httpx
import pytest
from argon2.low_level import Type
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse

from bots.building import folder_of
from controlroom.audit.actor import Actor, ActorKind
from controlroom.bots import api
from controlroom.bots.files import FolderFiles
from controlroom.bots.service import BotService
from controlroom.foundation.blobs import BlobStore
from controlroom.foundation.cache.memory import MemoryCache
from controlroom.foundation.clock import Clock
from controlroom.foundation.database import Database
from controlroom.foundation.errors import ControlRoomError
from controlroom.foundation.settings import Settings
from controlroom.identity.caller import Caller
from controlroom.identity.permissions import SHIPPED_ROLES
from controlroom.identity.service import IdentityService, local_caller
from controlroom.identity.sessions import Origin

MakePackage = Callable[..., FolderFiles]
OpenClient = Callable[[str | None], Awaitable[httpx.AsyncClient]]


@pytest.fixture
def package(tmp_path: Path) -> MakePackage:
    """Write a folder from texts and give its files."""

    def make(texts: Mapping[str, str | bytes]) -> FolderFiles:
        return folder_of(tmp_path / "package", texts)

    return make


def caller_with(role: str) -> Caller:
    """Return someone who has one shipped role."""
    actor = Actor(ActorKind.USER, f"usr_{role}", role.title(), "192.0.2.1", "req_1")
    return Caller(actor, actor.id, actor.name, SHIPPED_ROLES[role])


@pytest.fixture
def author() -> Caller:
    return caller_with("bot_author")


@pytest.fixture
def viewer() -> Caller:
    return caller_with("viewer")


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data_folder=tmp_path / "data", package_limit_mb=1)


@pytest.fixture
def blobs(tmp_path: Path) -> BlobStore:
    return BlobStore(tmp_path / "data" / "blobs")


@pytest.fixture
def bots(database: Database, blobs: BlobStore, clock: Clock, settings: Settings) -> BotService:
    return BotService(database, blobs, clock, settings)


@pytest.fixture
async def identity(database: Database, clock: Clock, settings: Settings) -> AsyncIterator[IdentityService]:
    quick = argon2.Parameters(
        Type.ID, version=19, salt_len=16, hash_len=32, time_cost=1, memory_cost=8, parallelism=1
    )
    service = IdentityService(database, MemoryCache(clock), clock, settings, hash_parameters=quick)
    yield service
    await service.close()


@pytest.fixture
async def clients(bots: BotService, identity: IdentityService, clock: Clock) -> AsyncIterator[OpenClient]:
    """Opens clients of the bots' routes: with the API key of a user of some role, or with none."""
    app = FastAPI()
    app.state.bots = bots
    app.state.identity = identity
    app.include_router(api.router)

    @app.exception_handler(ControlRoomError)
    async def problem(_request: Request, error: ControlRoomError) -> JSONResponse:
        errors = [{"pointer": field.pointer, "message": field.message} for field in error.fields]
        return JSONResponse({"code": error.code, "detail": error.detail, "errors": errors}, error.status)

    async with AsyncExitStack() as stack:

        async def opened(role: str | None) -> httpx.AsyncClient:
            transport = httpx.ASGITransport(app)
            client = httpx.AsyncClient(transport=transport, base_url="http://controlroom.test")
            if role:
                client.headers["Authorization"] = f"Bearer {await _key(identity, role, clock)}"
            return await stack.enter_async_context(client)

        yield opened


async def _key(identity: IdentityService, role: str, clock: Clock) -> str:
    console = local_caller(Actor(ActorKind.SYSTEM, "system", "Command line"))
    password = "lamps over quiet rivers"
    await identity.accounts.create(console, name=role, roles=[role], password=password)
    session = await identity.local.sign_in(name=role, password=password, origin=Origin("192.0.2.7"))
    found = await identity.authentication.by_session(session.token)
    assert found is not None
    caller = found.caller(address="192.0.2.7", request_id="")
    end = clock.now() + timedelta(days=1)
    made = await identity.api_keys.create(caller, name="key", permissions=SHIPPED_ROLES[role], expires_at=end)
    return made.secret


@pytest.fixture
async def client(clients: OpenClient) -> httpx.AsyncClient:
    """A client that may do all with bots."""
    return await clients("bot_author")
