"""The shared table in Chromium: selection and what is done with it, columns, saved filters, CSV."""

import csv
from dataclasses import replace
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from controlroom.devices.models import Device
from controlroom.protocol.records import Level
from controlroom.runs import queries
from controlroom.runs.states import State
from web.served import Site, add_device, add_run, end_run, publish, start_run, write_log


@pytest.fixture(scope="module")
def device(site: Site) -> Device:
    return add_device(site, "robot-07")


@pytest.fixture(scope="module")
def runs(site: Site, device: Device) -> dict[str, str]:
    version = publish(site)
    queued = add_run(site, version, "reconcile-orders")
    running = add_run(site, version, "reconcile-orders")
    start_run(site, running.id, device)
    failed = add_run(site, version, "reconcile-orders")
    start_run(site, failed.id, device)
    end_run(site, failed.id, State.FAILED, message="=cmd|' /C calc'!A0")
    return {"queued": queued.id, "running": running.id, "failed": failed.id}


def test_many_runs_are_cancelled_after_it_was_said_what_happens(
    page: Page, site: Site, runs: dict[str, str]
) -> None:
    page.goto("/activity")
    page.get_by_label("Select all on this page").check()
    expect(page.locator("[data-bulk-count]")).to_have_text("3 selected")
    page.get_by_role("button", name="Cancel…").click()
    dialog = page.get_by_role("dialog", name="Cancel runs")
    expect(dialog).to_contain_text("Cancel 1 running, 1 queued; 1 has ended and stays.")
    dialog.get_by_role("button", name="Cancel 2 runs").click()
    expect(page.locator("#notices")).to_contain_text("2 runs cancelled, 1 not.")
    expect(page.locator(f'tr[data-key="{runs["queued"]}"]')).to_contain_text("Cancelled")
    expect(page.locator("[data-bulk]")).to_be_hidden()


def test_columns_are_chosen_and_stay(page: Page, runs: dict[str, str]) -> None:
    page.goto("/activity")
    page.locator("summary", has_text="Columns").click()
    page.get_by_label("Priority").check()
    expect(page.get_by_role("columnheader", name="Priority")).to_be_visible()
    page.reload()
    expect(page.get_by_role("columnheader", name="Priority")).to_be_visible()


def test_a_filter_is_saved_used_and_dropped(page: Page, runs: dict[str, str]) -> None:
    page.goto("/activity?filter=state:failed")
    page.locator("summary", has_text="Saved").click()
    page.get_by_role("button", name="Save this filter").click()
    page.get_by_label("Name").fill("What failed")
    with page.expect_navigation():
        page.get_by_role("button", name="Save", exact=True).click()
    page.goto("/activity")
    page.locator("summary", has_text="Saved").click()
    page.get_by_role("link", name="What failed").click()
    page.wait_for_url("**filter=state%3Afailed")
    page.locator("summary", has_text="Saved").click()
    page.get_by_role("button", name="Drop the filter What failed").click()
    page.wait_for_url("**/activity")
    expect(page.get_by_role("link", name="What failed")).to_have_count(0)


def test_a_filter_that_cannot_be_read_is_not_saved(page: Page, runs: dict[str, str]) -> None:
    page.goto("/activity?filter=stat:failed")
    expect(page.get_by_text("There is no field 'stat' to filter by")).to_be_visible()
    page.locator("summary", has_text="Saved").click()
    expect(page.get_by_text("A filter that cannot be read cannot be saved.")).to_be_visible()
    expect(page.get_by_role("button", name="Save this filter")).to_have_count(0)


def test_the_csv_holds_what_is_filtered_and_no_formula(page: Page, runs: dict[str, str]) -> None:
    page.goto("/activity?filter=state:failed")
    with page.expect_download() as waiting:
        page.get_by_role("link", name="CSV").click()
    text = Path(waiting.value.path()).read_text("utf-8-sig")
    rows = list(csv.DictReader(text.splitlines()))
    assert [row["id"] for row in rows] == [runs["failed"]]
    assert rows[0]["message"].startswith("'=cmd")


def test_a_run_is_compared_with_the_last_that_succeeded(page: Page, site: Site, device: Device) -> None:
    version = publish(site)
    good = add_run(site, version, "reconcile-orders", ago_seconds=300, inputs={"amount": 1})
    write_log(site, start_run(site, good.id, device), [(Level.INFO, "at 10:00:00"), (Level.INFO, "fine")])
    end_run(site, good.id, State.SUCCEEDED)
    bad = add_run(site, version, "reconcile-orders", inputs={"amount": 2})
    write_log(site, start_run(site, bad.id, device), [(Level.INFO, "at 11:00:00"), (Level.ERROR, "broken")])
    end_run(site, bad.id, State.FAILED)
    page.goto(f"/runs/{bad.id}")
    expect(page.locator(".axis")).to_contain_text("Attempt 1")
    page.get_by_role("link", name="Compare").click()
    expect(page.locator(".compare-log")).to_contain_text("broken")
    expect(page.get_by_role("main")).to_contain_text("Line 2")
    expect(page.locator("tr.differs", has_text="amount")).to_be_visible()


def test_a_filter_that_looks_at_each_row_says_how_far_and_leads_on(
    page: Page, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queries, "GRAMMAR", replace(queries.GRAMMAR, most_looked_at=2))
    version = publish(site)
    for ago in (3, 2, 1):
        add_run(site, version, "reconcile-orders", ago_seconds=ago, reason="oldest" if ago == 3 else "")
    page.goto("/activity?filter=oldest")
    expect(page.get_by_role("heading", name="No run matches so far")).to_be_visible()
    expect(page.get_by_text("up to here at those since")).to_be_visible()
    page.get_by_role("link", name="Look further").click()
    expect(page.locator("tbody tr")).to_have_count(1)
