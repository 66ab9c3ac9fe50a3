"""Role x route x folder, generated from the routes of the whole app: nobody sees or touches what lies elsewhere.

Two of everything: in ``/finance`` and its pool, where each user has one shipped role, and in ``/sales`` and another pool,
where they have none. All that lies in ``/sales`` has the word ``zebra`` in its name.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from websockets.sync.client import connect

from controlroom.foundation.settings import Settings
from controlroom.identity.access import Guard
from controlroom.identity.permissions import SHIPPED_ROLES, Permission
from controlroom.identity.places import PlaceKind, counting_at
from controlroom.server.app import create_app
from identity.stocked import SCRIPT, Rooms, stock, user_with_key
from probing import Probe, probes
from web.served import (
    package,
    served_site,
)

PROBES = probes(create_app(Settings()))
PLACED = ("bot", "bot_id", "run_id", "attempt_id", "artifact_id", "device", "device_id", "pool", "pool_id")
ROLES = tuple(SHIPPED_ROLES)
MAY_BE_EMPTY = ("/content", "/comparison", "/pictures/{artifact_id}")
"""Addresses that answer 404 to whoever may see them too: no file was stored, and no other run has succeeded."""
PAGES = {"Accept": "text/html"}


@pytest.fixture(scope="module")
def rooms(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rooms]:
    folder: Path = tmp_path_factory.mktemp("rights")
    with served_site(folder) as site:
        made = Rooms(site)
        made.own, made.foreign = stock(site, "/finance", "open"), stock(site, "/sales", "zebra")
        made.keys = {
            role: user_with_key(site, f"finance-{role}", (role, "/finance", made.own["pool"]))
            for role in ROLES
        }
        yield made


def _has(role: str, permission: Permission | Guard | None) -> bool:
    """Say whether a role in a folder and its pool gives a right at all."""
    if not isinstance(permission, Permission):
        return permission in (Guard.SIGNED_IN, Guard.ENROLLING, Guard.RENEWING)
    rights = SHIPPED_ROLES[role]
    placed = counting_at(PlaceKind.FOLDER, rights) | counting_at(PlaceKind.POOL, rights)
    return permission in placed | (rights & {Permission.OWN_ACCOUNT})


def _send(client: httpx.Client, probe: Probe, known: dict[str, str]) -> httpx.Response:
    headers = dict(PAGES) if probe.is_page else {}
    if probe.method in ("PATCH", "PUT"):
        headers["If-Match"] = '"1"'
    extra: dict[str, Any] = (
        {"data": probe.form}
        if probe.form is not None
        else {"json": probe.body}
        if probe.body is not None
        else {}
    )
    return client.request(probe.method, probe.at(known), params=dict(probe.query), headers=headers, **extra)


def _is_placed(probe: Probe) -> bool:
    return any(name in PLACED for name in probe.parameters)


def test_the_matrix_knows_every_parameter_that_names_a_placed_thing() -> None:
    words = ("bot", "run", "attempt", "artifact", "device", "pool")
    named = {name for probe in PROBES for name in probe.parameters if name.startswith(words)}
    assert named <= set(PLACED)
    assert sum(_is_placed(probe) for probe in PROBES) > 40


@pytest.mark.parametrize("role", ROLES)
def test_what_lies_elsewhere_is_as_good_as_not_there(rooms: Rooms, role: str) -> None:
    wrong = []
    with rooms.client(role) as client:
        for probe in filter(_is_placed, PROBES):
            if probe.permission in (Guard.DEVICE, Guard.PUBLIC):
                continue
            answer = _send(client, probe, rooms.foreign)
            expected = 404 if _has(role, probe.permission) else 403
            leaks = [mark for mark in rooms.marks if mark in _without_the_question(answer, rooms)]
            if answer.status_code != expected or leaks:
                wrong.append(f"{probe} as {role}: {answer.status_code} for {expected}, shows {leaks}")
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("role", ROLES)
def test_what_lies_where_the_role_was_given_opens_to_its_rights_and_to_no_others(
    rooms: Rooms, role: str
) -> None:
    wrong = []
    with rooms.client(role) as client:
        for probe in filter(_is_placed, PROBES):
            if probe.permission in (Guard.DEVICE, Guard.PUBLIC) or probe.streams:
                continue
            if _has(role, probe.permission) and probe.method != "GET":
                continue  # would change what the others look at; the rooms' own tests do it
            status = _send(client, probe, rooms.own).status_code
            if probe.path.endswith(MAY_BE_EMPTY) and _has(role, probe.permission):
                fits = status in (200, 404, 503)
            else:
                fits = status < 400 if _has(role, probe.permission) else status == 403
            if not fits:
                wrong.append(f"{probe} as {role}: {status}")
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("role", ROLES)
def test_no_list_count_or_search_shows_what_lies_elsewhere(rooms: Rooms, role: str) -> None:
    wrong, tried = [], 0
    with rooms.client(role) as client:
        for probe in PROBES:
            if (
                probe.method != "GET"
                or probe.parameters
                or probe.streams
                or probe.permission in (Guard.PUBLIC, Guard.DEVICE)
            ):
                continue
            for query in ({}, {"filter": "zebra"}, {"words": "zebra"}, {"limit": "1"}):
                answer = client.get(
                    probe.path, params={**probe.query, **query}, headers=PAGES if probe.is_page else {}
                )
                tried += 1
                shown = _without_the_question(answer, rooms, *query.values())
                if leaks := [mark for mark in rooms.marks if mark in shown]:
                    wrong.append(f"{probe} {query} as {role}: shows {leaks}")
                if not _has(role, probe.permission) and answer.status_code != 403:
                    wrong.append(f"{probe} as {role}: {answer.status_code}")
    assert tried > 40
    assert not wrong, "\n".join(wrong)


def _without_the_question(answer: httpx.Response, rooms: Rooms, *asked: str) -> str:
    """Return an answer's text without the address and words that were sent, which it may repeat."""
    text = answer.text
    for said in (answer.request.url.path, *answer.request.url.path.split("/"), *asked):
        text = text.replace(said, "") if len(said) > 3 else text
    return text


def test_counts_count_only_what_may_be_seen(rooms: Rooms) -> None:
    with rooms.client("viewer") as client:
        overview = client.get("/api/v1/runs/overview").json()
        listed = client.get("/api/v1/runs").json()["items"]
    assert (overview["succeeded"], len(listed)) == (1, 1)


def test_a_run_is_not_asked_of_a_bot_device_or_pool_elsewhere(rooms: Rooms) -> None:
    with rooms.client("bot_runner_user") as client:

        def ask(**wanted: str) -> httpx.Response:
            return client.post("/api/v1/runs", json={"bot": "open-bot", **wanted})

        for name in ("zebra-bot", rooms.foreign["bot"], "/sales/zebra-bot"):
            assert ask(bot=name).status_code == 404
        assert ask(device="zebra-device").json()["errors"][0]["pointer"] == "/device"
        assert ask(pool=rooms.foreign["pool"]).json()["errors"][0]["pointer"] == "/pool"
        made = ask(device="open-device")
        assert made.status_code == 201
        many = client.post("/api/v1/runs/repeat", json={"ids": [rooms.foreign["run_id"]]}).json()
        assert [(each["done"], "zebra" in each["message"]) for each in many] == [(False, False)]


def test_a_bot_is_published_and_moved_only_where_one_may(rooms: Rooms) -> None:
    with rooms.client("bot_author") as client:

        def publish(name: str, folder: str) -> httpx.Response:
            query = {"name": name, "folder": folder}
            return client.post("/api/v1/bots", params=query, content=package(SCRIPT + f"# {name}{folder}"), headers={"Content-Type": "application/zip"})  # fmt: skip

        assert publish("fresh", "/sales").status_code == 403
        assert publish("fresh", "").status_code == 403
        assert publish("fresh", "/finance/monthly").status_code == 201
        assert publish("zebra-bot", "/sales").status_code == 403
        bot = client.get("/api/v1/bots/fresh")
        moved = client.patch(
            "/api/v1/bots/fresh", json={"folder": "/sales"}, headers={"If-Match": bot.headers["ETag"]}
        )
        assert moved.status_code == 403


def test_who_manages_one_pool_takes_no_other_device_into_it(rooms: Rooms) -> None:
    with rooms.client("operator") as client:
        pool = client.get(f"/api/v1/pools/{rooms.own['pool']}")
        body = {"name": "open-pool", "device_ids": [rooms.own["device"], rooms.foreign["device"]]}
        answer = client.put(
            f"/api/v1/pools/{rooms.own['pool']}", json=body, headers={"If-Match": pool.headers["ETag"]}
        )
        assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "/device_ids")
        assert client.post("/api/v1/pools", json={"name": "own"}).status_code == 403
        assert client.delete(f"/api/v1/pools/{rooms.own['pool']}").status_code == 403
        assert client.post("/api/v1/join-tokens", json={}).status_code == 403


def _watch(rooms: Rooms, path: str) -> Any:
    url = rooms.site.address.replace("http:", "ws:") + path
    return connect(url, additional_headers={"Authorization": f"Bearer {rooms.keys['viewer']}"}, proxy=None)


def test_a_live_stream_tells_only_of_what_may_be_seen(rooms: Rooms) -> None:
    site, state = rooms.site, rooms.site.app.state
    with _watch(rooms, "/api/v1/events/ws") as socket_:
        for known in (rooms.foreign, rooms.own):
            site.do(lambda known=known: state.runs.repeat(site.caller, known["run_id"], _repeat()))
        told = json.loads(socket_.recv(timeout=20))
    assert told["data"]["bot_id"] == rooms.own["bot"]


def _repeat() -> Any:
    from controlroom.runs.schemas import RepeatIn

    return RepeatIn()


def test_a_log_is_followed_only_where_it_may_be_read(rooms: Rooms) -> None:
    with _watch(rooms, f"/api/v1/attempts/{rooms.own['attempt_id']}/log/ws") as socket_:
        assert "open line" in socket_.recv(timeout=20)
    with pytest.raises(Exception, match=r"HTTP 40[34]"):
        _watch(rooms, f"/api/v1/attempts/{rooms.foreign['attempt_id']}/log/ws").__enter__()


def test_a_live_stream_ends_when_the_key_is_revoked(rooms: Rooms) -> None:
    site, state = rooms.site, rooms.site.app.state
    key = site.do(lambda: _key_of(rooms, "auditor"))
    url = rooms.site.address.replace("http:", "ws:") + "/api/v1/events/ws"
    with connect(
        url, additional_headers={"Authorization": f"Bearer {rooms.keys['auditor']}"}, proxy=None
    ) as opened:
        site.do(lambda: state.identity.api_keys.revoke(site.caller, key))
        site.do(lambda: state.runs.repeat(site.caller, rooms.own["run_id"], _repeat()))
        with pytest.raises(Exception, match=r"close|1000|1008|going away|no close frame"):
            while True:
                opened.recv(timeout=20)


async def _key_of(rooms: Rooms, role: str) -> str:
    identity = rooms.site.app.state.identity
    found = await identity.authentication.by_api_key(rooms.keys[role])
    assert found is not None
    assert found.api_key_id is not None
    return str(found.api_key_id)
