"""A server that goes away and comes back under an open page: nothing that was typed is lost."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from serving import RunningServer, running_server
from web.served import SCRIPT

pytestmark = [pytest.mark.browser, pytest.mark.timeout(180)]

NAME, PASSWORD = "some_administrator", "lamps over quiet rivers"


@pytest.fixture(scope="module")
def room(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    with running_server(tmp_path_factory.mktemp("restarted")) as running:
        yield running


@pytest.fixture
def page(room: RunningServer, chromium: Browser) -> Iterator[Page]:
    context = chromium.new_context(base_url=room.url)
    context.set_default_timeout(15_000)
    opened = context.new_page()
    opened.goto("/sign-in")
    opened.get_by_label("Name").fill(NAME)
    opened.get_by_label("Password").fill(PASSWORD)
    opened.get_by_role("button", name="Sign in").click()
    opened.wait_for_url("**/dashboard")
    yield opened
    context.close()


def test_a_half_filled_form_outlives_a_server_that_is_killed(page: Page, room: RunningServer) -> None:
    bot = room.publish(SCRIPT, "reconcile-orders")["bot"]["id"]
    page.goto(f"/bots/{bot}/run")
    page.get_by_label("First day of the month").fill("2026-10-01")
    page.get_by_label("Least amount").fill("12")
    page.get_by_role("button", name="Add to tags").click()
    page.locator('[name="/inputs/tags/1"]').fill("typed before")

    room.kill_server()
    page.get_by_role("textbox", name="Mail").fill("ana@example.com")
    with page.expect_event("requestfailed"):
        page.locator(".form-end").get_by_role("button", name="Run").click()
    expect(page.get_by_label("Least amount")).to_have_value("12")
    expect(page.get_by_role("textbox", name="Mail")).to_have_value("ana@example.com")
    expect(page.locator('[name="/inputs/tags/1"]')).to_have_value("typed before")

    room.start_server()
    page.get_by_label("Region").select_option(label="north")
    button = page.locator(".form-end").get_by_role("button", name="Run")
    expect(button).to_be_enabled()
    button.click()
    page.wait_for_url("**/runs/run_*")
    with room.client() as client:
        run = client.get(f"/api/v1/runs/{page.url.rpartition('/')[2]}").json()
        runs = client.get(f"/api/v1/runs?filter=bot:{bot}").json()["items"]
    assert run["inputs"]["tags"] == ["monthly", "typed before"]
    assert run["inputs"]["contact"] == {"mail": "ana@example.com"}
    assert [each["id"] for each in runs] == [run["id"]]
