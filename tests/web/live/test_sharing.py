"""A live part is rendered once for all who may see the same, and reaches nobody else; each gets it with their own token."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from controlroom.bots.service import Edit
from controlroom.foundation import outbox
from controlroom.identity.permissions import SHIPPED_ROLES
from controlroom.identity.places import PlaceKind
from controlroom.server.live.events import EventHub
from controlroom.web.live.parts import LiveParts
from identity.stocked import Rooms, stock, user_with_key
from web.served import NAME, add_device, add_run, publish, served_site, start_run

PASSWORD = "lamps over quiet rivers"
LISTS = ("/activity", "/activity?filter=state:succeeded", "/bots", "/devices", "/pools", "/dashboard")
PLACED = ("/runs/{run_id}", "/devices/{device_id}", "/bots/{bot_id}", "/pools/{pool_id}")


@pytest.fixture(scope="module")
def rooms(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rooms]:
    folder: Path = tmp_path_factory.mktemp("sharing")
    with served_site(folder) as site:
        made = Rooms(site)
        made.own, made.foreign = stock(site, "/finance", "open"), stock(site, "/sales", "zebra")
        made.keys = {
            role: user_with_key(site, f"finance-{role}", (role, "/finance", made.own["pool"]))
            for role in SHIPPED_ROLES
        }
        yield made


@pytest.fixture
def admin(rooms: Rooms) -> Iterator[httpx.Client]:
    with signed_in(rooms, NAME, rooms.site.password) as client:
        yield client


@contextmanager
def signed_in(rooms: Rooms, name: str, password: str) -> Iterator[httpx.Client]:
    with httpx.Client(
        base_url=rooms.site.address, headers={"Accept": "text/html"}, timeout=30, trust_env=False
    ) as client:
        assert client.post("/sign-in", data={"name": name, "password": password}).status_code == 303
        yield client


def hire(rooms: Rooms, name: str, *roles: str) -> None:
    identity = rooms.site.app.state.identity
    rooms.site.do(
        lambda: identity.accounts.create(rooms.site.caller, name=name, roles=list(roles), password=PASSWORD)
    )


def live(
    client: httpx.Client, rooms: Rooms, address: str, known: int | None = None, **more: str
) -> httpx.Response:
    """Fetch an address as its open page does."""
    position = rooms.site.app.state.events.position if known is None else known
    return client.get(address, headers={"X-Background": "live", "X-Live-Position": str(position), **more})


def parts_of(rooms: Rooms) -> LiveParts:
    found: LiveParts = rooms.site.app.state.live_parts
    return found


@pytest.mark.parametrize("role", SHIPPED_ROLES)
def test_what_was_rendered_for_others_reaches_nobody_with_other_rights(
    rooms: Rooms, admin: httpx.Client, role: str
) -> None:
    """Those who see everything fetch first, so that their renderings lie there to be given to the wrong one."""
    addresses = [*LISTS, *(path.format(**place) for path in PLACED for place in (rooms.own, rooms.foreign))]
    assert all(live(admin, rooms, address).status_code == 200 for address in addresses)
    assert "zebra" in live(admin, rooms, "/activity").text
    with rooms.client(role) as client:
        client.headers["Accept"] = "text/html"
        for address in addresses:
            plain, fetched = client.get(address), live(client, rooms, address)
            assert fetched.status_code == plain.status_code, address
            said = fetched.text.replace(
                address.rpartition("/")[2], ""
            )  # an error page repeats what was asked for
            assert not [mark for mark in rooms.marks if mark in said], address


def test_a_part_is_withheld_as_soon_as_the_right_to_it_is_taken_and_given_with_the_right(
    rooms: Rooms,
) -> None:
    accounts = rooms.site.app.state.identity.accounts
    assignments = rooms.site.app.state.identity.assignments
    hire(rooms, "comes-and-goes", "viewer")
    user = rooms.site.do(lambda: accounts.by_name("comes-and-goes"))
    with signed_in(rooms, "comes-and-goes", PASSWORD) as client:
        assert "zebra" in live(client, rooms, "/activity").text
        known = rooms.site.app.state.events.position
        rooms.site.do(lambda: accounts.edit(rooms.site.caller, user.id, roles=[]))
        assert live(client, rooms, "/activity", known).status_code == 403
        rooms.site.do(
            lambda: assignments.give(
                rooms.site.caller, user=user.name, role="viewer", kind=PlaceKind.FOLDER, place="/finance"
            )
        )
        allowed = live(client, rooms, "/activity", known)
    assert allowed.status_code == 200
    assert "open-bot" in allowed.text
    assert "zebra" not in allowed.text


def test_a_part_is_made_anew_when_a_bot_moves_out_of_sight(rooms: Rooms) -> None:
    """The page knows of nothing newer, and its rights are as they were; only what they reach has changed."""
    site = rooms.site
    moving = stock(site, "/finance", "wanders")
    with rooms.client("viewer") as client:
        client.headers["Accept"] = "text/html"
        known = site.app.state.events.position
        assert "wanders-bot" in live(client, rooms, "/activity", known).text
        before = site.app.state.events.sight

        async def move() -> int:
            bots, events = site.app.state.bots, site.app.state.events
            turn = events.turn
            await bots.edit(
                site.caller, moving["bot_id"], Edit(folder="/sales"), check_revision=lambda _: None
            )
            while events.sight == before:
                await turn.wait()
                turn = events.turn
            return int(events.sight)

        assert site.do(move) > before
        assert "wanders-bot" not in live(client, rooms, "/activity", known).text


def test_people_with_the_same_rights_get_one_rendering_each_with_their_own_token(rooms: Rooms) -> None:
    hire(rooms, "first", "operator")
    hire(rooms, "second", "operator")
    path = f"/devices/{rooms.own['device_id']}"
    with signed_in(rooms, "first", PASSWORD) as first, signed_in(rooms, "second", PASSWORD) as second:
        pages = [client.get(path).text for client in (first, second)]
        tokens = [re.search(r'name="csrf-token" content="([^"]+)"', page) for page in pages]
        answers = [live(client, rooms, path) for client in (first, second)]
    assert answers[0].headers["etag"] == answers[1].headers["etag"]
    mark = parts_of(rooms)._csrf_mark
    for own, other, answer in zip(tokens, tokens[::-1], answers, strict=True):
        assert own is not None
        assert other is not None
        assert own[1] in answer.text
        assert other[1] not in answer.text
        assert mark not in answer.text


def test_a_part_holds_nothing_of_the_person_it_was_rendered_for(rooms: Rooms) -> None:
    site = rooms.site
    hire(rooms, "unmistakable", "administrator")
    user = site.do(lambda: site.app.state.identity.accounts.by_name("unmistakable"))
    with signed_in(rooms, "unmistakable", PASSWORD) as client:
        made = client.post(
            "/filters",
            data={
                "list_name": "runs", "name": "my own filter", "filter": "state:failed", "back": "/activity",
                "csrf_token": _token(client),
            },
        )  # fmt: skip
        assert made.status_code == 303
        assert "my own filter" in client.get("/activity").text
        for address in LISTS:
            answer = live(client, rooms, address)
            assert [word for word in ("my own filter", user.id, "unmistakable") if word in answer.text] == []
    for part in parts_of(rooms)._kept.values():
        assert b"my own filter" not in part.body


def _token(client: httpx.Client) -> str:
    found = re.search(r'name="csrf-token" content="([^"]+)"', client.get("/activity").text)
    assert found is not None
    return found[1]


def test_a_page_that_speaks_to_one_person_is_shared_by_nobody_else(rooms: Rooms, admin: httpx.Client) -> None:
    site = rooms.site
    hire(rooms, "asks", "administrator")
    version = publish(site, name="asked-for")
    run = add_run(site, version, "asked-for")
    with signed_in(rooms, "asks", PASSWORD) as other:
        assert live(admin, rooms, f"/runs/{run.id}").status_code == 200
        assert live(other, rooms, f"/runs/{run.id}").status_code == 200
    people = {key.person for key in parts_of(rooms)._kept if key.address.startswith(f"/runs/{run.id}")}
    assert len(people) == 2
    assert "" not in people


def test_a_page_never_gets_what_is_older_than_what_it_knows(rooms: Rooms, admin: httpx.Client) -> None:
    site = rooms.site
    version = publish(site, name="moves-on")
    run = add_run(site, version, "moves-on")
    site.do(lambda: _all_read(site.app.state.events))
    assert "Queued" in _row_of(run.id, live(admin, rooms, "/activity?filter=bot:moves-on"))
    device = add_device(site, "for-what-moves-on")
    start_run(site, run.id, device)
    known = site.do(lambda: _all_read(site.app.state.events))
    answer = live(admin, rooms, "/activity?filter=bot:moves-on", known)
    assert "Running" in _row_of(run.id, answer)
    assert int(answer.headers["x-live-position"]) >= known


def _row_of(run_id: str, answer: httpx.Response) -> str:
    return answer.text.partition(f'data-key="{run_id}"')[2].partition("</tr>")[0]


async def _all_read(events: EventHub) -> int:
    """Wait until the node has read all that happened; return the position of the last."""
    async with events._database.read() as session:
        last = await outbox.last_position(session)
    turn = events.turn
    while events.position < last:
        await turn.wait()
        turn = events.turn
    return last


def test_who_must_choose_a_password_first_is_sent_there_whatever_lies_ready(rooms: Rooms) -> None:
    """Until then they have no rights; a part lies there that was rendered for someone who has none for good."""
    accounts = rooms.site.app.state.identity.accounts
    hire(rooms, "has-no-roles")
    with signed_in(rooms, "has-no-roles", PASSWORD) as client:
        assert live(client, rooms, "/dashboard").status_code == 200
    made = rooms.site.do(
        lambda: accounts.create(rooms.site.caller, name="is-new", roles=["viewer"], password=None)
    )
    with signed_in(rooms, "is-new", made.generated) as client:
        answer = live(client, rooms, "/dashboard")
    assert (answer.status_code, answer.headers.get("location")) == (303, "/me/new-password")


def test_an_unchanged_part_is_not_sent_again(rooms: Rooms, admin: httpx.Client) -> None:
    first = live(admin, rooms, "/pools")
    again = live(admin, rooms, "/pools", **{"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


def test_columns_that_someone_chose_are_theirs(rooms: Rooms, admin: httpx.Client) -> None:
    usual = live(admin, rooms, "/activity").text
    chosen = live(admin, rooms, "/activity", Cookie=f"{_cookies(admin)}; controlroom_columns_runs=id").text
    assert rooms.own["run_id"] in chosen
    assert chosen.count("<th ") < usual.count("<th ")
    assert live(admin, rooms, "/activity").text == usual


def _cookies(client: httpx.Client) -> str:
    return "; ".join(f"{name}={value}" for name, value in client.cookies.items())


@pytest.mark.parametrize("told", ["", "-1", "x", "9" * 30, "1e3", "²"])
def test_a_position_that_is_none_gets_a_page_of_ones_own(
    rooms: Rooms, admin: httpx.Client, told: str
) -> None:
    headers = {"X-Background": "live", "X-Live-Position": told.encode("utf-8")}
    answer = admin.get("/activity", headers=headers)  # type: ignore[arg-type]  # bytes are a value too
    assert answer.status_code == 200
    assert "x-live-position" not in answer.headers


def test_a_position_from_the_future_is_answered_and_kept_for_nobody(
    rooms: Rooms, admin: httpx.Client
) -> None:
    answer = live(admin, rooms, "/bots?filter=open", 2**62)
    assert answer.status_code == 200
    assert not any(key.address == "/bots?filter=open" for key in parts_of(rooms)._kept)


def test_security_headers_stand_on_what_was_there_too(rooms: Rooms, admin: httpx.Client) -> None:
    for answer in (live(admin, rooms, "/devices"), live(admin, rooms, "/devices")):
        assert "Content-Security-Policy" in answer.headers
        assert answer.headers["Cache-Control"] == "no-store"
        assert "X-Request-Id" in answer.headers
