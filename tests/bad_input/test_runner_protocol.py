"""Whatever a runner sends, the server neither breaks nor hangs nor tells one device of another's work."""

import hashlib
import math
import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import msgspec
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from websockets.exceptions import ConnectionClosed

from bad_input.conftest import Stocked
from bad_input.fake_runner import FACTS, FakeRunner, Link, hello
from controlroom.protocol import OLDEST_PROTOCOL_VERSION, wire
from controlroom.protocol.messages import (
    Ack,
    ArtifactStored,
    Ended,
    Heartbeat,
    HeldAttempt,
    LeaseRenewed,
    Log,
    LogGap,
    Outcome,
    Output,
    Preparing,
    Progress,
    Report,
    ReportBody,
    StaleAttempt,
    StartAttempt,
    Started,
    Usage,
    UsageSample,
    Welcome,
)
from controlroom.protocol.plan import AttemptPlan
from controlroom.protocol.records import Level, LogRecord, Stream
from serving import RunningServer, script

pytestmark = pytest.mark.timeout(120)

SECRET = "only the other device may read this"
STARTED = Started(1.0, False, "env", 1)
SUCCEEDED = Ended(1.0, Outcome.SUCCEEDED, 0)
QUICK = settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))


@pytest.fixture(scope="module")
def room(stocked: Stocked) -> RunningServer:
    """The Control Room, which must be well after each test of this module and is asked so at the end of each."""
    stocked.room.publish(
        script("print('never run')", inputs={"secret": {"type": "string", "default": ""}}), "fake"
    )
    return stocked.room


@pytest.fixture(autouse=True)
def _is_well_afterwards(room: RunningServer) -> Iterator[None]:
    process = room.server
    yield
    assert process is not None
    assert process.poll() is None, "the server ended"
    assert httpx.get(f"{room.url}/health/ready", trust_env=False).json()["status"] == "ok"
    assert "request.broke" not in room.log_of("server")
    assert "Traceback" not in room.log_of("server")


@pytest.fixture(scope="module")
def intruder(room: RunningServer) -> FakeRunner:
    return FakeRunner(room, "intruder")


@pytest.fixture(scope="module")
def victim(room: RunningServer) -> FakeRunner:
    return FakeRunner(room, "victim")


@contextmanager
def an_attempt(runner: FakeRunner) -> Iterator[tuple[Link, AttemptPlan]]:
    """Give a runner an attempt of its own; it is cancelled afterwards where it lives still."""
    with runner.room.client() as client, runner.link() as link:
        body = {"bot": "fake", "device": runner.identity["device_id"], "inputs": {"secret": SECRET}}
        run = client.post("/api/v1/runs", json=body).raise_for_status().json()
        plan = link.hear(StartAttempt).plan
        while plan.run_id != run["id"]:  # what an earlier test left comes again until its lease is over
            plan = link.hear(StartAttempt).plan
        try:
            yield link, plan
        finally:
            client.post(f"/api/v1/runs/{run['id']}/cancel", json={})


def report(plan: AttemptPlan, number: int, body: ReportBody, *, token: str | None = None) -> Report:
    return Report(plan.attempt_id, plan.token if token is None else token, number, body)


def log(*texts: str) -> Log:
    return Log(tuple(LogRecord(1.0, Stream.STDOUT, Level.INFO, text) for text in texts))


def lines_of(room: RunningServer, attempt_id: str) -> list[str]:
    with room.client() as client:
        answer = client.get(f"/api/v1/attempts/{attempt_id}/log").raise_for_status().json()
    return [line["text"] for line in answer["lines"]]


# What is no message at all.


@QUICK
@given(data=st.binary(max_size=300))
@example(data=b"")
@example(data=b"\xdd\xff\xff\xff\xff")  # an array that claims four thousand million elements
@example(data=b"\x91" * 100_000)  # arrays in arrays, to exhaust a stack
def test_random_bytes_close_the_websocket_with_a_reason(intruder: FakeRunner, data: bytes) -> None:
    with intruder.link() as link:
        link.socket.send(data)
        assert "not a message of this protocol" in link.hear_refusal().reason


@QUICK
@given(cut=st.integers(1, 200))
def test_truncated_messages_close_the_websocket(intruder: FakeRunner, cut: int) -> None:
    whole = wire.encode(Report("att_1", "0" * 32, 1, log("a line", "another")))
    with intruder.link() as link:
        link.socket.send(whole[: -min(cut, len(whole) - 1)])
        link.hear_refusal()


@QUICK
@given(data=st.binary(max_size=300))
def test_random_bytes_over_the_long_poll_are_answered_as_invalid(intruder: FakeRunner, data: bytes) -> None:
    with intruder.http() as client:
        answer = client.post(wire.POLL_PATH, content=data)
    assert answer.status_code == 422
    assert answer.json()["detail"]


def test_a_text_frame_and_a_first_word_that_is_no_hello_are_refused(intruder: FakeRunner) -> None:
    with intruder.link() as link:
        link.socket.send("hello")
        link.hear_refusal()
    for message in (Heartbeat(()), Report("att_1", "0", 1, log("x"))):
        with intruder.socket() as socket:
            socket.send(wire.encode(message))
            assert "opens with a hello" in Link(socket).hear_refusal().reason


def test_a_hello_of_another_version_is_refused_and_names_both(intruder: FakeRunner) -> None:
    with intruder.socket() as socket:
        link = Link(socket)
        link.say(hello(version=99))
        assert "99" in link.hear_refusal().reason
    with intruder.http() as client:
        answer = client.post(wire.POLL_PATH, content=wire.encode_many([hello(version=99)]))
        said = wire.decode_many_from_server(answer.content)
    assert "99" in str(said)


def test_a_runner_of_the_version_before_is_still_welcome(intruder: FakeRunner) -> None:
    with intruder.socket() as socket:
        link = Link(socket)
        link.say(hello(version=OLDEST_PROTOCOL_VERSION))
        device_id = link.hear(Welcome).device_id
    with intruder.room.client() as client:
        device = client.get(f"/api/v1/devices/{device_id}").raise_for_status().json()
    assert device["protocol_version"] == OLDEST_PROTOCOL_VERSION
    with intruder.socket() as socket:
        link = Link(socket)
        link.say(hello(version=OLDEST_PROTOCOL_VERSION - 1))
        assert f"speaks protocol {OLDEST_PROTOCOL_VERSION} to" in link.hear_refusal().reason


def test_a_second_hello_is_refused(intruder: FakeRunner) -> None:
    with intruder.link() as link:
        link.say(hello())
        assert "second hello" in link.hear_refusal().reason


def test_an_oversized_frame_ends_the_connection_and_nothing_else(intruder: FakeRunner) -> None:
    def send_and_listen(link: Link) -> None:
        link.socket.send(b"\xc4" * (wire.MAXIMUM_FRAME_BYTES + 1))
        while True:
            link.socket.recv(10)

    with intruder.link() as link, pytest.raises(ConnectionClosed):
        send_and_listen(link)  # closed by a frame, or by a reset where it is still being sent
    with intruder.http() as client:
        answer = client.post(wire.POLL_PATH, content=b"\xc4" * (wire.MAXIMUM_FRAME_BYTES + 1))
    assert answer.status_code == 413


def test_a_heartbeat_that_names_very_many_attempts_is_borne(intruder: FakeRunner) -> None:
    held = tuple(HeldAttempt(f"att_{number}", "0" * 32, 1, True) for number in range(20_000))
    with intruder.link() as link:
        link.say(Heartbeat(held))
        link.say(Heartbeat(()))
        link.say(Report("att_1", "0", 1, log("x")))
        assert link.hear(Ack).closed


# Messages that are well formed and do not fit.


def test_reports_in_any_order_and_again_are_applied_once_in_order(victim: FakeRunner) -> None:
    chance = random.Random(7)
    with an_attempt(victim) as (link, plan):
        bodies: list[ReportBody] = [STARTED, *(log(f"line {n}") for n in range(20))]
        reports = [report(plan, number, body) for number, body in enumerate(bodies, 1)]
        acked = 0
        while acked < len(reports):
            sending = chance.choices(reports, k=10) + reports[acked : acked + 2]
            for each in sending:
                link.say(each)
            for _ in range(3):
                link.say(reports[0])
            acked = max(acked, link.hear(Ack).number)
        assert lines_of(victim.room, plan.attempt_id) == [f"line {n}" for n in range(20)]
        link.say(report(plan, len(reports) + 1, SUCCEEDED))
        assert victim.room.wait_for_end(plan.run_id)["state"] == "succeeded"
        link.say(report(plan, len(reports) + 2, Ended(2.0, Outcome.FAILED, 1)))
        link.hear(StaleAttempt)
        assert victim.room.wait_for_end(plan.run_id)["state"] == "succeeded"


@pytest.mark.parametrize("number", [0, -1, 2**31, 2**63 - 1])
def test_impossible_numbers_change_nothing(victim: FakeRunner, number: int) -> None:
    with an_attempt(victim) as (link, plan):
        link.say(report(plan, number, log("never")))
        if number < 1:
            link.hear_refusal()
        else:
            assert link.hear(Ack).number == 0
        assert lines_of(victim.room, plan.attempt_id) == []


def test_another_devices_attempt_cannot_be_written_read_or_kept_alive(
    victim: FakeRunner, intruder: FakeRunner
) -> None:
    with an_attempt(victim) as (_, plan), intruder.link() as link:
        for token in (plan.token, "0" * 32, ""):
            link.say(report(plan, 1, log("forged"), token=token))
            assert link.hear(StaleAttempt).attempt_id == plan.attempt_id
            assert link.hear(Ack).closed
        link.say(Heartbeat((HeldAttempt(plan.attempt_id, "0" * 32, 0, True),)))
        assert link.hear(StaleAttempt).attempt_id == plan.attempt_id
        with intruder.http() as client:
            for token in (plan.token, "0" * 32):
                headers = {wire.TOKEN_HEADER: token}
                path = wire.PACKAGE_PATH.format(attempt_id=plan.attempt_id)
                assert client.get(path, headers=headers).status_code == 403
                upload = f"{wire.ARTIFACT_PATH.format(attempt_id=plan.attempt_id)}/{'0' * 64}"
                assert client.put(upload, headers=headers, content=b"x").status_code == 403
        said = msgspec.msgpack.encode(link.heard)
        assert SECRET.encode() not in said
        assert not [message for message in link.heard if isinstance(message, StartAttempt | LeaseRenewed)]
        assert lines_of(victim.room, plan.attempt_id) == []


def test_a_wrong_token_of_the_own_attempt_changes_nothing(victim: FakeRunner) -> None:
    with an_attempt(victim) as (link, plan):
        for token in ("", "0" * 32, plan.token[:-1], plan.token + "0", "ü"):
            link.say(report(plan, 1, log("forged"), token=token))
            link.hear(StaleAttempt)
        assert lines_of(victim.room, plan.attempt_id) == []


def test_a_poll_session_serves_only_its_own_device(victim: FakeRunner, intruder: FakeRunner) -> None:
    with victim.http() as mine, intruder.http() as theirs:
        opened = mine.post(wire.POLL_PATH, content=wire.encode_many([hello()])).raise_for_status()
        session = {wire.POLL_SESSION_HEADER: opened.headers[wire.POLL_SESSION_HEADER]}
        assert theirs.get(wire.POLL_PATH, headers=session, params={"wait": 0}).status_code == 410
        assert theirs.post(wire.POLL_PATH, headers=session, content=wire.encode_many([])).status_code == 410
        unknown = {wire.POLL_SESSION_HEADER: "crs_unknown"}
        assert mine.get(wire.POLL_PATH, headers=unknown, params={"wait": 0}).status_code == 410
        for wait in ("nan", "-1", "1e9", "x"):
            assert mine.get(wire.POLL_PATH, headers=session, params={"wait": wait}).status_code == 422
        assert mine.get(wire.POLL_PATH, headers=session, params={"wait": 0}).status_code == 200


ODD_TIMES = (math.nan, math.inf, -math.inf, 1e300, -1e300)
ODD_BODIES: list[ReportBody] = [
    *(Log((LogRecord(time, Stream.STDOUT, Level.INFO, "odd time"),)) for time in ODD_TIMES),
    Log((LogRecord(1.0, Stream.LOG, Level.INFO, "nul \x00", {"f\x00": msgspec.Raw(b"\xcb\x7f\xf8" + b"\0" * 6)}),)),
    Log((LogRecord(1.0, Stream.LOG, Level.INFO, "extension", {"e": msgspec.Raw(b"\xd4\x05\x01")}),)),
    Log((LogRecord(1.0, Stream.LOG, Level.INFO, "bytes", {"b": msgspec.Raw(b"\xc4\x02\xff\xfe")}),)),
    Log((LogRecord(1.0, Stream.LOG, Level.INFO, "number keys", {"m": msgspec.Raw(b"\x81\x01\x02")}),)),
    Log((LogRecord(1.0, Stream.LOG, Level.INFO, "stamp", {"t": msgspec.Raw(b"\xd6\xff\x00\x00\x00\x01")}),)),
    Log(()),
    LogGap(-5),
    LogGap(2**60),
    Progress(math.nan, "x\x00" * 5_000),
    Progress(-5, ""),
    UsageSample(math.nan, math.inf, -1.0, -(2**62)),
    UsageSample(1e300, 0.0, 1e300, 2**63),
    Preparing("step \x00" * 1_000),
    Output("o\x00" * 500, {"deep": [math.nan, math.inf, b"\xff", {1: "x"}, 2**63]}),
    Output("", "\x00"),
    ArtifactStored("../../etc/passwd\x00", "\x00", -1, "x" * 5_000),
    ArtifactStored("never came", "0" * 64, 2**62, "text/plain"),
]  # fmt: skip
ODD_ENDS = [
    Ended(math.nan, Outcome.FAILED, 2**40, "m\x00" * 9_000, "e" * 900, Usage(math.nan, 2**62, math.inf)),
    Ended(1e300, Outcome.FAILED, -(2**40), "", "", Usage(-1, -1, -1)),
]


@pytest.mark.parametrize("end", ODD_ENDS, ids=["nan", "negative"])
def test_odd_values_are_taken_shown_and_hold_nothing_up(victim: FakeRunner, end: Ended) -> None:
    with an_attempt(victim) as (link, plan), victim.room.client() as client:
        for number, body in enumerate([STARTED, *ODD_BODIES, end], 1):
            link.say(report(plan, number, body))
            ack = link.hear(Ack)
            assert ack.number == number, body
        run = victim.room.wait_for_end(plan.run_id)
        assert run["state"] == "failed"
        paths = [f"/api/v1/attempts/{plan.attempt_id}/log", f"/api/v1/attempts/{plan.attempt_id}/log/text"]
        paths += [f"/api/v1/attempts/{plan.attempt_id}", f"/api/v1/runs/{plan.run_id}/artifacts"]
        for path in [*paths, f"/runs/{plan.run_id}"]:
            assert client.get(path).status_code == 200, path
        assert client.get(paths[0]).json()["total_lines"] >= len(ODD_TIMES)


# Files and joining.


def test_an_artifact_whose_hash_is_wrong_is_refused(victim: FakeRunner) -> None:
    with an_attempt(victim) as (link, plan), victim.http() as client:
        folder, headers = (
            wire.ARTIFACT_PATH.format(attempt_id=plan.attempt_id),
            {wire.TOKEN_HEADER: plan.token},
        )
        true = hashlib.sha256(b"true").hexdigest()
        assert client.put(f"{folder}/{true}", headers=headers, content=b"false").status_code == 422
        assert client.put(f"{folder}/{true[:-1]}", headers=headers, content=b"true").status_code == 422
        link.say(report(plan, 1, STARTED))
        link.say(report(plan, 2, ArtifactStored("a.txt", true, 4, "text/plain")))
        link.say(report(plan, 3, SUCCEEDED))
        run = victim.room.wait_for_end(plan.run_id)
        with victim.room.client() as reader:
            found: Any = reader.get(f"/api/v1/runs/{run['id']}/artifacts").json()
        assert "a.txt" not in str(found)


def test_a_join_token_counts_once(intruder: FakeRunner) -> None:
    body = {"token": intruder.join_token, "name": "again", "facts": msgspec.to_builtins(FACTS)}
    answer = httpx.post(f"{intruder.room.url}{wire.JOIN_PATH}", json=body, trust_env=False)
    assert answer.status_code == 401
    assert answer.json()["code"] == "join_token_refused"
    assert "key" not in answer.json()


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"\xff\xfe", b"[" * 10_000, b'{"token": 1}', b"null"])
def test_what_is_no_join_request_is_answered_as_invalid(room: RunningServer, body: bytes) -> None:
    answer = httpx.post(f"{room.url}{wire.JOIN_PATH}", content=body, trust_env=False)
    assert answer.status_code in (422, 429)


def test_a_key_that_is_none_opens_nothing(room: RunningServer) -> None:
    for key in ("crr_unknown", room.keys["administrator"], "crr_" + "0" * 5_000):
        headers = {"Authorization": f"Bearer {key}"}
        answer = httpx.post(f"{room.url}{wire.POLL_PATH}", headers=headers, content=b"\x90", trust_env=False)
        assert answer.status_code == 401
