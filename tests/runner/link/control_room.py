"""A small real Control Room for the runner's tests: the true protocol over real sockets, kept in memory."""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import uvicorn

from controlroom.protocol.join import JoinReply, JoinRequest
from controlroom.protocol.messages import (
    Ack,
    ArtifactStored,
    Ended,
    FromServer,
    Goodbye,
    Heartbeat,
    Hello,
    LeaseRenewed,
    LogGap,
    Report,
    ReportBody,
    StaleAttempt,
    StartAttempt,
    Welcome,
)
from controlroom.protocol.plan import (
    AttemptPlan,
    EnvironmentKind,
    EnvironmentSpec,
    Launch,
    LaunchKind,
    Limits,
)
from controlroom.protocol.records import LogRecord
from controlroom.protocol.wire import (
    JOIN_PATH,
    MEDIA_TYPE,
    POLL_PATH,
    decode_from_runner,
    decode_many_from_runner,
    encode,
    encode_many,
)

KEY = "crr_test"
LIMIT_SECONDS = 30
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


@dataclass
class Applied:
    """What the Control Room has of one attempt."""

    plan: AttemptPlan | None = None
    last: int = 0
    bodies: list[ReportBody] = field(default_factory=list)
    late: list[ReportBody] = field(default_factory=list)
    closed: bool = False
    stale: bool = False
    duplicates: int = 0

    @property
    def log(self) -> list[LogRecord]:
        return [record for body in self.bodies for record in getattr(body, "records", ())]

    @property
    def lines_given_up(self) -> int:
        return sum(body.lines for body in self.bodies if isinstance(body, LogGap))

    @property
    def ended(self) -> Ended | None:
        return next((body for body in self.bodies if isinstance(body, Ended)), None)


class _Channel:
    """One connection or session: what is to be sent to the runner on it."""

    def __init__(self, transport: str) -> None:
        self.transport = transport
        self.outgoing: asyncio.Queue[FromServer | None] = asyncio.Queue()


class ControlRoom:
    """State and behaviour; `serve` gives it a port."""

    def __init__(self) -> None:
        self.attempts: dict[str, Applied] = {}
        self.packages: dict[str, bytes] = {}
        self.artifacts: dict[str, bytes] = {}
        self.hellos: list[Hello] = []
        self.heartbeats: list[Heartbeat] = []
        self.goodbyes: list[Goodbye] = []
        self.transports: list[str] = []
        self.join_requests: list[JoinRequest] = []
        self.join_tokens: set[str] = set()
        self.key = KEY
        self.heartbeat_seconds = 0.1
        self.lease_seconds = 30.0
        self.renews = True
        self.welcomes = True
        self.websocket_status = 0
        self.package_status = 200
        self.artifact_status = 204
        self.package_requests = 0
        self.files: dict[str, bytes] = {}
        self.file_status = 200
        self.file_requests = 0
        self.forgets = 0
        """So many reports are taken and never answered."""
        self.forgotten: list[Report] = []
        self.url = ""
        self.channel: _Channel | None = None
        self._sessions: dict[str, _Channel] = {}
        self._changed = asyncio.Condition()
        self.address: tuple[str, int] = ("", 0)

    async def until(self, condition: Callable[[], object]) -> None:
        """Wait until something is so, with a limit."""
        async with asyncio.timeout(LIMIT_SECONDS), self._changed:
            await self._changed.wait_for(lambda: bool(condition()))

    def attempt(self, attempt_id: str) -> Applied:
        return self.attempts.setdefault(attempt_id, Applied())

    async def assign(self, plan: AttemptPlan) -> None:
        self.attempt(plan.attempt_id).plan = plan
        self.say(StartAttempt(plan))

    def say(self, message: FromServer) -> None:
        if self.channel is not None:
            self.channel.outgoing.put_nowait(message)

    async def cut(self) -> None:
        """End the present connection without a word."""
        if self.channel is not None:
            self.channel.outgoing.put_nowait(None)

    # What comes from the runner.

    async def take(self, message: object, channel: _Channel) -> None:
        match message:
            case Hello():
                self._hello(message, channel)
            case Heartbeat():
                self.heartbeats.append(message)
                if self.renews and message.held:
                    named = tuple(held.attempt_id for held in message.held)
                    channel.outgoing.put_nowait(LeaseRenewed(named, message.number))
            case Report() if self.forgets:
                self.forgets -= 1
                self.forgotten.append(message)
            case Report():
                channel.outgoing.put_nowait(self.apply(message))
            case Goodbye():
                self.goodbyes.append(message)
        async with self._changed:
            self._changed.notify_all()

    def apply(self, report: Report) -> Ack:
        attempt = self.attempt(report.attempt_id)
        if report.number == attempt.last + 1:
            attempt.last = report.number
            (attempt.late if attempt.stale else attempt.bodies).append(report.body)
            if isinstance(report.body, ArtifactStored):
                assert report.body.sha256 in self.artifacts, "named before it was stored"
            attempt.closed = attempt.closed or isinstance(report.body, Ended)
        elif report.number <= attempt.last:
            attempt.duplicates += 1
        return Ack(report.attempt_id, attempt.last, attempt.closed)

    def _hello(self, hello: Hello, channel: _Channel) -> None:
        self.hellos.append(hello)
        self.transports.append(channel.transport)
        self.channel = channel
        channel.outgoing.put_nowait(Welcome("dev_1", "test", 0.0, self.heartbeat_seconds, self.lease_seconds))
        held = {each.attempt_id for each in hello.held}
        for attempt_id, attempt in self.attempts.items():
            if attempt.plan and not attempt.closed and attempt_id not in held and attempt.last == 0:
                channel.outgoing.put_nowait(StartAttempt(attempt.plan))
            if attempt.stale and attempt_id in held:
                channel.outgoing.put_nowait(StaleAttempt(attempt_id, "The lease ran out."))

    # The door: ASGI.

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            return
        headers = {name.decode().lower(): value.decode() for name, value in scope["headers"]}
        trusted = headers.get("authorization") == f"Bearer {self.key}"
        if scope["type"] == "websocket":
            await self._websocket(receive, send, 0 if trusted else 403)
        elif scope["path"] == JOIN_PATH:
            await self._join(await _body(receive), send)
        elif not trusted:
            await _answer(send, 401, b'{"detail": "This key was revoked."}', "application/problem+json")
        elif scope["path"] == POLL_PATH:
            await self._poll(scope, headers, receive, send)
        elif "/files/" in scope["path"]:
            await self._input_file(*scope["path"].split("/")[-3::2], headers, send)
        elif scope["path"].endswith("/package"):
            await self._package(scope["path"].split("/")[-2], headers, send)
        elif "/artifacts/" in scope["path"]:
            await self._artifact(scope["path"], headers, await _body(receive), send)
        else:
            await _answer(send, 404, b"{}", "application/problem+json")

    async def _websocket(self, receive: Receive, send: Send, refusal: int) -> None:
        await receive()
        if status := refusal or self.websocket_status:
            await send({"type": "websocket.http.response.start", "status": status, "headers": []})
            await send({"type": "websocket.http.response.body", "body": b""})
            return
        await send({"type": "websocket.accept"})
        channel = _Channel("websocket")
        sending = asyncio.create_task(self._send_on(channel, send))
        try:
            while (event := await receive())["type"] == "websocket.receive":
                if self.welcomes:
                    await self.take(decode_from_runner(event["bytes"]), channel)
        finally:
            sending.cancel()

    async def _send_on(self, channel: _Channel, send: Send) -> None:
        while (message := await channel.outgoing.get()) is not None:
            await send({"type": "websocket.send", "bytes": encode(message)})
        await send({"type": "websocket.close", "code": 1012})

    async def _poll(self, scope: Message, headers: dict[str, str], receive: Receive, send: Send) -> None:
        session = headers.get("x-poll-session", "")
        if scope["method"] == "POST":
            messages = decode_many_from_runner(await _body(receive))
            if not session:
                session = f"poll-{len(self._sessions) + 1}"
                self._sessions[session] = _Channel("long-poll")
            elif session not in self._sessions:
                await _answer(send, 410, b"", MEDIA_TYPE)
                return
            channel = self._sessions[session]
            for message in messages:
                await self.take(message, channel)
            opening = isinstance(messages[0], Hello) if messages else False
            answer = self._waiting(channel) if opening else []
            await _answer(send, 200, encode_many(answer), MEDIA_TYPE, (b"x-poll-session", session.encode()))
            return
        channel = self._sessions.get(session, _Channel(""))
        if not channel.transport:
            await _answer(send, 410, b"", MEDIA_TYPE)
            return
        wait = float(scope["query_string"].decode().partition("wait=")[2] or 0)
        try:
            async with asyncio.timeout(wait):
                first = await channel.outgoing.get()
        except TimeoutError:
            await _answer(send, 200, encode_many([]), MEDIA_TYPE)
            return
        if first is None:
            del self._sessions[session]
            await _answer(send, 410, b"", MEDIA_TYPE)
            return
        await _answer(send, 200, encode_many([first, *self._waiting(channel)]), MEDIA_TYPE)

    @staticmethod
    def _waiting(channel: _Channel) -> list[FromServer]:
        found: list[FromServer] = []
        while not channel.outgoing.empty():
            message = channel.outgoing.get_nowait()
            if message is None:
                channel.outgoing.put_nowait(None)
                break
            found.append(message)
        return found

    async def _join(self, body: bytes, send: Send) -> None:
        request = msgspec.json.decode(body, type=JoinRequest)
        self.join_requests.append(request)
        if request.token not in self.join_tokens:
            await _answer(send, 401, b'{"detail": "The token is not known."}', "application/problem+json")
            return
        self.join_tokens.discard(request.token)
        reply = JoinReply("dev_1", request.name, self.key)
        await _answer(send, 200, msgspec.json.encode(reply), "application/json")

    async def _input_file(self, attempt_id: str, file_id: str, headers: dict[str, str], send: Send) -> None:
        self.file_requests += 1
        plan = self.attempt(attempt_id).plan
        if plan is None or headers.get("x-attempt-token") != plan.token or self.file_status != 200:
            await _answer(
                send, self.file_status if plan else 404, b'{"detail": "Not now."}', "application/json"
            )
        else:
            await _answer(send, 200, self.files[file_id], "application/octet-stream")

    async def _package(self, attempt_id: str, headers: dict[str, str], send: Send) -> None:
        self.package_requests += 1
        plan = self.attempt(attempt_id).plan
        if plan is None or headers.get("x-attempt-token") != plan.token or self.package_status != 200:
            await _answer(
                send, self.package_status if plan else 404, b'{"detail": "Not now."}', "application/json"
            )
        else:
            await _answer(send, 200, self.packages[plan.package_sha256], "application/zip")
        async with self._changed:
            self._changed.notify_all()

    async def _artifact(self, path: str, headers: dict[str, str], content: bytes, send: Send) -> None:
        attempt_id, sha256 = path.split("/")[-3], path.rsplit("/", maxsplit=1)[-1]
        plan = self.attempt(attempt_id).plan
        assert plan is None or headers.get("x-attempt-token") == plan.token
        assert hashlib.sha256(content).hexdigest() == sha256
        if self.artifact_status < 300:
            self.artifacts[sha256] = content
        await _answer(send, self.artifact_status, b"", "application/json")
        async with self._changed:
            self._changed.notify_all()


@asynccontextmanager
async def serve(
    room: ControlRoom, port: int = 0, *, certificate: Path | None = None
) -> AsyncIterator[ControlRoom]:
    """Serve on a free port, or on the one given, for the length of the block; over TLS with a certificate and key."""
    config = uvicorn.Config(
        room,
        port=port,
        log_config=None,
        lifespan="off",
        ws="websockets-sansio",
        timeout_graceful_shutdown=1,
        ws_ping_interval=None,
        ssl_certfile=certificate,
    )
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server._serve())
    while not server.started:
        await asyncio.sleep(0.005)
    room.address = server.servers[0].sockets[0].getsockname()[:2]
    scheme = "https" if certificate else "http"
    room.url = f"{scheme}://127.0.0.1:{room.address[1]}"
    try:
        yield room
    finally:
        server.should_exit = True
        await room.cut()
        await serving


def make_plan(attempt_id: str, package: bytes = b"package", **changes: object) -> AttemptPlan:
    """Return a plan whose package is these bytes."""
    plan = AttemptPlan(
        attempt_id=attempt_id,
        run_id="run_1",
        number=1,
        token=f"token-{attempt_id}",
        bot_name="bot",
        version=1,
        package_sha256=hashlib.sha256(package).hexdigest(),
        package_bytes=len(package),
        environment=EnvironmentSpec(EnvironmentKind.REQUIREMENTS),
        launch=Launch(LaunchKind.SCRIPT, "main.py"),
        limits=Limits(),
        inputs={},
    )
    return msgspec.structs.replace(plan, **changes)


async def _body(receive: Receive) -> bytes:
    parts: list[bytes] = []
    while True:
        event = await receive()
        parts.append(event.get("body", b""))
        if not event.get("more_body"):
            return b"".join(parts)


async def _answer(
    send: Send, status: int, body: bytes, media_type: str, *headers: tuple[bytes, bytes]
) -> None:
    all_headers = [
        (b"content-type", media_type.encode()),
        (b"content-length", str(len(body)).encode()),
        *headers,
    ]
    await send({"type": "http.response.start", "status": status, "headers": all_headers})
    await send({"type": "http.response.body", "body": body})
