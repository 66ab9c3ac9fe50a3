"""Pages that follow what happens, in Chromium: several tabs at once, hidden ones, and what happens while a page is loading."""

import pytest
from playwright.sync_api import BrowserContext, Page, Request, expect

from controlroom.devices.models import Device
from controlroom.runs.states import State
from web.conftest import sign_in
from web.served import Site, add_device, add_run, end_run, publish, start_run

pytestmark = [pytest.mark.browser, pytest.mark.timeout(120)]

HIDE = """hidden => {
  Object.defineProperty(document, "hidden", { value: hidden, configurable: true });
  Object.defineProperty(document, "visibilityState", { value: hidden ? "hidden" : "visible", configurable: true });
  document.dispatchEvent(new Event("visibilitychange"));
}"""


@pytest.fixture(scope="module")
def device(site: Site) -> Device:
    return add_device(site, "press-7")


@pytest.fixture
def tabs(context: BrowserContext, site: Site) -> list[Page]:
    """Three tabs of one browser, signed in."""
    first = context.new_page()
    sign_in(first, site)
    return [first, context.new_page(), context.new_page()]


def fetches_of(page: Page) -> list[Request]:
    """Return the list to which each fetch that the page makes by itself is added."""
    made: list[Request] = []
    page.on("request", lambda request: made.append(request) if "x-background" in request.headers else None)
    return made


def is_live(page: Page) -> None:
    expect(page.locator(".live")).to_contain_text("Live")


def test_tabs_follow_what_happens_each_what_concerns_it(tabs: list[Page], site: Site, device: Device) -> None:
    version = publish(site)
    watched, other = (add_run(site, version, "reconcile-orders", ago_seconds=2) for _ in range(2))
    activity, of_watched, of_other = tabs
    activity.goto("/activity")
    of_watched.goto(f"/runs/{watched.id}")
    of_other.goto(f"/runs/{other.id}")
    for tab in tabs:
        is_live(tab)
    unconcerned = fetches_of(of_other)
    start_run(site, watched.id, device)
    expect(activity.locator(f'tr[data-key="{watched.id}"]')).to_contain_text("Running")
    expect(of_watched.locator(".title-state")).to_contain_text("Running")
    end_run(site, watched.id, State.FAILED, message="It could not be helped.")
    expect(activity.locator(f'tr[data-key="{watched.id}"]')).to_contain_text("It could not be helped.")
    expect(of_watched.locator(".title-state")).to_contain_text("Failed")
    assert unconcerned == []
    start_run(site, other.id, device)
    expect(of_other.locator(".title-state")).to_contain_text("Running")


def test_a_hidden_tab_fetches_nothing_and_catches_up_when_it_is_shown(
    tabs: list[Page], site: Site, device: Device
) -> None:
    version = publish(site)
    run = add_run(site, version, "reconcile-orders")
    hidden, shown, _ = tabs
    for tab in (hidden, shown):
        tab.goto("/activity")
        is_live(tab)
    hidden.evaluate(HIDE, True)
    fetched = fetches_of(hidden)
    start_run(site, run.id, device)
    expect(shown.locator(f'tr[data-key="{run.id}"]')).to_contain_text("Running")
    assert fetched == []
    expect(hidden.locator(f'tr[data-key="{run.id}"]')).to_contain_text("Queued")
    hidden.evaluate(HIDE, False)
    expect(hidden.locator(f'tr[data-key="{run.id}"]')).to_contain_text("Running")


def test_a_tab_that_was_hidden_for_long_gives_its_stream_back_and_still_catches_up(
    tabs: list[Page], site: Site, device: Device
) -> None:
    version = publish(site)
    run = add_run(site, version, "reconcile-orders")
    tab = tabs[0]
    tab.goto("/activity")
    is_live(tab)
    with tab.expect_event("requestfailed", lambda request: "/api/v1/events" in request.url):
        tab.evaluate(HIDE, True)
    start_run(site, run.id, device)
    end_run(site, run.id, State.SUCCEEDED)
    tab.evaluate(HIDE, False)
    expect(tab.locator(f'tr[data-key="{run.id}"]')).to_contain_text("Succeeded")


def test_what_happens_between_a_page_and_its_stream_is_not_lost(
    tabs: list[Page], site: Site, device: Device
) -> None:
    version = publish(site)
    run = add_run(site, version, "reconcile-orders")
    tab = tabs[0]
    tab.route(
        "**/api/v1/events*", lambda route: (start_run(site, run.id, device), route.continue_()), times=1
    )
    tab.goto("/activity")
    expect(tab.locator(f'tr[data-key="{run.id}"]')).to_contain_text("Running")


def test_the_last_of_many_changes_is_shown(tabs: list[Page], site: Site, device: Device) -> None:
    version = publish(site)
    tab = tabs[0]
    tab.goto("/activity")
    is_live(tab)
    runs = [add_run(site, version, "reconcile-orders", ago_seconds=0) for _ in range(15)]
    for run in runs:
        start_run(site, run.id, device, after_seconds=0)
        end_run(site, run.id, State.FAILED, message=f"The word of {run.id}.", after_seconds=0)
    for run in runs:
        expect(tab.locator(f'tr[data-key="{run.id}"]')).to_contain_text(f"The word of {run.id}.")


def test_what_someone_does_shows_on_their_own_page_without_waiting_for_a_turn(
    tabs: list[Page], site: Site
) -> None:
    version = publish(site)
    run = add_run(site, version, "reconcile-orders")
    tab = tabs[0]
    tab.goto(f"/runs/{run.id}")
    is_live(tab)
    for _ in range(200_000):
        site.app.state.live_budget.turn()  # as if so many pages waited, for hours
    try:
        tab.get_by_role("button", name="Cancel", exact=True).click()
        tab.get_by_role("button", name="Cancel the run").click()
        expect(tab.locator(".title-state")).to_contain_text("Cancelled")
    finally:
        site.app.state.live_budget._reserved_until = 0.0


def test_times_are_told_in_what_a_live_part_brings(tabs: list[Page], site: Site, device: Device) -> None:
    version = publish(site)
    run = add_run(site, version, "reconcile-orders")
    tab = tabs[0]
    tab.goto(f"/runs/{run.id}")
    is_live(tab)
    start_run(site, run.id, device)
    expect(tab.locator(".title-state")).to_contain_text("Running")
    times = tab.locator("time[data-ago]")
    assert times.count() > 0
    assert [each for each in times.all_text_contents() if not each.strip()] == []
    running = tab.locator("[data-since]")
    assert running.count() > 0
    assert [each for each in running.all_text_contents() if not each.strip()] == []
