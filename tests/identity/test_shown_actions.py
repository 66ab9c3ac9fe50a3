"""What a page offers can be done: nobody is shown a button or a link that answers "you may not".

One user has more rights in ``/finance`` and its pool than in ``/sales`` and its own, so that a right held somewhere is
not one held here. Every page of either place is read, and everything that it offers is tried.
"""

from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import httpx
import pytest

from controlroom.identity.permissions import SHIPPED_ROLES
from identity.stocked import Rooms, stock, user_with_key
from web.served import served_site

MORE = ("operator", "bot_author", "bot_runner_user")
PAGES = (
    "/", "/activity", "/bots", "/devices", "/pools", "/bots/{bot_id}", "/runs/{run_id}", "/devices/{device_id}",
    "/pools/{pool_id}", "/bots/{bot_id}/compare", "/runs/{run_id}/compare",
)  # fmt: skip
ACTIONS = {
    "/bots/{bot_id}/edit", "/bots/{bot_id}/run", "/runs/{run_id}/repeat", "/devices/{device_id}/mode", "/pools/{pool_id}/edit",
}  # fmt: skip


class Offers(HTMLParser):
    """Collects the addresses of the forms and links of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.forms: set[str] = set()
        self.links: set[str] = set()

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        known = dict(attributes)
        if tag == "form" and known.get("method") == "post":
            self.forms.add(known.get("action") or "")
        elif tag in ("a", "button"):
            self.links.add(known.get("href") or "")
            if known.get("formaction"):
                self.forms.add(known["formaction"] or "")


@pytest.fixture(scope="module")
def rooms(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rooms]:
    folder: Path = tmp_path_factory.mktemp("offers")
    with served_site(folder) as site:
        made = Rooms(site)
        made.own, made.foreign = stock(site, "/finance", "open"), stock(site, "/sales", "zebra")
        own, other = made.own["pool"], made.foreign["pool"]
        for role in MORE:
            made.keys[role] = user_with_key(
                site, f"more-{role}", (role, "/finance", own), ("viewer", "/sales", other)
            )
        made.keys["administrator"] = user_with_key(
            site, "all", ("administrator", "/finance", own), ("administrator", "/sales", other)
        )
        yield made


def offered(client: httpx.Client, known: dict[str, str]) -> Offers:
    found = Offers()
    for path in PAGES:
        answer = client.get(path.format(**known), headers={"Accept": "text/html"})
        if answer.status_code not in (403, 404):
            assert answer.status_code < 400, (path, answer.status_code)
            found.feed(answer.text)
    return found


@pytest.mark.parametrize("place", ["own", "foreign"])
@pytest.mark.parametrize("role", MORE)
def test_nothing_is_offered_that_answers_403(rooms: Rooms, role: str, place: str) -> None:
    known = rooms.own if place == "own" else rooms.foreign
    wrong, tried = [], 0
    with rooms.client(role) as client:
        found = offered(client, known)
        here = [value for name, value in known.items() if name.endswith("_id")]
        for path in sorted(found.forms | found.links):
            if not path.startswith("/") or path.startswith(("/static", "/sign-out", "/me")):
                continue
            is_form = path in found.forms
            if is_form and not any(value in path for value in here):
                continue
            answer = (
                client.post(path, data={"revision": "999"}, headers={"Accept": "text/html"})
                if is_form
                else client.get(path, headers={"Accept": "text/html"})
            )
            tried += 1
            if answer.status_code == 403:
                wrong.append(f"{'POST' if is_form else 'GET'} {path}")
    assert tried > 5
    assert not wrong, "\n".join(wrong)


def test_who_has_the_rights_is_offered_every_action_in_both_places(rooms: Rooms) -> None:
    with rooms.client("administrator") as client:
        for known in (rooms.own, rooms.foreign):
            found = offered(client, known)
            missing = [path for path in ACTIONS if path.format(**known) not in found.forms | found.links]
            assert not missing


@pytest.mark.parametrize("role", MORE)
def test_forms_of_what_may_not_be_done_here_are_not_shown(rooms: Rooms, role: str) -> None:
    with rooms.client(role) as client:
        for path in ("/bots/{bot_id}/run", "/bots/{bot_id}/edit"):
            assert (
                client.get(path.format(**rooms.foreign), headers={"Accept": "text/html"}).status_code == 403
            )


def test_a_run_form_offers_the_pools_and_devices_that_may_be_used(rooms: Rooms) -> None:
    with rooms.client("bot_runner_user") as client:
        text = client.get(f"/bots/{rooms.own['bot_id']}/run", headers={"Accept": "text/html"}).text
    assert rooms.own["pool"] in text
    assert rooms.own["device"] in text
    assert rooms.foreign["pool"] not in text
    assert rooms.foreign["device"] not in text


def test_a_bulk_action_counts_only_runs_that_it_may_change(rooms: Rooms) -> None:
    ids = [rooms.own["run_id"], rooms.foreign["run_id"]]
    with rooms.client("bot_author") as client:
        told = client.post("/api/v1/runs/repeat/summary", json={"ids": ids})
        if told.status_code == 404:
            told = client.post("/activity/repeat", data={"id": ids}, headers={"Accept": "text/html"})
        assert "1 is not yours to change and stays" in told.text
        by_filter = client.post("/api/v1/runs/repeat", json={"filter": ""}).json()
    assert all(each["done"] for each in by_filter)


def test_the_roles_tried_are_those_that_may_change_something() -> None:
    assert set(MORE) <= set(SHIPPED_ROLES)
