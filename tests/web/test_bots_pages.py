"""The pages of bots in Chromium: publishing by a dropped zip, comparing versions, editing with someone else."""

import base64
import re

import httpx
import pytest
from playwright.sync_api import Page, expect

from controlroom.bots.service import Edit
from web.served import SCRIPT, Site, package, publish


@pytest.fixture(scope="module")
def bot_id(site: Site) -> str:
    publish(site)
    return publish(
        site, SCRIPT.replace('print("reconciled")', 'print("compared")'), note="Other words"
    ).bot_id


def test_a_package_is_checked_before_it_is_published(page: Page) -> None:
    page.goto("/bots/publish")
    page.locator("#package").set_input_files(
        {"name": "notes.zip", "mimeType": "application/zip", "buffer": b"no zip at all"}
    )
    expect(page.locator("#findings .form-error")).to_be_visible()
    script = SCRIPT.replace("reconcile-orders", "dropped-bot")
    page.locator("#package").set_input_files(
        {"name": "dropped.zip", "mimeType": "application/zip", "buffer": package(script)}
    )
    expect(page.locator("#findings .form-done")).to_contain_text("can be published as dropped-bot")
    page.locator(".form-end").get_by_role("button", name="Publish").click()
    page.wait_for_url(re.compile("/bots/bot_"))
    expect(page.locator("h1")).to_have_text("dropped-bot")


def test_two_versions_are_compared_file_by_file(page: Page, bot_id: str) -> None:
    page.goto(f"/bots/{bot_id}")
    page.get_by_role("link", name="Compare two versions").click()
    expect(page.locator(".diff .added")).to_contain_text('print("compared")')
    expect(page.locator(".diff .removed")).to_contain_text('print("reconciled")')
    expect(page.locator(".file-change summary")).to_contain_text("+1")


def test_an_edit_that_meets_another_keeps_what_was_typed(page: Page, site: Site, bot_id: str) -> None:
    page.goto(f"/bots/{bot_id}/edit")
    page.get_by_label("Description").fill("Mine")
    page.get_by_label("Most runs at once").fill("3")
    edit = Edit(description="Theirs")
    site.do(lambda: site.app.state.bots.edit(site.caller, bot_id, edit, check_revision=lambda revision: None))
    page.get_by_role("button", name="Save").click()
    expect(page.locator(".form-error")).to_contain_text("Theirs")
    expect(page.get_by_label("Description")).to_have_value("Mine")
    page.get_by_role("button", name="Save again").click()
    page.wait_for_url(f"**/bots/{bot_id}")
    expect(page.locator(".lead")).to_have_text("Mine")


def test_a_limit_that_is_no_number_is_said_at_its_field(client: httpx.Client, bot_id: str) -> None:
    form = client.get(f"/bots/{bot_id}/edit").text
    token = re.search(r'name="csrf_token" value="([^"]+)"', form)
    revision = re.search(r'name="revision" value="(\d+)"', form)
    assert token
    assert revision
    answer = client.post(
        f"/bots/{bot_id}/edit",
        data={"csrf_token": token[1], "revision": revision[1], "folder": "/", "most_at_once": "many"},
    )
    assert answer.status_code == 422
    assert 'value="many"' in answer.text
    assert "must be a whole number from 1 to 10,000" in answer.text


@pytest.mark.parametrize("form", ["edit", "run"])
def test_a_session_that_ends_in_a_form_loses_nothing(page: Page, site: Site, bot_id: str, form: str) -> None:
    page.goto(f"/bots/{bot_id}/{form}")
    if form == "edit":
        page.get_by_label("Description").fill("Long thought about")
    else:
        page.get_by_label("Least amount").fill("many")
        page.get_by_role("button", name="Add to tags").click()
        page.locator('[name="/inputs/tags/1"]').fill("typed")
    page.context.clear_cookies()
    page.locator(".form-end").get_by_role("button", name="Save" if form == "edit" else "Run").click()
    page.wait_for_url("**/sign-in?next=*")
    page.get_by_label("Name").fill("admin")
    page.get_by_label("Password").fill(site.password)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url(f"**/bots/{bot_id}/{form}")
    if form == "edit":
        expect(page.get_by_label("Description")).to_have_value("Long thought about")
    else:
        expect(page.get_by_label("Least amount")).to_have_value("many")
        expect(page.locator('[name="/inputs/tags/1"]')).to_have_value("typed")


def test_a_bot_tells_its_inputs_and_who_may_run_it(page: Page, bot_id: str) -> None:
    page.goto(f"/bots/{bot_id}")
    inputs = page.get_by_role("region", name="Inputs")
    expect(inputs.locator("tr", has_text="month").first).to_contain_text("date")
    expect(inputs.locator("tr", has_text="region")).to_contain_text("one of north, south, 3")
    expect(inputs.locator("tr", has_text="copies")).to_contain_text("2")
    who = page.get_by_role("region", name="Who may do what").locator("tr", has_text="admin")
    expect(who).to_contain_text("administrator")
    expect(who).to_contain_text("yes")


def test_a_version_is_rolled_back_to_and_retired(page: Page, bot_id: str) -> None:
    page.goto(f"/bots/{bot_id}")
    page.get_by_role("button", name="Roll back to it").first.click()
    page.get_by_role("button", name="Run version 1").click()
    current = page.locator("tr", has_text="v1").filter(has_text="Current")
    expect(current).to_be_visible()
    page.locator("tr", has_text="v2").get_by_role("button", name="Retire").click()
    expect(page.locator("tr", has_text="v2")).to_contain_text("Retired")
    page.get_by_role("button", name="Take back into use").click()
    expect(page.locator("tr", has_text="v2")).not_to_contain_text("Retired")
    page.get_by_role("button", name="Make current").first.click()
    page.get_by_role("button", name="Run version 2").click()
    expect(page.locator("tr", has_text="v2").filter(has_text="Current")).to_be_visible()


def test_a_zip_is_dropped_on_the_page(page: Page) -> None:
    page.goto("/bots/publish")
    content = base64.b64encode(package(SCRIPT.replace("reconcile-orders", "carried-bot"))).decode()
    page.evaluate(
        """content => {
            const bytes = Uint8Array.from(atob(content), (letter) => letter.charCodeAt(0));
            const carried = new DataTransfer();
            carried.items.add(new File([bytes], "carried.zip", { type: "application/zip" }));
            const place = document.querySelector(".drop");
            for (const type of ["dragenter", "dragover"]) {
                place.dispatchEvent(new DragEvent(type, { bubbles: true, cancelable: true, dataTransfer: carried }));
            }
            window.wasOver = place.classList.contains("over");
            place.dispatchEvent(new DragEvent("drop", { bubbles: true, cancelable: true, dataTransfer: carried }));
        }""",
        content,
    )
    assert page.evaluate("window.wasOver")
    expect(page.locator(".drop.over")).to_have_count(0)
    expect(page.locator("#findings .form-done")).to_contain_text("can be published as carried-bot")


CONDITIONAL = """# /// script
# requires-python = ">=3.11"
#
# [tool.controlroom]
# name = "deliver"
#
# [tool.controlroom.inputs]
# type = "object"
# required = ["by"]
#
# [tool.controlroom.inputs.properties]
# by = { enum = ["mail", "post"], default = "mail", title = "By" }
# target = { title = "Target", oneOf = [{ title = "A shelf", type = "object", required = ["shelf"], properties = { shelf = { type = "integer", title = "Shelf" } } }, { title = "A person", type = "object", required = ["person"], properties = { person = { type = "string", title = "Person" } } }] }
#
# [tool.controlroom.inputs.if]
# properties = { by = { const = "post" } }
#
# [tool.controlroom.inputs.then]
# required = ["street"]
# properties = { street = { type = "string", title = "Street" } }
# ///
print("delivered")
"""


def test_fields_come_and_go_with_what_was_chosen(page: Page, site: Site) -> None:
    deliver = publish(site, CONDITIONAL).bot_id
    page.goto(f"/bots/{deliver}/run")
    expect(page.get_by_label("Street")).to_have_count(0)
    page.get_by_label("By", exact=True).select_option(label="post")
    page.get_by_label("Street").fill("Long Lane 1")
    page.get_by_label("Target as").select_option(label="A person")
    expect(page.get_by_label("Shelf")).to_have_count(0)
    page.get_by_label("Person").fill("Ana")
    expect(page.get_by_label("Street")).to_have_value("Long Lane 1")
    page.locator(".form-end").get_by_role("button", name="Run").click()
    page.wait_for_url("**/runs/run_*")
    expect(page.locator(".pairs").first).to_be_visible()
    expect(page.get_by_role("main")).to_contain_text("Long Lane 1")

    page.goto(f"/bots/{deliver}/run")
    page.get_by_role("link", name="Fill in what you gave last time").click()
    expect(page.get_by_label("Street")).to_have_value("Long Lane 1")
    expect(page.get_by_label("Person")).to_have_value("Ana")
