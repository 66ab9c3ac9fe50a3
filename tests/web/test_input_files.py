"""Files in the run form, in a browser: sent at once, kept through errors, remembered, and to be had on the run's page."""

from pathlib import Path

import pytest
from playwright.sync_api import Page, Route, expect

from web.served import Site, publish

_SCRIPT = """# /// script
# requires-python = ">=3.11"
# [tool.controlroom]
# name = "papers"
# [tool.controlroom.inputs]
# invoice = { type = "file", contentMediaType = "application/pdf", x-max-mb = 0.01 }
# more = { type = "array", title = "Attachments", items = { type = "string", format = "file", x-max-mb = 0.01 }, required = false }
# month = "integer"
# ///
print("done")
"""
_ID = "input[value^=fil_]"
INVOICE, MORE = "[data-files=one]", "[data-files=many]"


@pytest.fixture(scope="module")
def form(site: Site) -> str:
    return f"/bots/{publish(site, _SCRIPT).bot_id}/run"


def open_form(page: Page, address: str) -> None:
    """Open a form and wait until its script listens."""
    page.goto(address)
    expect(page.locator("html[data-started=yes]")).to_be_attached()


def choose(page: Page, where: str, *names: str, content: bytes = b"%PDF") -> None:
    files = [{"name": name, "mimeType": "application/pdf", "buffer": content} for name in names]
    page.locator(f"{where} input[type=file]").set_input_files(files)


def run(page: Page) -> None:
    page.locator(".form-end").get_by_role("button", name="Run").click()


def test_a_file_is_kept_when_another_field_is_wrong_and_given_with_the_run(page: Page, form: str) -> None:
    open_form(page, form)
    choose(page, INVOICE, "first.pdf")
    expect(page.locator(f"{INVOICE} {_ID}")).to_have_count(1)
    choose(page, INVOICE, "october <b>.pdf")
    expect(page.locator(f"{INVOICE} [data-file-name]")).to_have_text(["october <b>.pdf"])
    expect(page.locator(f"{INVOICE} [data-file-size]")).to_have_text("4 B")
    choose(page, MORE, "a.txt", "b.txt")
    expect(page.locator(f"{MORE} {_ID}")).to_have_count(2)
    page.get_by_label("Month").fill("soon")
    run(page)
    expect(page.locator("#f-inputs-month-error")).to_contain_text("whole number")
    expect(page.locator(f"{INVOICE} [data-file-name]")).to_have_text(["october <b>.pdf"])
    page.get_by_role("button", name="Remove a.txt").click()
    page.get_by_label("Month").fill("10")
    run(page)
    page.wait_for_url("**/runs/run_*")
    links = page.locator("a.file-link")
    expect(links).to_have_text(["october <b>.pdf", "b.txt"])
    with page.expect_download() as got:
        links.first.click()
    assert Path(got.value.path()).read_bytes() == b"%PDF"
    open_form(page, f"{form}?last=true")
    expect(page.locator(f"{INVOICE} [data-file-size]")).to_have_text("4 B · from last time")
    expect(page.locator(INVOICE)).to_contain_text("Replace it")
    run(page)
    page.wait_for_url("**/runs/run_*")
    expect(page.locator("a.file-link")).to_have_text(["october <b>.pdf", "b.txt"])


def test_what_does_not_fit_is_said_at_the_field(page: Page, form: str) -> None:
    open_form(page, form)
    run(page)
    expect(page.locator("#f-inputs-invoice-error")).to_have_text("is required")
    choose(page, INVOICE, "a.txt")
    expect(page.locator("#f-inputs-invoice-error")).to_contain_text("type application/pdf")
    choose(page, INVOICE, "a.pdf")
    expect(page.locator("#f-inputs-invoice-error")).to_be_empty()
    choose(page, MORE, "large.pdf", content=b"x" * 20_000)
    expect(page.locator(f"{MORE} [data-file-error]")).to_contain_text("at most 0.01 MB")
    page.get_by_label("Month").fill("10")
    run(page)
    expect(page.get_by_role("button", name="Remove large.pdf")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator(f"{MORE} [data-file]")).to_have_count(0)
    run(page)
    page.wait_for_url("**/runs/run_*")


def test_a_file_that_could_not_be_sent_is_tried_again(page: Page, form: str) -> None:
    open_form(page, form)
    page.route("**/api/v1/input-files?*", lambda route: route.abort())
    choose(page, INVOICE, "a.pdf")
    expect(page.locator(f"{INVOICE} [data-file-error]")).to_contain_text("does not answer")
    page.unroute("**/api/v1/input-files?*")
    page.get_by_role("button", name="Try again").click()
    expect(page.locator(f"{INVOICE} {_ID}")).to_have_count(1)


def test_the_run_is_asked_for_once_its_file_is_there(page: Page, form: str) -> None:
    held: list[Route] = []
    open_form(page, form)
    page.route("**/api/v1/input-files?*", lambda route: held.append(route))  # noqa: PLW0108  # a built-in is no handler for it
    choose(page, INVOICE, "a.pdf")
    page.get_by_label("Month").fill("10")
    run(page)
    expect(page.locator(f"{INVOICE} progress")).to_be_visible()
    held[0].continue_()
    page.wait_for_url("**/runs/run_*")
    expect(page.locator("a.file-link")).to_have_text(["a.pdf"])


def test_a_file_outlives_a_session_that_ends_in_the_middle_of_the_form(
    page: Page, form: str, site: Site
) -> None:
    open_form(page, form)
    choose(page, INVOICE, "a.pdf")
    expect(page.locator(f"{INVOICE} {_ID}")).to_have_count(1)
    page.get_by_label("Month").fill("soon")
    page.context.clear_cookies()
    run(page)
    page.wait_for_url("**/sign-in*")
    page.get_by_label("Name").fill("admin")
    page.get_by_label("Password").fill(site.password)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url(f"**{form}")
    expect(page.locator(f"{INVOICE} [data-file-name]")).to_have_text(["a.pdf"])
    expect(page.get_by_label("Month")).to_have_value("soon")


def test_the_field_is_worked_by_keys_alone(page: Page, form: str) -> None:
    open_form(page, form)
    field = page.locator(f"{INVOICE} input[type=file]")
    page.locator(".title h1").click()
    for _ in range(3):
        page.keyboard.press("Tab")
        if field.evaluate("field => field === document.activeElement"):
            break
    expect(field).to_be_focused()  # the browser's own control: what it does on Enter is the browser's own too
    choose(page, INVOICE, "a.pdf")
    expect(page.locator(f"{INVOICE} {_ID}")).to_have_count(1)
    page.get_by_role("button", name="Remove a.pdf").focus()
    page.keyboard.press("Enter")
    expect(page.locator(f"{INVOICE} [data-file]")).to_have_count(0)
    expect(field).to_be_focused()
