"""One makes a rendering while others wait for it; what is kept is bounded in number, bytes and age."""

import asyncio

import pytest
from starlette.datastructures import URL
from starlette.responses import HTMLResponse, Response

from controlroom.audit.actor import SYSTEM
from controlroom.identity.caller import Caller
from controlroom.identity.permissions import Permission
from controlroom.web.live import parts as parts_module
from controlroom.web.live.parts import LiveParts, Part, PartKey, key_of

CALLER = Caller(SYSTEM, "usr_1", "ana", frozenset({Permission.RUN_READ}), csrf_token="token-of-ana")


def key(address: str = "http://x/activity") -> PartKey:
    return key_of(URL(address), {}, CALLER, 0)


class Renderer:
    """Renders when it is let, and counts."""

    def __init__(self, body: str = "page", status: int = 200) -> None:
        self.count = 0
        self.go = asyncio.Event()
        self.begun = asyncio.Event()
        self.body, self.status = body, status

    async def __call__(self) -> Response:
        self.count += 1
        self.begun.set()
        await self.go.wait()
        return HTMLResponse(self.body, self.status)


async def test_many_who_ask_at_once_are_given_one_rendering() -> None:
    parts, renderer = LiveParts(), Renderer()
    asking = [asyncio.create_task(parts.shared(key(), 5, lambda: 7, renderer, None)) for _ in range(50)]
    await renderer.begun.wait()
    renderer.go.set()
    given = await asyncio.gather(*asking)
    assert renderer.count == 1
    assert all(each is given[0] for each in given)
    assert isinstance(given[0], Part)
    assert given[0].position == 7


async def test_who_knows_more_waits_for_no_rendering_that_was_begun_before() -> None:
    parts, old, new = LiveParts(), Renderer("old"), Renderer("new")
    new.go.set()
    first = asyncio.create_task(parts.shared(key(), 1, lambda: 1, old, None))
    await old.begun.wait()
    given = await parts.shared(key(), 2, lambda: 2, new, None)
    assert isinstance(given, Part)
    assert given.body == b"new"
    old.go.set()
    await first
    kept = parts.fresh(key(), 1)
    assert kept is not None
    assert kept.body == b"new"  # an older one that ends later does not take its place


async def test_others_make_it_themselves_where_the_first_was_cancelled() -> None:
    parts, stuck, good = LiveParts(), Renderer(), Renderer("good")
    first = asyncio.create_task(parts.shared(key(), 1, lambda: 1, stuck, None))
    await stuck.begun.wait()
    second = asyncio.create_task(parts.shared(key(), 1, lambda: 1, good, None))
    await asyncio.sleep(0)
    first.cancel()
    good.go.set()
    given = await second
    assert isinstance(given, Part)
    assert given.body == b"good"


async def test_who_waits_and_leaves_does_not_stop_the_others() -> None:
    parts, renderer = LiveParts(), Renderer()
    first = asyncio.create_task(parts.shared(key(), 1, lambda: 1, renderer, None))
    await renderer.begun.wait()
    leaving, staying = (
        asyncio.create_task(parts.shared(key(), 1, lambda: 1, renderer, None)) for _ in range(2)
    )
    await asyncio.sleep(0)
    leaving.cancel()
    renderer.go.set()
    assert await first is await staying
    assert renderer.count == 1


async def test_an_error_page_is_kept_for_nobody() -> None:
    parts, renderer = LiveParts(), Renderer("not there", 404)
    renderer.go.set()
    given = await parts.shared(key(), 1, lambda: 1, renderer, None)
    assert isinstance(given, Response)
    assert parts.fresh(key(), 0) is None


async def test_a_rendering_that_is_too_old_is_made_anew() -> None:
    now = [0.0]
    parts, renderer = LiveParts(lambda: now[0]), Renderer()
    renderer.go.set()
    await parts.shared(key(), 1, lambda: 1, renderer, None)
    assert parts.fresh(key(), 1) is not None
    now[0] = 31.0
    assert parts.fresh(key(), 1) is None


async def test_what_is_kept_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parts_module, "_MOST_PARTS", 20)
    monkeypatch.setattr(parts_module, "_MOST_BYTES", 10_000)
    parts, renderer = LiveParts(), Renderer("x" * 900)
    renderer.go.set()
    for number in range(100):
        await parts.shared(key(f"http://x/activity?filter={number}"), 1, lambda: 1, renderer, None)
        await parts.shared(
            key(f"http://x/activity?filter={number}"), number, lambda n=number: n, renderer, None
        )  # type: ignore[misc]  # bound now
    assert len(parts._kept) == 11
    assert parts._bytes == sum(len(part.body) for part in parts._kept.values()) == 9_900
    assert parts.fresh(key("http://x/activity?filter=99"), 99) is not None
    assert parts.fresh(key("http://x/activity?filter=0"), 0) is None


def test_no_text_that_people_type_becomes_a_token() -> None:
    """Each process marks the place of the token by a word of its own."""
    assert LiveParts().anyone(CALLER).csrf_token != LiveParts().anyone(CALLER).csrf_token
    assert "token-of-ana" not in repr(LiveParts().anyone(CALLER))
