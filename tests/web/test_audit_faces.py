"""The audit log's page where something is wrong: a log that was tampered with, and a log collector that is away."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect
from sqlalchemy import text

from audit.tampering import take_off_the_guard
from controlroom.audit.models import AuditDelivery
from web.served import Site, served_site


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A Control Room that keeps entries for a year and whose log collector refuses connections."""
    with socket.socket() as taken, pytest.MonkeyPatch.context() as patch:
        taken.bind(("127.0.0.1", 0))  # held, but nobody listens
        patch.setenv("CONTROLROOM_AUDIT_SYSLOG_HOST", "127.0.0.1")
        patch.setenv("CONTROLROOM_AUDIT_SYSLOG_PORT", str(taken.getsockname()[1]))
        patch.setenv("CONTROLROOM_AUDIT_RETENTION_DAYS", "365")
        folder: Path = tmp_path_factory.mktemp("site")
        with served_site(folder) as served:
            yield served


def serious(page: Page) -> list[str]:
    found = Axe().run(page).response["violations"]
    return [each["id"] for each in found if each["impact"] in ("serious", "critical")]


def test_a_halted_delivery_is_told_with_its_reason_and_what_waits(page: Page, site: Site) -> None:
    async def failure() -> str:
        async with site.app.state.audit._database.read() as session:
            row = await session.get(AuditDelivery, "syslog")
            return str(row.failure) if row else ""

    for _ in range(200):
        if site.do(failure):
            break
        page.wait_for_timeout(50)
    page.goto("/audit")
    expect(page.get_by_role("link", name="halted at 0")).to_be_visible()
    expect(page.get_by_role("heading", name="The log collector gets nothing at the moment")).to_be_visible()
    expect(page.get_by_text("none is lost")).to_be_visible()
    assert serious(page) == []


def test_retention_is_told_with_where_to_change_it(page: Page, site: Site) -> None:
    page.goto("/audit")
    chain = page.locator("dl.chain")
    expect(chain).to_contain_text("365 days, then removed")
    chain.get_by_role("link", name="Settings").click()
    expect(page.locator("#s-audit_retention_days")).to_be_visible()
    state = page.request.get("/api/v1/audit/state", headers={"Accept": "application/json"}).json()
    assert (state["retention_days"], state["exports_before_removal"]) == (365, False)


def test_a_log_that_was_tampered_with_says_which_entry_and_what_to_do(page: Page, site: Site) -> None:
    async def tamper() -> None:
        database = site.app.state.audit._database
        await take_off_the_guard(database)
        async with database.write() as transaction:
            await transaction.session.execute(
                text("UPDATE audit_entries SET actor_name = 'Mallory' WHERE number = 2")
            )

    site.do(tamper)
    page.goto("/audit")
    page.get_by_role("button", name="Prove the chain").click()
    page.get_by_role("link", name="does not hold: 1 fault").click()
    expect(page.get_by_role("heading", name="The log is not as it was written")).to_be_visible()
    expect(page.locator("#chain-faults")).to_contain_text("Entry 2 was changed")
    assert serious(page) == []
    page.locator("#chain-faults").get_by_role("link", name="Entry 2").click()
    expect(page).to_have_url(f"{site.address}/audit/2")
