"""The faces of a list that are seldom seen, and pictures as they are: while it loads, while the database is away."""

import struct
import zlib
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from playwright.sync_api import ConsoleMessage, Page, Route, expect

from controlroom.foundation.database import Transaction
from controlroom.foundation.errors import Unavailable
from controlroom.foundation.ids import new_id
from controlroom.protocol.messages import UsageSample
from controlroom.runs.models import Artifact, Attempt, Run
from controlroom.runs.states import State
from controlroom.runs.usage import add_sample
from web.served import Site, add_device, add_run, end_run, publish, start_run

pytestmark = pytest.mark.browser


def png(width: int, height: int, shade: int) -> bytes:
    """Return a picture of one colour (PNG specification, sections 5 and 11)."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    rows = (b"\0" + bytes([shade]) * width) * height
    parts = [chunk(b"IHDR", header), chunk(b"IDAT", zlib.compress(rows)), chunk(b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def add_picture(site: Site, run: Run, name: str, content: bytes) -> None:
    async def once() -> AsyncIterator[bytes]:
        yield content

    stored = site.do(lambda: site.app.state.runs._blobs.put(once(), limit_bytes=len(content)))

    async def work(transaction: Transaction) -> None:
        held = await transaction.session.get_one(Run, run.id)
        transaction.session.add(
            Artifact(
                id=new_id("art"), run_id=run.id, attempt_id=held.attempt_id or "", name=name, sha256=stored.sha256,
                size_bytes=stored.size_bytes, media_type="image/png", created_at=datetime.now(UTC),
            )
        )  # fmt: skip

    site.write(work)


@pytest.fixture(scope="module")
def run(site: Site) -> Run:
    device = add_device(site, "robot-01")
    asked = add_run(site, publish(site), "reconcile-orders")
    attempt_id = start_run(site, asked.id, device)
    for name, shade in (("first.png", 40), ("second.png", 200)):
        add_picture(site, asked, name, png(640, 400, shade))

    async def samples(transaction: Transaction) -> None:
        attempt = await transaction.session.get_one(Attempt, attempt_id)
        begun = attempt.assigned_at.timestamp()
        for at in range(1, 15):
            await add_sample(
                transaction, attempt, UsageSample(begun + at * 2, 2, 0.25 * (at % 5), at * 10_000_000)
            )
            await transaction.session.flush()

    site.write(samples)
    end_run(site, asked.id, State.SUCCEEDED)
    return asked


def test_pictures_are_seen_and_lead_to_each_other(page: Page, run: Run) -> None:
    page.goto(f"/runs/{run.id}")
    pictures = page.get_by_role("list", name="Pictures, by time").get_by_role("link")
    expect(pictures).to_have_count(2)
    pictures.first.click()
    shown = page.locator(".lightbox img")
    expect(page.locator("h1")).to_have_text("first.png")
    page.wait_for_function("document.querySelector('.lightbox img').naturalWidth === 640")
    expect(page.get_by_role("link", name="Earlier")).to_have_count(0)
    page.get_by_role("link", name="Later").click()
    expect(page.locator("h1")).to_have_text("second.png")
    expect(shown).to_be_visible()
    page.get_by_role("link", name="Back to the run").click()
    page.wait_for_url(f"**/runs/{run.id}")


def test_use_over_time_stands_on_the_axis_with_its_peaks(page: Page, run: Run) -> None:
    page.goto(f"/runs/{run.id}")
    axis = page.locator(".axis")
    expect(axis).to_contain_text("at most 1.0 busy")
    expect(axis).to_contain_text("at most 140 MB")
    expect(axis.locator(".axis-processors rect")).to_have_count(14)
    heights = axis.locator(".axis-memory rect").evaluate_all(
        "bars => bars.map((bar) => Number(bar.getAttribute('height')))"
    )
    assert heights == sorted(heights)
    assert heights[-1] == 24


def test_a_list_that_loads_shows_where_its_rows_will_be(page: Page, run: Run) -> None:
    page.goto("/activity")
    held: list[Route] = []
    seen: list[str] = []

    def hold(route: Route) -> None:
        held.append(route)
        if seen:
            route.continue_()

    def note(message: ConsoleMessage) -> None:
        if message.text.startswith("skeleton"):
            seen.append(message.text)
            for route in held:
                route.continue_()

    page.on("console", note)
    page.route("**/activity?**", hold)
    page.locator("[data-filter]").fill("state:failed")
    page.evaluate(
        """() => {
            const skeleton = document.querySelector(".table-frame > .skeleton");
            const look = () => console.log(`skeleton ${getComputedStyle(skeleton).display}`);
            new MutationObserver(look).observe(document.querySelector("[data-table-area]"), { attributeFilter: ["data-loading"] });
            setTimeout(() => document.querySelector("form.filter").requestSubmit(), 0);
        }"""
    )
    page.wait_for_url("**filter=state**")
    assert seen == ["skeleton grid"]
    expect(page.locator(".table-frame > .skeleton:visible")).to_have_count(0)


def test_a_database_that_is_away_is_said_and_the_list_can_be_tried_again(
    page: Page, site: Site, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = site.app.state.runs
    listed: Callable[..., Any] = runs.list

    async def away(*_: object, **__: object) -> object:
        raise Unavailable("The database does not answer; it is asked again in a moment.")

    monkeypatch.setattr(runs, "list", away)
    answer = page.goto("/activity")
    assert answer is not None
    assert answer.status == 503
    main = page.get_by_role("main")
    expect(main).to_contain_text("This list cannot be read at the moment")
    expect(main).to_contain_text("The database does not answer")
    monkeypatch.setattr(runs, "list", listed)
    main.get_by_role("link", name="Try again").or_(main.get_by_role("button", name="Try again")).first.click()
    expect(page.locator("tbody tr").first).to_be_visible()
