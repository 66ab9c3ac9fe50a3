"""One's own account: time zone, second factor, keys and their rotation, as a browser without script sees it."""

import re
from datetime import UTC, datetime

import httpx
import pytest

from controlroom.web.wording import exact
from web.served import Site


@pytest.fixture
def own(client: httpx.Client) -> httpx.Client:
    """The signed-in browser, with the token that its forms carry."""
    page = client.get("/me").text
    found = re.search(r'name="csrf-token" content="([^"]+)"', page)
    assert found is not None
    client.headers["X-CSRF-Token"] = found[1]
    return client


def test_times_are_told_in_the_zone_that_the_reader_chose(own: httpx.Client) -> None:
    answer = own.post("/me/time-zone", data={"time_zone": "Asia/Tokyo"})
    assert (answer.status_code, answer.headers["location"]) == (303, "/me?done=time-zone")
    page = own.get("/me?done=time-zone").text
    assert 'data-zone="Asia/Tokyo"' in page
    assert re.search(r'title="\d{4}-\d\d-\d\d \d\d:\d\d:\d\d JST"', page)
    assert "in the time zone that you chose" in page
    assert own.post("/me/time-zone", data={"time_zone": ""}).status_code == 303
    assert "data-zone" not in own.get("/me").text


def test_a_zone_that_is_none_is_said_and_kept_in_the_field(own: httpx.Client) -> None:
    for wrong in ("Europe/Nowhere", "../../etc/passwd", "<b>"):
        answer = own.post("/me/time-zone", data={"time_zone": wrong})
        assert answer.status_code == 422
        assert "There is no time zone" in answer.text
        assert "<b>" not in answer.text


def test_exact_times_name_their_zone() -> None:
    moment = datetime(2026, 7, 1, 12, tzinfo=UTC)
    assert exact(moment) == "2026-07-01 12:00:00 UTC"
    assert exact(moment, "Europe/Berlin") == "2026-07-01 14:00:00 CEST"


def test_a_key_is_rotated_and_both_are_listed(own: httpx.Client, site: Site) -> None:
    made = own.post("/me/keys", data={"name": "deploy", "days": 30, "permission": "run.read"})
    first = re.search(r"crk_[\w-]{43}", made.text)
    key = re.search(r'action="/me/keys/rotate".*?name="key" value="(key_\w+)"', made.text, re.DOTALL)
    assert first is not None
    assert key is not None
    rotated = own.post("/me/keys/rotate", data={"key": key[1]})
    second = re.search(r"crk_[\w-]{43}", rotated.text)
    assert second is not None
    assert second[0] != first[0]
    for secret in (first[0], second[0]):
        with httpx.Client(base_url=site.address, headers={"Authorization": f"Bearer {secret}"}) as program:
            assert program.get("/api/v1/runs").status_code == 200


def test_the_rights_of_a_key_say_what_they_mean(own: httpx.Client) -> None:
    page = own.get("/me").text
    assert "See runs with their inputs, outputs, logs and artifacts." in page


def test_the_second_factor_page_asks_for_the_password_again_after_a_while(
    own: httpx.Client, site: Site
) -> None:
    async def forget() -> None:
        from sqlalchemy import update

        from controlroom.identity.models import Session

        async with site.app.state.database.write() as transaction:
            await transaction.session.execute(update(Session).values(confirmed_at=None))

    assert "Add an app" in own.get("/me/second-factor").text
    site.do(forget)
    page = own.get("/me/second-factor").text
    assert "Add an app" not in page
    assert "enter your password again" in page
    wrong = own.post("/me/second-factor/confirm", data={"password": "not the password"})
    assert (wrong.status_code, "not right" in wrong.text) == (422, True)
    assert own.post("/me/second-factor/confirm", data={"password": site.password}).status_code == 303
    assert "Add an app" in own.get("/me/second-factor").text


def test_why_is_answered_on_a_page(own: httpx.Client) -> None:
    asked = {"user": "admin", "permission": "run.read", "kind": "folder", "place": "/finance"}
    yes = own.get("/administration/why", params=asked)
    assert "the role administrator, given at the root" in yes.text
    nobody = own.get("/administration/why", params={**asked, "user": "nobody"})
    assert (nobody.status_code, "There is no user" in nobody.text) == (404, True)
    no_place = own.get("/administration/why", params={**asked, "place": "finance"})
    assert (no_place.status_code, "A folder is a path" in no_place.text) == (422, True)
