"""Takes pictures of every page of the UI, in two themes and at two widths, and writes the page that shows them.

`make screenshots` runs it. It starts a real Control Room on a free port with a small company's contents in a temporary
folder, looks at it with headless Chromium, and writes `docs/images/pages/` and
`docs/explanation/what-the-pages-look-like.md`. With ``--to FOLDER`` it writes PNG files there and leaves the documentation
alone, to look at while one works on a page; words after that keep it to the pages whose names hold one of them.
"""

import argparse
import base64
import shutil
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Page, sync_playwright

DOCS = Path(__file__).parent
sys.path.insert(0, str(DOCS.parent / "tests"))

from web.conftest import SWITCHES, sign_in  # noqa: E402  # lies with the tests, which use the same rooms
from web.served import Site, served_site  # noqa: E402
from web.stocked import Stocked, stock  # noqa: E402

IMAGES = DOCS / "images" / "pages"
INDEX = DOCS / "explanation" / "what-the-pages-look-like.md"
WIDTHS = (1440, 800)
THEMES = ("light", "dark")
_HEIGHT = 900
_TALLEST = 1_500
_QUALITY = 60
"""Of WebP: text stays sharp, and all pictures together stay well below 6 MB."""


@dataclass(frozen=True, slots=True)
class Shot:
    """A page, or a state of one. ``wait`` names what must have appeared; ``press`` is clicked before the picture."""

    name: str
    title: str
    path: str
    wait: str = ""
    press: str = ""


def shots(known: Stocked) -> list[Shot]:
    """Return the pages in the order in which one meets them."""
    ids = known.known
    administration = "/administration"
    return [
        Shot("dashboard", "The dashboard", "/dashboard"),
        Shot("activity", "All runs", "/activity"),
        Shot("activity-nothing", "A filter that finds nothing", "/activity?filter=bot:nobody"),
        Shot("activity-wrong", "A filter that cannot be read", "/activity?filter=colour:red"),
        Shot("run-failed", "A run that failed", f"/runs/{known.failed_run}", ".log-line"),
        Shot(
            "run-compared",
            "A failed run beside the last that succeeded",
            f"/runs/{known.failed_run}/compare",
        ),
        Shot("run-running", "A run that runs", f"/runs/{known.running_run}", ".log-line"),
        Shot("run-waiting", "A run that waits, and why", f"/runs/{known.queued_run}"),
        Shot("bots", "Bots", "/bots"),
        Shot("bot", "One bot", f"/bots/{known.form_bot}"),
        Shot("bot-compared", "Two versions of a bot", f"/bots/{known.form_bot}/compare"),
        Shot("bot-run", "Running a bot with inputs", f"/bots/{known.form_bot}/run"),
        Shot("bot-publish", "Publishing a bot", "/bots/publish"),
        Shot("devices", "Devices", "/devices"),
        Shot("device", "One device", f"/devices/{ids['device_id']}"),
        Shot("device-join", "Joining a device", "/devices/join"),
        Shot("pools", "Device pools", "/pools"),
        Shot("pool", "One pool", f"/pools/{ids['pool_id']}"),
        Shot("pool-edit", "Editing a pool", f"/pools/{ids['pool_id']}/edit"),
        Shot("audit", "The audit log", "/audit"),
        Shot("audit-entry", "One entry, before and after", f"/audit/{ids['number']}"),
        Shot("network", "The network contract", "/network"),
        Shot("users", "Users", f"{administration}/users"),
        Shot("user", "One user", f"{administration}/users/{ids['user_id']}"),
        Shot("roles", "Roles", f"{administration}/roles"),
        Shot("role", "One role", f"{administration}/roles/{ids['name']}"),
        Shot("rights", "Rights at folders, bots and pools", f"{administration}/rights"),
        Shot("why", "Why someone may do something", f"{administration}/why"),
        Shot("sessions", "Who is signed in", f"{administration}/sessions"),
        Shot("keys", "API keys", f"{administration}/keys"),
        Shot("settings", "Settings", f"{administration}/settings"),
        Shot("health", "Health of the parts", f"{administration}/health"),
        Shot("about", "About", f"{administration}/about"),
        Shot("me", "One's own account", "/me"),
        Shot("jump", "Jumping with Ctrl-K", "/activity", press="Control+k"),
        Shot("keys-help", "The list of keys", "/activity", press="?"),
        Shot("not-found", "A page that is not there", "/nowhere"),
    ]


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--to", type=Path, help="folder for PNG files, instead of the documentation")
    arguments.add_argument("words", nargs="*", help="only pages whose names hold one of these")
    given = arguments.parse_args()
    program = shutil.which("chromium")
    if program is None:
        sys.exit("Chromium is not installed; 'apt-get install chromium' installs it.")
    folder: Path = given.to or IMAGES
    folder.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory(prefix="controlroom-pictures-") as data,
        served_site(Path(data)) as site,
        sync_playwright() as playwright,
    ):
        known = stock(site)
        browser = playwright.chromium.launch(executable_path=program, args=list(SWITCHES))
        taken = take(browser, site, known, folder, given.words, as_png=given.to is not None)
        browser.close()
    if given.to is None and not given.words:
        _drop_others(taken)
        INDEX.write_text(index(taken))


def take(
    browser: Browser, site: Site, known: Stocked, folder: Path, words: list[str], *, as_png: bool
) -> list[Shot]:
    """Take every picture; return the shots whose pages are there."""
    wanted = [shot for shot in shots(known) if not words or any(word in shot.name for word in words)]
    there: list[Shot] = []
    for theme in THEMES:
        for width in WIDTHS:
            context = browser.new_context(
                base_url=site.address,
                viewport={"width": width, "height": _HEIGHT},
                color_scheme=theme,
                reduced_motion="reduce",
                timezone_id="UTC",
                locale="en-GB",
            )
            page = context.new_page()
            if not words:
                page.goto("/sign-in")
                _write(page, folder / _file("sign-in", theme, width, as_png=as_png))
            sign_in(page, site)
            for shot in wanted:
                if _show(page, shot):
                    _write(page, folder / _file(shot.name, theme, width, as_png=as_png))
                    there += [] if shot in there else [shot]
            context.close()
    return [Shot("sign-in", "Signing in", "/sign-in"), *there]


def _show(page: Page, shot: Shot) -> bool:
    """Bring a page up; say whether it is there."""
    answer = page.goto(shot.path)
    if answer is not None and answer.status == 404 and shot.name != "not-found":
        sys.stderr.write(f"{shot.path} is not there\n")
        return False
    page.locator("html[data-started]").wait_for()
    if shot.wait:
        page.locator(shot.wait).first.wait_for()
    if shot.press:
        page.keyboard.press(shot.press)
        page.locator("dialog[open]").wait_for()
    return True


def _write(page: Page, path: Path) -> None:
    """Take a picture of the page down to its end, or to `_TALLEST`."""
    width, height = page.evaluate("[innerWidth, document.documentElement.scrollHeight]")
    page.set_viewport_size({"width": width, "height": max(_HEIGHT, min(height, _TALLEST))})
    asked: dict[str, Any] = (
        {"format": "png"} if path.suffix == ".png" else {"format": "webp", "quality": _QUALITY}
    )
    answer = page.context.new_cdp_session(page).send("Page.captureScreenshot", asked)
    path.write_bytes(base64.b64decode(answer["data"]))
    page.set_viewport_size({"width": width, "height": _HEIGHT})


def _file(name: str, theme: str, width: int, *, as_png: bool = False) -> str:
    return f"{name}-{theme}-{width}.{'png' if as_png else 'webp'}"


def _drop_others(taken: list[Shot]) -> None:
    """Remove pictures of pages that are no more."""
    kept = {_file(shot.name, theme, width) for shot in taken for theme in THEMES for width in WIDTHS}
    for path in IMAGES.glob("*.webp"):
        if path.name not in kept:
            path.unlink()


def index(taken: list[Shot]) -> str:
    """Return the page that shows the pictures."""
    return "\n".join(_lines(taken)) + "\n"


def _lines(taken: list[Shot]) -> Iterator[str]:
    yield "# What the pages look like"
    yield ""
    yield "`make screenshots` takes these pictures of a small company's Control Room. Each page is shown in the light theme; the"
    yield "links lead to the dark one, and to both on a window of 800 pixels."
    for shot in taken:
        here = f"../images/pages/{_file(shot.name, 'light', WIDTHS[0])}"
        others = ", ".join(
            f"[{theme}, {width} pixels](../images/pages/{_file(shot.name, theme, width)})"
            for theme in THEMES
            for width in WIDTHS
            if (theme, width) != ("light", WIDTHS[0])
        )
        yield from ("", f"## {shot.title}", "", f"![{shot.title}]({here})", "", f"{others}.")


if __name__ == "__main__":
    main()
