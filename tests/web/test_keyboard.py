"""The five main tasks by keyboard alone, in Chromium: no click, no tap, and the focus always in sight."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from controlroom.devices.models import DeviceMode
from controlroom.runs.states import State
from web.served import NAME, Site, served_site
from web.stocked import Stocked, stock

pytestmark = pytest.mark.browser

_MOST_STEPS = 80
_FOCUSED = """() => {
  const it = document.activeElement;
  if (!it || it === document.body) return null;
  const box = it.getBoundingClientRect();
  const style = getComputedStyle(it);
  const marked = style.outlineStyle !== 'none' || style.boxShadow !== 'none' || it.matches('.skip, [data-log-scroll], dialog');
  return { words: (it.getAttribute('aria-label') || it.labels?.[0]?.textContent || it.textContent || '').trim().replace(/\\s+/g, ' '),
           seen: box.width > 0 && box.height > 0 && (marked || it.closest('.filter, .jump, dialog') !== null) };
}"""


@pytest.fixture(scope="module")
def room(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with served_site(tmp_path_factory.mktemp("keyboard")) as served:
        yield served


@pytest.fixture(scope="module")
def known(room: Site) -> Stocked:
    return stock(room, past_runs=12)


@pytest.fixture
def keys(chromium: Browser, room: Site, known: Stocked) -> Iterator[Page]:
    """A page on which someone has signed in, with keys only."""
    context = chromium.new_context(base_url=room.address, viewport={"width": 1440, "height": 900})
    context.set_default_timeout(30_000)
    page = context.new_page()
    page.goto("/sign-in")
    page.keyboard.type(NAME)
    page.keyboard.press("Tab")
    page.keyboard.type(room.password)
    page.keyboard.press("Enter")
    page.wait_for_url("**/dashboard")
    ready(page)
    yield page
    context.close()


def ready(page: Page) -> None:
    page.locator("html[data-started]").wait_for()


def reach(page: Page, words: str, *, key: str = "Tab") -> None:
    """Press Tab until what has the focus is called so; it must be in sight then, and marked."""
    passed = []
    for _ in range(_MOST_STEPS):
        page.keyboard.press(key)
        focused = page.evaluate(_FOCUSED)
        if focused is None:
            continue
        passed.append(focused["words"][:40])
        if focused["words"] == words or focused["words"].startswith(f"{words} "):
            assert focused["seen"], f"'{words}' has the focus and does not show it"
            return
    raise AssertionError(f"'{words}' is not reached by {key}; passed {passed}")


def test_signing_in_begins_in_the_first_field_and_ends_on_the_dashboard(keys: Page) -> None:
    expect(keys.locator("h1")).to_have_text("Dashboard")
    keys.keyboard.press("Tab")
    assert keys.evaluate(_FOCUSED)["words"].lower().startswith("skip")


def test_a_failed_run_is_found_and_its_first_error_jumped_to(keys: Page, known: Stocked) -> None:
    keys.keyboard.press("g")
    keys.keyboard.press("a")
    keys.wait_for_url("**/activity")
    ready(keys)
    keys.keyboard.press("/")
    keys.keyboard.type("state:failed bot:vendor-portal-sync")
    keys.keyboard.press("Enter")
    keys.wait_for_url("**/activity?filter=*")
    ready(keys)
    expect(keys.locator("tbody tr").first).to_contain_text("Failed")
    keys.evaluate("document.activeElement.blur()")
    keys.keyboard.press("ArrowDown")
    keys.keyboard.press("Enter")
    keys.wait_for_url(f"**/runs/{known.failed_run}")
    ready(keys)
    keys.locator(".log-line").first.wait_for()
    reach(keys, "First error")
    keys.keyboard.press("Enter")
    expect(keys.locator(".log-line.linked")).to_contain_text("TimeoutError")


def test_a_bot_is_run_with_inputs(keys: Page) -> None:
    keys.keyboard.press("Control+k")
    keys.locator("dialog[open]").wait_for()
    keys.keyboard.type("reconcile")
    expect(keys.locator("#jump-results [aria-selected=true]")).to_contain_text("reconcile-orders")
    keys.keyboard.press("Enter")
    keys.wait_for_url("**/bots/bot_*")
    ready(keys)
    reach(keys, "Run")
    keys.keyboard.press("Enter")
    keys.wait_for_url("**/run")
    ready(keys)
    reach(keys, "First day of the month")
    keys.keyboard.type("10012026")
    reach(keys, "Region")
    keys.keyboard.type("south")
    reach(keys, "Least amount")
    keys.keyboard.type("12.5")
    keys.keyboard.press("Enter")
    keys.wait_for_url("**/runs/run_*")
    ready(keys)
    expect(keys.locator("h1")).to_have_text("reconcile-orders")


def test_a_run_is_cancelled(keys: Page, room: Site, known: Stocked) -> None:
    keys.goto(f"/runs/{known.queued_run}")
    ready(keys)
    reach(keys, "Cancel")
    keys.keyboard.press("Enter")
    dialog = keys.get_by_role("dialog", name="Cancel this run")
    expect(dialog).to_be_visible()
    reach(keys, "Cancel the run")
    keys.keyboard.press("Enter")
    expect(keys.locator("[data-part=state]")).to_have_text("Cancelled")
    run = room.do(lambda: room.app.state.runs.get(room.caller, known.queued_run))
    assert run.state is State.CANCELLED


def test_a_device_is_drained(keys: Page, room: Site, known: Stocked) -> None:
    keys.keyboard.press("g")
    keys.keyboard.press("d")
    keys.wait_for_url("**/devices")
    ready(keys)
    keys.keyboard.press("/")
    keys.keyboard.type("robot-02")
    keys.keyboard.press("Enter")
    keys.wait_for_url("**/devices?filter=*")
    ready(keys)
    keys.evaluate("document.activeElement.blur()")
    keys.keyboard.press("ArrowDown")
    keys.keyboard.press("Enter")
    keys.wait_for_url("**/devices/dev_*")
    ready(keys)
    reach(keys, "Drain")
    keys.keyboard.press("Enter")
    expect(keys.locator("main")).to_contain_text("Draining")
    device = room.do(lambda: room.app.state.devices.get(room.caller, known.device_id))
    assert device.mode is DeviceMode.DRAINING
