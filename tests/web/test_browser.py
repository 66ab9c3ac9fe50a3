"""The UI in real headless Chromium: what only script can do, and what a screen reader would stumble over."""

from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from controlroom.devices.models import Device
from controlroom.protocol.records import Level
from controlroom.runs.states import State
from web.conftest import sign_in
from web.served import (
    Site,
    add_artifact,
    add_device,
    add_run,
    end_run,
    publish,
    start_run,
    write_log,
)

pytestmark = pytest.mark.browser

LINES = 30_000
FIRST_ERROR = 25_000


@pytest.fixture(scope="module")
def device(site: Site) -> Device:
    return add_device(site, "robot-01")


@pytest.fixture(scope="module")
def bot_id(site: Site) -> str:
    publish(site, note="The first one")
    return publish(site, _other_script(), note="The second one").bot_id


def _other_script() -> str:
    from web.served import SCRIPT

    return SCRIPT + "\nprint('again')\n"


@pytest.fixture(scope="module")
def long_run(site: Site, device: Device) -> tuple[str, str]:
    """A run that goes on, with a long log; its id and its attempt's."""
    run = add_run(site, publish(site), "reconcile-orders")
    attempt = start_run(site, run.id, device)
    texts = [
        (
            Level.ERROR if number == FIRST_ERROR else Level.WARNING if number % 100 == 0 else Level.INFO,
            f"line number {number + 1}",
        )
        for number in range(LINES)
    ]
    write_log(site, attempt, texts)
    return run.id, attempt


@pytest.fixture(scope="module")
def failed_run(site: Site, device: Device) -> str:
    run = add_run(
        site,
        publish(site),
        "reconcile-orders",
        inputs={"month": "2026-10-01", "contact": {"mail": "a@example.com"}},
    )
    attempt = start_run(site, run.id, device)
    write_log(site, attempt, [(Level.INFO, "begun"), (Level.WARNING, "odd"), (Level.ERROR, "ValueError: no")])
    add_artifact(site, run.id, "exceptions.xlsx", 18_234, "application/zip")
    end_run(site, run.id, State.FAILED, message="ValueError: no")
    return run.id


def test_a_row_changes_in_place_and_a_new_run_appears(page: Page, site: Site, device: Device) -> None:
    version = publish(site)
    run = add_run(site, version, "reconcile-orders")
    page.goto("/activity")
    row = page.locator(f'tr[data-key="{run.id}"]')
    expect(row).to_contain_text("Queued")
    expect(page.locator(".live")).to_contain_text("Live")
    row.evaluate("row => { row.mark = 'same element' }")
    start_run(site, run.id, device)
    expect(row).to_contain_text("Running")
    end_run(site, run.id, State.FAILED, message="It could not be helped.")
    expect(row).to_contain_text("It could not be helped.")
    assert row.evaluate("row => row.mark") == "same element"
    newer = add_run(site, version, "reconcile-orders", ago_seconds=0)
    expect(page.locator(f'tr[data-key="{newer.id}"]')).to_be_visible()


def test_new_runs_wait_for_a_reader_who_has_scrolled_away(page: Page, site: Site) -> None:
    version = publish(site)
    for number in range(60):
        add_run(site, version, "reconcile-orders", ago_seconds=500 - number)
    page.goto("/activity")
    expect(page.locator(".live")).to_contain_text("Live")
    page.evaluate("window.scrollTo(0, 600)")
    newer = add_run(site, version, "reconcile-orders", ago_seconds=0)
    expect(page.locator("[data-new-rows]")).to_have_text("1 new")
    assert page.locator(f'tr[data-key="{newer.id}"]').count() == 0
    page.locator("[data-new-rows]").click()
    expect(page.locator(f'tr[data-key="{newer.id}"]')).to_be_visible()


def test_the_run_form_says_errors_keeps_what_was_typed_and_goes_to_the_run(page: Page, bot_id: str) -> None:
    page.goto(f"/bots/{bot_id}/run")
    page.get_by_label("Least amount").fill("many")
    page.get_by_role("button", name="Add to tags").click()
    page.locator('[name="/inputs/tags/1"]').fill("x")
    page.locator(".form-end").get_by_role("button", name="Run").click()
    expect(page.locator(".form-error")).to_be_visible()
    expect(page.locator("#f-inputs-month-error")).to_have_text("is required")
    expect(page.get_by_label("Least amount")).to_have_value("many")
    expect(page.locator("#f-inputs-tags-1-error")).to_contain_text("at least 2 characters")
    page.get_by_label("Least amount").fill("12.5")
    expect(page.locator("#f-inputs-amount-error")).to_be_empty()
    page.get_by_role("button", name="Remove Tags 2").click()
    expect(page.locator('[name="/inputs/tags/1"]')).to_have_count(0)
    page.get_by_label("First day of the month").fill("2026-10-01")
    page.get_by_label("Region").select_option(label="3")
    page.locator(".form-end").get_by_role("button", name="Run").click()
    page.wait_for_url("**/runs/run_*")
    expect(page.locator("h1")).to_have_text("reconcile-orders")


def test_what_was_typed_outlives_a_server_that_is_away(page: Page, bot_id: str) -> None:
    page.goto(f"/bots/{bot_id}/run")
    page.get_by_label("Least amount").fill("12.5")
    page.route("**/run", lambda route: route.abort())
    page.locator(".form-end").get_by_role("button", name="Run").click()
    expect(page.locator("#notices")).to_contain_text("does not answer")
    expect(page.get_by_label("Least amount")).to_have_value("12.5")


def test_the_log_shows_only_what_is_in_sight_and_jumps_follows_and_searches(
    page: Page, site: Site, long_run: tuple[str, str]
) -> None:
    run_id, attempt = long_run
    page.goto(f"/runs/{run_id}")
    rows = page.locator(".log-line")
    expect(rows.last).to_contain_text(f"line number {LINES}")
    assert rows.count() < 100
    write_log(site, attempt, [(Level.INFO, "one more line")])
    expect(rows.last).to_contain_text("one more line")
    page.locator("[data-log-first-error]").click()
    expect(page.locator(".log-line.linked")).to_contain_text(f"line number {FIRST_ERROR + 1}")
    expect(page.locator("[data-log-follow]")).to_have_attribute("aria-pressed", "false")
    assert page.url.endswith(f"#L{FIRST_ERROR + 1}")
    page.locator("[data-log-search]").fill("number 2999")
    expect(page.locator("[data-log-count]")).to_contain_text("11 of")
    expect(rows.first.locator("mark")).to_have_text("number 2999")
    page.locator("[data-log-search]").fill("")
    page.locator("[data-log-level]").select_option("error")
    expect(page.locator("[data-log-count]")).to_contain_text("1 of")
    rows.first.locator("a").click()
    expect(page.locator(".log-line.linked")).to_contain_text(f"line number {FIRST_ERROR + 1}")
    assert rows.count() > 5


def test_a_link_to_a_line_opens_there(page: Page, long_run: tuple[str, str]) -> None:
    page.goto(f"/runs/{long_run[0]}#L1234")
    expect(page.locator(".log-line.linked")).to_contain_text("line number 1234")


def test_the_log_scrolls_by_keys_to_its_ends(page: Page, long_run: tuple[str, str]) -> None:
    page.goto(f"/runs/{long_run[0]}#L5000")
    expect(page.locator(".log-line.linked")).to_be_visible()
    page.locator("[data-log-scroll]").focus()
    page.keyboard.press("Home")
    expect(page.locator(".log-line").first).to_contain_text("line number 1")
    page.keyboard.press("End")
    expect(page.locator(".log-line").last).not_to_contain_text("line number 1 ")
    expect(page.locator("[data-log-follow]")).to_have_attribute("aria-pressed", "true")


def test_the_log_of_a_run_that_waited_appears_when_it_starts(page: Page, site: Site, device: Device) -> None:
    run = add_run(site, publish(site), "reconcile-orders")
    page.goto(f"/runs/{run.id}")
    expect(page.locator(".log-section")).to_contain_text("begins when a device takes the run")
    expect(page.locator(".live")).to_contain_text("Live")
    attempt = start_run(site, run.id, device)
    write_log(site, attempt, [(Level.INFO, "the first line")])
    expect(page.locator(".log-line")).to_contain_text("the first line")
    write_log(site, attempt, [(Level.ERROR, "the second line")])
    expect(page.locator(".log-line.log-error")).to_contain_text("the second line")
    expect(page.locator("[data-log-first-error]")).to_be_visible()


def test_lines_that_came_too_late_are_shown_apart(page: Page, site: Site, device: Device) -> None:
    run = add_run(site, publish(site), "reconcile-orders")
    attempt = start_run(site, run.id, device)
    write_log(site, attempt, [(Level.INFO, "in time")])
    end_run(site, run.id, State.LOST, message="The device was silent for too long.")
    write_log(site, attempt, [(Level.INFO, "too late")], late=True)
    page.goto(f"/runs/{run.id}")
    expect(page.locator(".log-line")).to_contain_text("in time")
    page.get_by_role("link", name="Came too late").click()
    expect(page.locator(".log-line")).to_contain_text("too late")


def test_cancelling_asks_first_and_shows_without_a_reload(page: Page, site: Site) -> None:
    run = add_run(site, publish(site), "reconcile-orders")
    page.goto(f"/runs/{run.id}")
    page.evaluate("window.mark = 'not reloaded'")
    page.get_by_role("button", name="Cancel", exact=True).click()
    dialog = page.get_by_role("dialog", name="Cancel this run")
    dialog.get_by_label("Reason").fill("Not today")
    dialog.get_by_role("button", name="Cancel the run").click()
    expect(page.locator("[data-part=state]")).to_have_text("Cancelled")
    expect(page.locator("[data-part=head]")).to_contain_text("Not today")
    assert page.evaluate("window.mark") == "not reloaded"


def test_a_refused_change_is_said_in_a_notice(page: Page, site: Site) -> None:
    run = add_run(site, publish(site), "reconcile-orders")
    page.goto(f"/runs/{run.id}")
    page.get_by_role("button", name="Cancel", exact=True).click()
    site.do(lambda: site.app.state.runs.cancel(site.caller, run.id))
    page.get_by_role("dialog", name="Cancel this run").get_by_role("button", name="Cancel the run").click()
    expect(page.locator("#notices")).to_contain_text("has ended as cancelled")


def test_the_theme_is_kept(page: Page) -> None:
    root = page.locator("html")
    page.get_by_role("button", name="Theme: system").click()
    page.get_by_role("button", name="Theme: light").click()
    expect(root).to_have_attribute("data-theme", "dark")
    dark = page.evaluate("getComputedStyle(document.documentElement).backgroundColor")
    page.reload()
    expect(root).to_have_attribute("data-theme", "dark")
    assert (
        page.evaluate("getComputedStyle(document.documentElement).backgroundColor")
        == dark
        == "rgb(16, 20, 22)"
    )


def test_keys_jump_filter_and_move(page: Page, bot_id: str) -> None:
    page.goto("/bots")
    page.keyboard.press("Control+k")
    page.keyboard.type("dev")
    expect(page.locator("#jump-results [aria-selected=true]")).to_contain_text("Devices")
    page.keyboard.press("Enter")
    page.wait_for_url("**/devices")
    page.keyboard.press("g")
    page.keyboard.press("b")
    page.wait_for_url("**/bots")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/bots/{bot_id}")
    page.goto("/activity")
    page.keyboard.press("/")
    page.keyboard.type("state:failed")
    page.keyboard.press("Enter")
    page.wait_for_url("**/activity?filter=state%3Afailed")


def test_the_live_indicator_says_when_it_reconnects(page: Page) -> None:
    page.goto("/activity")
    expect(page.locator(".live")).to_contain_text("Live")
    page.route("**/api/v1/events*", lambda route: route.abort())
    page.reload()
    expect(page.locator(".live")).to_contain_text("Reconnecting")
    page.unroute("**/api/v1/events*")
    expect(page.locator(".live")).to_contain_text("Live")


@pytest.mark.parametrize(("scheme", "width"), [("light", 1440), ("dark", 390)])
def test_no_page_has_a_serious_fault_or_overflows(
    chromium: Browser,
    site: Site,
    bot_id: str,
    failed_run: str,
    long_run: tuple[str, str],
    scheme: Any,
    width: int,
) -> None:
    opened = chromium.new_context(
        base_url=site.address,
        viewport={"width": width, "height": 900},
        color_scheme=scheme,
        reduced_motion="reduce",
    )
    page = opened.new_page()
    page.goto("/sign-in")
    faults = _faults(page, "/sign-in")
    sign_in(page, site)
    device = site.do(lambda: site.app.state.devices.get(site.caller, "robot-01"))
    paths = (
        "/activity", "/activity?filter=bot:nobody", "/activity?filter=x:y", f"/runs/{failed_run}", f"/runs/{long_run[0]}", "/bots",
        f"/bots/{bot_id}", f"/bots/{bot_id}/run", f"/bots/{bot_id}/edit", f"/bots/{bot_id}/compare", "/bots/publish",
        f"/runs/{failed_run}/compare", "/devices", f"/devices/{device.id}", "/devices/join", "/me", "/nowhere",
    )  # fmt: skip
    for path in paths:
        page.goto(path)
        faults += _faults(page, path)
        if page.evaluate("document.documentElement.scrollWidth > innerWidth"):
            faults.append(f"{path}: wider than the window")
    opened.close()
    assert faults == []


def _faults(page: Page, path: str) -> list[str]:
    page.locator("html[data-started]").wait_for()
    found = Axe().run(page).response["violations"]
    return [
        f"{path}: {fault['id']}: {node['html'][:160]}"
        for fault in found
        if fault["impact"] in ("serious", "critical")
        for node in fault["nodes"]
    ]
