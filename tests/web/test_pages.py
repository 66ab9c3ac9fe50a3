"""Pages as plain HTTP: rights, redirects, errors as pages, forms that lose nothing. Against the whole server."""

import re

import httpx
import pytest

from controlroom.runs.states import State
from web.served import Site, add_device, add_run, end_run, publish, start_run


@pytest.fixture(scope="module")
def bot_id(site: Site) -> str:
    return publish(site).bot_id


def _token(client: httpx.Client) -> str:
    found = re.search(r'name="csrf-token" content="([^"]+)"', client.get("/me").text)
    assert found
    return found[1]


def test_a_page_sends_a_stranger_to_sign_in_and_back(site: Site) -> None:
    with httpx.Client(base_url=site.address, headers={"Accept": "text/html"}) as stranger:
        answer = stranger.get("/bots?filter=x")
        assert (answer.status_code, answer.headers["location"]) == (303, "/sign-in?next=%2Fbots%3Ffilter%3Dx")
        signed_in = stranger.post(
            "/sign-in", data={"name": "admin", "password": site.password, "next": "/bots?filter=x"}
        )
        assert signed_in.headers["location"] == "/bots?filter=x"


@pytest.mark.parametrize("wanted", ["https://evil.example", "//evil.example", "/\\evil.example"])
def test_signing_in_leads_to_no_other_host(site: Site, wanted: str) -> None:
    form = {"name": "admin", "password": site.password, "next": wanted}
    assert httpx.post(f"{site.address}/sign-in", data=form).headers["location"] == "/"


def test_a_wrong_password_keeps_the_name_and_says_what_is_wrong(site: Site) -> None:
    answer = httpx.post(f"{site.address}/sign-in", data={"name": "admin", "password": "wrong"})
    assert answer.status_code == 401
    assert 'value="admin"' in answer.text
    assert "The name or the password is not right." in answer.text


@pytest.mark.parametrize(
    "path",
    [
        "/activity",
        "/bots",
        "/devices",
        "/devices/join",
        "/me",
        "/jump?words=rec",
        "/activity?filter=state:failed&sort=created",
    ],
)
def test_pages_answer(client: httpx.Client, bot_id: str, path: str) -> None:
    answer = client.get(path)
    assert answer.status_code == 200
    assert answer.headers["content-security-policy"].startswith("default-src 'self'")
    assert "unsafe" not in answer.headers["content-security-policy"]


def test_a_filter_that_cannot_stand_is_kept_and_explained(client: httpx.Client) -> None:
    answer = client.get("/activity", params={"filter": "stat:failed"})
    assert answer.status_code == 422
    assert 'value="stat:failed"' in answer.text
    assert "There is no field &#39;stat&#39;" in answer.text


def test_what_is_not_there_is_a_page_for_people_and_a_problem_for_programs(client: httpx.Client) -> None:
    page = client.get("/runs/run_nothing")
    assert (page.status_code, "There is no run" in page.text, "<h1>" in page.text) == (404, True, True)
    assert client.get("/nowhere").headers["content-type"].startswith("text/html")
    assert client.get("/api/v1/runs/run_nothing").headers["content-type"] == "application/problem+json"


def test_a_failing_part_of_a_page_becomes_a_notice(client: httpx.Client) -> None:
    answer = client.get("/runs/run_nothing", headers={"HX-Request": "true"})
    assert answer.headers["hx-retarget"] == "#notices"
    assert "<html" not in answer.text


def test_a_crash_is_a_page_that_tells_nothing_of_the_inside(client: httpx.Client, site: Site) -> None:
    async def breaks() -> None:
        raise RuntimeError("a secret of the inside")

    site.app.add_api_route("/breaks", breaks, include_in_schema=False)
    answer = client.get("/breaks")
    assert (answer.status_code, "Something went wrong here" in answer.text) == (500, True)
    assert "a secret of the inside" not in answer.text
    assert re.search(r"<code>req_\w+</code>", answer.text)
    assert answer.headers["content-security-policy"].startswith("default-src 'self'")


def test_a_change_without_the_token_is_refused(client: httpx.Client, bot_id: str) -> None:
    assert client.post("/devices/join", data={"note": "x"}).status_code == 403
    assert client.post(f"/bots/{bot_id}/run", data={}).status_code == 403


def test_the_run_form_asks_for_a_run_once_however_often_it_is_sent(client: httpx.Client, bot_id: str) -> None:
    form = {
        "csrf_token": _token(client),
        "key": "f" * 32,
        "/inputs/month": "2026-10-01",
        "/inputs/region": '"north"',
        "/inputs/amount": "12,5",
        "/inputs/copies": "2",
        "priority": "70",
        "labels": "nobody-has-this",
    }
    first = client.post(f"/bots/{bot_id}/run", data=form)
    second = client.post(f"/bots/{bot_id}/run", data=form)
    assert (first.status_code, second.status_code) == (303, 303)
    assert first.headers["location"] == second.headers["location"]
    run = client.get(f"/api/v1{first.headers['location']}").json()
    assert run["inputs"] == {
        "month": "2026-10-01",
        "region": "north",
        "amount": 12.5,
        "copies": 2,
        "strict": False,
        "tags": ["monthly"],
    }
    assert run["priority"] == 70
    page = client.get(first.headers["location"]).text
    assert "Queued" in page
    assert "nobody-has-this" in page


def test_the_run_form_says_errors_at_their_fields_and_keeps_what_was_typed(
    client: httpx.Client, bot_id: str
) -> None:
    form = {
        "csrf_token": _token(client), "/inputs/amount": "twelve", "/inputs/tags#count": "2", "/inputs/tags/0": "monthly",
        "/inputs/tags/1": "x", "/inputs/contact/mail": "nobody", "priority": "900", "reason": "Because <b>",
    }  # fmt: skip
    answer = client.post(f"/bots/{bot_id}/run", data=form)
    assert answer.status_code == 422
    for typed in ("twelve", 'value="x"', 'value="nobody"', 'value="900"', "Because &lt;b&gt;"):
        assert typed in answer.text
    answer = client.post(f"/bots/{bot_id}/run", data={**form, "priority": "50"})
    for name in ("month", "region", "amount", "tags-1", "contact-mail"):
        assert re.search(rf'id="f-inputs-{name}-error"[^>]*><svg', answer.text), name


def test_lists_grow_and_shrink_without_losing_anything(client: httpx.Client, bot_id: str) -> None:
    form = {
        "csrf_token": _token(client),
        "/inputs/tags#count": "1",
        "/inputs/tags/0": "kept",
        "/inputs/amount": "odd",
        "_action": "add:/inputs/tags",
    }
    grown = client.post(f"/bots/{bot_id}/run", data=form).text
    assert 'name="/inputs/tags#count" value="2"' in grown
    assert 'value="kept"' in grown
    assert 'value="odd"' in grown
    assert 'aria-invalid="true"' not in grown


def test_running_again_takes_the_inputs_of_the_run(client: httpx.Client, site: Site) -> None:
    version = publish(site)
    device = add_device(site, "robot-repeat")
    run = add_run(
        site,
        version,
        "reconcile-orders",
        inputs={"month": "2026-09-01", "region": 3, "amount": 7, "strict": False},
    )
    start_run(site, run.id, device)
    end_run(site, run.id, State.FAILED, message="The invoice 4711 is missing.")
    page = client.get(f"/bots/{version.bot_id}/run", params={"repeats": run.id}).text
    assert 'value="2026-09-01"' in page
    assert '<option value="3" selected>' in page
    answer = client.post(f"/runs/{run.id}/repeat", data={"csrf_token": _token(client)})
    again = client.get(f"/api/v1{answer.headers['location']}").json()
    assert (again["inputs"]["region"], again["repeats_run_id"]) == (3, run.id)


def test_a_join_token_is_shown_once_with_its_command(client: httpx.Client) -> None:
    form = {"csrf_token": _token(client), "note": "A robot", "labels": "linux, excel", "valid_minutes": "30"}
    answer = client.post("/devices/join", data=form)
    assert re.search(r"crj_[\w-]{40,}", answer.text)
    assert "controlroom runner join http://127.0.0.1" in answer.text
    wrong = client.post("/devices/join", data={**form, "valid_minutes": "soon"})
    assert (wrong.status_code, 'value="soon"' in wrong.text) == (422, True)


def test_a_device_is_drained_and_a_stale_change_is_refused(client: httpx.Client, site: Site) -> None:
    device = add_device(site, "robot-drain")
    form = {"csrf_token": _token(client), "mode": "draining", "revision": "1"}
    assert client.post(f"/devices/{device.id}/mode", data=form).status_code == 303
    assert "Draining" in client.get(f"/devices/{device.id}").text
    assert client.post(f"/devices/{device.id}/mode", data=form).status_code == 412


def test_the_menu_and_the_buttons_hold_what_the_caller_may(site: Site, bot_id: str) -> None:
    password = "lamps over quiet rivers"
    site.do(
        lambda: site.app.state.identity.accounts.create(
            site.caller, name="vera", roles=["bot_runner_user"], password=password
        )
    )
    with httpx.Client(base_url=site.address, headers={"Accept": "text/html"}) as client:
        client.post("/sign-in", data={"name": "vera", "password": password})
        page = client.get("/activity").text
        assert 'href="/devices"' not in page
        assert client.get("/devices").status_code == 403
        assert "Make current" not in client.get(f"/bots/{bot_id}").text
        assert client.get(f"/bots/{bot_id}/run").status_code == 200


def test_what_people_write_is_never_markup(client: httpx.Client, site: Site) -> None:
    version = publish(site)
    run = add_run(site, version, "<script>alert(1)</script>", inputs={"<b>": "<img src=x>"})
    page = client.get(f"/runs/{run.id}").text
    assert "<script>alert" not in page
    assert "<img src=x>" not in page
    assert "&lt;img src=x&gt;" in page
