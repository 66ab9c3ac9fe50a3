"""The dashboard: its four answers, its charts, the way to the lists behind them, and what changes while one looks."""

from datetime import UTC, datetime

import httpx
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from controlroom.insight.trends import Period, Span
from controlroom.runs.states import State
from controlroom.web.pages.dashboard.charts import HEIGHT, WIDTH, charts
from web.served import Site, add_device, add_run, end_run, publish, start_run

SERIOUS = ("serious", "critical")


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_an_empty_room_shows_the_first_steps_and_no_serious_fault(page: Page, theme: str) -> None:
    page.emulate_media(color_scheme=theme)  # type: ignore[arg-type]  # one of the two
    page.goto("/dashboard")
    expect(page.get_by_role("heading", name="Publish a bot")).to_be_visible()
    found = Axe().run(page).response["violations"]
    assert [each["id"] for each in found if each["impact"] in SERIOUS] == []


def test_what_happens_shows_without_loading_anew(page: Page, site: Site) -> None:
    version = publish(site)
    device = add_device(site, "press")
    run = add_run(site, version, "reconcile-orders", ago_seconds=30)
    page.goto("/dashboard")
    expect(page.get_by_text("It needs label 'nobody-has-this'").first).to_be_visible()
    expect(page.get_by_role("heading", name="Nothing is broken")).to_be_visible()
    start_run(site, run.id, device)
    expect(page.get_by_text("press, ").first).to_be_visible()
    end_run(site, run.id, State.FAILED, message="no paper in tray 2")
    expect(page.get_by_text("no paper in tray 2").first).to_be_visible()
    for width in (1440, 390):
        page.set_viewport_size({"width": width, "height": 900})
        found = Axe().run(page).response["violations"]
        assert [each["id"] for each in found if each["impact"] in SERIOUS] == []
    page.set_viewport_size({"width": 1440, "height": 900})
    page.get_by_role("link", name="1 run", exact=True).click()
    expect(page).to_have_url("/activity?filter=state:failed,timed_out,lost,rejected")
    expect(page.get_by_text("no paper in tray 2").first).to_be_visible()


def test_each_chart_leads_to_a_list_that_can_be_read(client: httpx.Client, site: Site) -> None:
    run = add_run(site, publish(site), "reconcile-orders", ago_seconds=30)
    start_run(site, run.id, add_device(site, "charted"))
    end_run(site, run.id, State.SUCCEEDED)
    text = client.get("/dashboard", params={"period": "fortnight"}).text
    links = {
        part.split('"')[0].replace("&amp;", "&") for part in text.split('href="')[1:] if part.startswith("/")
    }
    lists = [link for link in links if link.startswith(("/activity?", "/devices?"))]
    assert len(lists) > 14
    for link in sorted(lists)[:20]:
        assert client.get(link).status_code == 200, link
    assert client.get("/dashboard", params={"period": "year"}).status_code == 422
    answer = client.get("/api/v1/dashboard", headers={"Accept": "application/json"}).json()
    assert len(answer["trends"]) == 24


def test_columns_stay_within_their_chart_and_say_one_thing_each() -> None:
    now = datetime(2026, 1, 2, 12, 30, tzinfo=UTC)
    spans = [
        Span(now.replace(hour=hour, minute=0), now.replace(hour=hour + 1, minute=0)) for hour in range(12)
    ]
    spans[3].outcomes = {State.SUCCEEDED: 90, State.FAILED: 10, State.CANCELLED: 1}
    spans[9].outcomes = {State.SUCCEEDED: 1}
    spans[3].took, spans[9].took = {20: 90}, {40: 1}
    spans[3].busy_seconds = 7_200
    made = {chart.name: chart for chart in charts(spans, Period.DAY, now, slots=4)}
    assert made["outcomes"].message == "102 runs ended, 10 of them failed (10 %)."
    assert "more than" in made["took"].message
    assert made["waited"].message == "No run started."
    assert made["use"].message == "On average 4 % of the 4 slots were taken."
    for chart in made.values():
        for column in chart.columns:
            for block in column.blocks:
                assert 0 <= block.x <= block.x + block.width <= WIDTH
                assert 0 <= block.y <= HEIGHT
                assert 0 < block.height <= HEIGHT
