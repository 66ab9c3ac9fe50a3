"""Every page, found from the routes: it opens without a fault, says nothing in the console, asks no other host and is small."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, Request, expect

from controlroom.foundation.settings import Settings
from controlroom.identity.route_audit import route_permissions
from controlroom.server.app import create_app
from web.conftest import sign_in
from web.served import Site, served_site
from web.stocked import Stocked, stock

pytestmark = pytest.mark.browser

MOST_BYTES = 200_000
_NOT_PAGES = ("/api/", "/static/", "/health/", "/metrics", "/runner/")
_ANSWERS = {
    "/",
    "/administration",
    "/jump",
    "/network/rules/download",
    "/runs/{run_id}/pictures/{artifact_id}",
    "/devices/join/{token_id}",
}
"""Routes that send on, or give a part of a page."""
_PARAMETER = re.compile(r"{(\w+)}")
_STATES = (
    "/activity?filter=bot:nobody",
    "/activity?filter=colour:red",
    "/audit?filter=actor:nobody",
    "/dashboard?period=fortnight",
    "/nowhere",
)


def page_paths() -> list[str]:
    """Return the paths of all pages, as their routes have them."""
    routes = route_permissions(create_app(Settings()))
    paths = {route.path for route in routes if "GET" in route.methods}
    return sorted(path for path in paths if not path.startswith(_NOT_PAGES) and path not in _ANSWERS)


PATHS = page_paths()


@pytest.fixture(scope="module")
def room(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with served_site(tmp_path_factory.mktemp("every-page")) as served:
        yield served


@pytest.fixture(scope="module")
def known(room: Site) -> Stocked:
    return stock(room, past_runs=20)


@pytest.fixture(scope="module")
def signed_in(chromium: Browser, room: Site, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file with the cookies of an administrator."""
    path: Path = tmp_path_factory.mktemp("cookies") / "state.json"
    context = chromium.new_context(base_url=room.address)
    sign_in(context.new_page(), room)
    context.storage_state(path=path)
    context.close()
    return path


@pytest.fixture
def fresh(chromium: Browser, room: Site, signed_in: Path) -> Iterator[BrowserContext]:
    """A browser that has seen no page yet, with an administrator's cookies."""
    opened = chromium.new_context(
        base_url=room.address,
        storage_state=signed_in,
        viewport={"width": 1440, "height": 900},
        reduced_motion="reduce",
    )
    opened.set_default_timeout(30_000)
    yield opened
    opened.close()


def fill(path: str, known: Stocked) -> str:
    """Put ids that exist into a page's path."""
    special = {
        "/network/proofs/{report_id}": known.proof,
        "/network/probes/{report_id}": known.probes,
        "/network/site/versions/{number}": "1",
    }
    if path in special:
        return _PARAMETER.sub(special[path], path)
    return _PARAMETER.sub(lambda found: known.known[found[1]], path)


def test_there_are_ids_for_every_page(known: Stocked) -> None:
    assert len(PATHS) > 35
    wanted = {name for path in PATHS for name in _PARAMETER.findall(path)}
    assert wanted <= {*known.known, "report_id"}, "tests/web/stocked.py has nothing to open these pages with"


@pytest.mark.parametrize("path", [*PATHS, *_STATES])
def test_a_page_is_without_fault_quiet_and_small(
    fresh: BrowserContext, room: Site, known: Stocked, path: str
) -> None:
    page = fresh.new_page()
    said: list[str] = []
    requests: list[Request] = []
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("console", lambda message: said.append(message.text) if message.type == "error" else None)
    page.on("request", lambda request: requests.append(request))  # noqa: PLW0108  # a bound builtin cannot listen
    answer = page.goto(fill(path, known))
    assert answer is not None
    assert answer.status == {"/nowhere": 404, "/activity?filter=colour:red": 422}.get(path, 200)
    page.locator("html[data-started]").wait_for()
    expect(page.locator("h1")).to_have_count(1)
    assert [request.url for request in requests if not request.url.startswith((room.address, "data:"))] == []
    # The browser itself says in the console that an answer was an error, which two of the pages are on purpose.
    assert answer.status != 200 or said == []
    streams = ("/api/v1/events", "/log/stream")
    loads = [request for request in requests if not any(part in request.url for part in streams)]
    received = sum(_received(request) for request in loads)
    assert 0 < received <= MOST_BYTES
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]  # one of the two
        found = Axe().run(page).response["violations"]
        serious = [each for each in found if each["impact"] in ("serious", "critical")]
        assert [(each["id"], each["nodes"][0]["html"][:160]) for each in serious] == []


def _received(request: Request) -> int:
    """Return the bytes that a request's answer took on the wire, headers included."""
    if request.response() is None:
        return 0
    sizes = request.sizes()
    return int(sizes["responseBodySize"]) + int(sizes["responseHeadersSize"])
