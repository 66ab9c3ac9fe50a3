# /// script
# requires-python = ">=3.11"
# dependencies = ["greenlet==3.5.6", "playwright==1.65.2"]
#
# [tool.controlroom]
# name = "screenshot-report"
# description = "Signs in to this Control Room with a headless browser and leaves a report with screenshots."
# timeout = "5m"
# warm = false
# retry = { on = "failure", count = 1, backoff = "20s" }
#
# [tool.controlroom.inputs.sign_in_file]
# type = "string"
# title = "Sign-in file"
# description = "A file on the device with url, name and password; only the runner's user may read it."
# default = "~/.config/controlroom/sign-in.toml"
#
# [tool.controlroom.inputs.url]
# type = "string"
# title = "Address"
# description = "Address of the Control Room; empty takes the one in the sign-in file."
# default = ""
#
# [tool.controlroom.inputs.theme]
# type = "string"
# title = "Theme"
# enum = ["light", "dark"]
# default = "light"
#
# [tool.controlroom.outputs]
# pages = { type = "integer", title = "Pages taken" }
# slowest_milliseconds = { type = "integer", title = "Slowest page, ms" }
# complaints = { type = "integer", title = "Errors that the browser reported" }
# ///
"""Sign in to a Control Room's own web pages as a person would, and leave a report with screenshots.

Drives a Chromium, Chrome or Edge that is installed on the device; none is ever downloaded.
"""

import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from browser import find_browser
from playwright.sync_api import Browser, Error, Page, sync_playwright
from report import Shot, write_report
from sign_in import SignIn, SignInRefused, read_sign_in, same_origin

from controlroom import bot

VIEWPORT = {"width": 1440, "height": 900}
PAGE_MILLISECONDS = 20_000
SIGN_IN_MILLISECONDS = 15_000
PAGES = (("Activity", "/activity"), ("Newest run", ""), ("Bots", "/bots"), ("Devices", "/devices"))
ANSWERED = "() => !location.pathname.includes('/sign-in') || document.querySelector('[role=alert]')?.textContent.trim()"
"""True once the sign-in form was answered: with another page, or with what is wrong."""
SIGN_OUT = "form[action='/sign-out']"
NEWEST_RUN = "main a[href*='/runs/run_']"


def main() -> None:
    """Take the pages one after the other and leave the report."""
    try:
        sign_in = read_sign_in(
            Path(bot.inputs.get("sign_in_file") or "~/.config/controlroom/sign-in.toml").expanduser(),
            bot.inputs.get("url") or os.environ.get("CONTROLROOM_URL", ""),
        )
        program = find_browser()
    except SignInRefused as error:
        bot.fail(str(error))
    if program is None:
        bot.fail(
            "No browser was found on this device: install Chromium (on Debian and Ubuntu 'apt install chromium'), "
            "Google Chrome or Microsoft Edge."
        )
    bot.log.info("Browser found", program=str(program))
    with tempfile.TemporaryDirectory() as temporary, opened(program) as browser:
        folder = Path(temporary) if bot.run.inside_runner else Path("output")
        folder.mkdir(exist_ok=True)
        try:
            shots = take_all(browser, sign_in, folder)
        except Error as error:
            bot.fail(f"{sign_in.url} could not be read with the browser: {first_line(error)}")
        leave_report(browser, folder, sign_in, shots)


@contextmanager
def opened(program: Path) -> Iterator[Browser]:
    """Start the browser without a window. Chromium's own sandbox cannot be had by root, and stays on otherwise."""
    is_root = hasattr(os, "geteuid") and os.geteuid() == 0
    with sync_playwright() as playwright:
        try:
            browser = playwright.chromium.launch(executable_path=program, chromium_sandbox=not is_root)
        except Error as error:
            bot.fail(f"The browser {program} cannot be started: {first_line(error)}")
        with browser:
            yield browser


def take_all(browser: Browser, sign_in: SignIn, folder: Path) -> list[Shot]:
    """Sign in, take every page, sign out."""
    theme = "dark" if bot.inputs.get("theme") == "dark" else "light"
    with browser.new_context(viewport=VIEWPORT, color_scheme=theme, locale="en-GB") as context:  # type: ignore[arg-type]  # a plain dict is what the library reads
        context.set_default_timeout(PAGE_MILLISECONDS)
        page = context.new_page()
        complaints: list[str] = []
        page.on("pageerror", lambda error: complaints.append(first_line(error)))
        page.on("console", lambda said: complaints.append(said.text) if said.type == "error" else None)
        enter(page, sign_in)
        shots: list[Shot] = []
        for place, (title, path) in enumerate(PAGES, start=1):
            if bot.cancelled():
                bot.fail(f"Cancelled after {len(shots)} pages; no report was made.")
            bot.progress((place - 1) / len(PAGES), f"Taking {title}")
            address = sign_in.url + path if path else newest_run(page, sign_in)
            if not address:
                bot.log.info("There is no run yet, so no run's page is taken")
                continue
            complaints.clear()
            shots.append(take(page, title, address, folder / f"{place:02d}-{slug(title)}.png", complaints))
        leave(page)
        return shots


def enter(page: Page, sign_in: SignIn) -> None:
    """Sign in; the password is typed only where the page is still the one that the file was made for."""
    page.goto(f"{sign_in.url}/sign-in")
    if not same_origin(page.url, sign_in.url):
        bot.fail(f"{sign_in.url} leads to another address, {page.url}; the password was not sent.")
    page.fill("input[name=name]", sign_in.name)
    page.fill("input[name=password]", sign_in.password)
    page.press("input[name=password]", "Enter")
    page.wait_for_function(ANSWERED, timeout=SIGN_IN_MILLISECONDS)
    if "/sign-in" in page.url:
        alerts = page.locator("[role=alert]").all_inner_texts()
        bot.fail(f"Signing in as {sign_in.name} did not work. {' '.join(alerts)}".strip())
    bot.log.info("Signed in", name=sign_in.name, url=sign_in.url)


def newest_run(page: Page, sign_in: SignIn) -> str:
    """Return the address of the first run that Activity lists, this one left out; empty where there is none.

    The page is there already.
    """
    for link in page.locator(NEWEST_RUN).all():
        path = link.get_attribute("href") or ""
        if path.startswith("/") and path != f"/runs/{bot.run.run_id}":
            return sign_in.url + path
    return ""


def take(page: Page, title: str, address: str, file: Path, complaints: list[str]) -> Shot:
    """Open a page and take its picture. What a page loads for ever, such as live events, is not waited for."""
    begun = time.perf_counter()
    response = page.goto(address, wait_until="load")
    milliseconds = round((time.perf_counter() - begun) * 1000)
    page.screenshot(path=file, animations="disabled")
    status = response.status if response else 0
    bot.log.info(f"{title} taken", status=status, milliseconds=milliseconds, complaints=len(complaints))
    return Shot(title, address, status, milliseconds, tuple(complaints), file)


def leave(page: Page) -> None:
    """Sign out, so that the session does not stay open until the server ends it."""
    form = page.locator(SIGN_OUT)
    if not form.count():
        bot.log.warning("There is no way to sign out on the page; the session ends when its time is over")
        return
    form.first.evaluate("form => form.requestSubmit()")
    page.wait_for_url(lambda url: "/sign-in" in url, timeout=SIGN_IN_MILLISECONDS)
    bot.log.debug("Signed out")


def leave_report(browser: Browser, folder: Path, sign_in: SignIn, shots: list[Shot]) -> None:
    """Write the report, keep it with the pictures, and set the outputs."""
    bot.progress(0.95, "Writing the report")
    files = write_report(browser, folder, sign_in.url, shots, datetime.now(UTC))
    for file in (*files, *(shot.file for shot in shots)):
        bot.artifact(file)
    bot.output("pages", len(shots))
    bot.output("slowest_milliseconds", max((shot.milliseconds for shot in shots), default=0))
    bot.output("complaints", sum(len(shot.complaints) for shot in shots))
    broken = [shot.title for shot in shots if shot.status >= 400]
    if broken:
        bot.fail(f"{', '.join(broken)} answered with an error; see the report.")
    bot.progress(1, f"{len(shots)} pages taken")


def first_line(error: object) -> str:
    """Return what an error says, without the browser's call log."""
    text = str(error).strip()
    return text.splitlines()[0] if text else type(error).__name__


def slug(title: str) -> str:
    """Return a title as part of a file name."""
    return title.lower().replace(" ", "-")


if __name__ == "__main__":
    main()
