"""The pages of bots in Chromium: publishing by a dropped zip, comparing versions, editing with someone else."""

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
