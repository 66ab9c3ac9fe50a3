"""A served Control Room for the whole module, and browsers that look at it."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from servers.programs import required_program
from web.served import NAME, Site, served_site

SWITCHES = (
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder: Path = tmp_path_factory.mktemp("site")
    with served_site(folder) as served:
        yield served


@pytest.fixture
def client(site: Site) -> Iterator[httpx.Client]:
    """A browser without script, signed in; it follows no redirects."""
    with httpx.Client(base_url=site.address, headers={"Accept": "text/html"}, timeout=30) as opened:
        answer = opened.post("/sign-in", data={"name": NAME, "password": site.password})
        assert answer.status_code == 303
        yield opened


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    program = required_program("chromium", "chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=list(SWITCHES))
        yield browser
        browser.close()


@pytest.fixture
def context(chromium: Browser, site: Site) -> Iterator[BrowserContext]:
    opened = chromium.new_context(
        base_url=site.address, viewport={"width": 1440, "height": 900}, color_scheme="light"
    )
    opened.set_default_timeout(15_000)
    yield opened
    opened.close()


@pytest.fixture
def page(context: BrowserContext, site: Site) -> Iterator[Page]:
    """A signed-in page; what the browser refuses or throws fails the test."""
    opened = context.new_page()
    problems: list[str] = []
    opened.on("pageerror", lambda error: problems.append(str(error)))
    opened.on(
        "console",
        lambda message: problems.append(message.text) if "Content Security Policy" in message.text else None,
    )
    sign_in(opened, site)
    yield opened
    assert problems == []


def sign_in(opened: Page, site: Site) -> None:
    opened.goto("/sign-in")
    opened.get_by_label("Name").fill(NAME)
    opened.get_by_label("Password").fill(site.password)
    opened.get_by_role("button", name="Sign in").click()
    opened.wait_for_url("**/dashboard")
