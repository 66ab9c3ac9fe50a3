"""The first load of every page in a browser that has seen none, at a large site's size: bytes, requests, time to content.

Each page is opened in a new context of Chromium without any cache, so many times; what is told is the median of the first
and of the largest contentful paint (from the start of the navigation, as the browser itself measures them), of the
answer's first byte, and the bytes on the wire with their headers, without streams of events. The options are those of
`lists.py`; ``--rounds`` is 3 here where it is not given.
"""

import os
import statistics
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

sys.path.insert(0, str(Path(__file__).parents[2] / "tests"))
sys.path.insert(0, str(Path(__file__).parent.parent / "spine"))
sys.path.insert(0, str(Path(__file__).parent))

from addresses import LARGE_SITE, addresses, declare, network_addresses
from large import Options, large_room

from serving import ControlRoom, report

MOST_BYTES = 200_000
MOST_MS = 300
_CHROMIUM = "/usr/bin/chromium"
_ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
_STREAMS = ("/api/v1/events", "/log/stream")
_OBSERVE = """
window.largestPaint = 0;
new PerformanceObserver((list) => {
  for (const entry of list.getEntries()) { window.largestPaint = entry.startTime; }
}).observe({ type: "largest-contentful-paint", buffered: true });
"""
_PAINTED = "performance.getEntriesByName('first-contentful-paint').length > 0 && window.largestPaint > 0"
_READ = """() => {
  const page = performance.getEntriesByType("navigation")[0];
  const first = performance.getEntriesByName("first-contentful-paint")[0];
  return [page.responseStart, first.startTime, window.largestPaint];
}"""


@dataclass(frozen=True, slots=True)
class Load:
    """One cold load; times in milliseconds."""

    first_byte: float
    first_paint: float
    largest_paint: float
    received: int
    requests: int


def main() -> None:
    options = Options.given(rounds=3)
    with large_room(options) as room, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=_CHROMIUM, args=_ARGUMENTS)
        _load(browser, room, "/sign-in")  # the browser's own first steps are no page's fault
        loads = dict(_loads(browser, room, options))
        load = os.getloadavg()
        browser.close()
    figures = {name: _told(found) for name, found in loads.items()}
    report(
        "First load",
        {
            "load at the end": f"{load[0]:.1f} on {os.cpu_count()} cores",
            **figures,
            "pages": len(loads),
            "over 200 KB": sum(_median(found, "received") > MOST_BYTES for found in loads.values()),
            "first paint over 300 ms": sum(
                _median(found, "first_paint") > MOST_MS for found in loads.values()
            ),
            "largest paint over 300 ms": sum(
                _median(found, "largest_paint") > MOST_MS for found in loads.values()
            ),
        },
    )


def _loads(browser: Browser, room: ControlRoom, options: Options) -> Iterator[tuple[str, list[Load]]]:
    reports = declare(room, LARGE_SITE)
    pages = [*network_addresses("a thousand runners", reports), *addresses(room)]
    for address in pages:
        if address.name.startswith("page ") and options.only in address.name and "/jump" not in address.name:
            yield address.name, [_load(browser, room, address.path) for _ in range(options.rounds)]


def _load(browser: Browser, room: ControlRoom, path: str) -> Load:
    context = browser.new_context(
        base_url=room.url,
        viewport={"width": 1440, "height": 900},
        bypass_csp=True,  # what asks the page whether it has painted is a string, which our policy forbids
        extra_http_headers={"Authorization": f"Bearer {room.key}"},
    )
    page = context.new_page()
    page.add_init_script(_OBSERVE)
    network = context.new_cdp_session(page)
    network.send("Network.enable")
    streams: set[str] = set()
    received: dict[str, int] = {}

    def sent(event: dict[str, object]) -> None:
        request = event["request"]
        if isinstance(request, dict) and any(part in str(request["url"]) for part in _STREAMS):
            streams.add(str(event["requestId"]))

    def finished(event: dict[str, object]) -> None:
        received[str(event["requestId"])] = int(str(event["encodedDataLength"]).partition(".")[0])

    network.on("Network.requestWillBeSent", sent)
    network.on("Network.loadingFinished", finished)
    page.goto(path, wait_until="load")
    page.wait_for_function(_PAINTED, timeout=10_000)
    time.sleep(0.2)  # what comes after the load event, such as the stream's parts, counts too
    first_byte, first_paint, largest_paint = page.evaluate(_READ)
    counted = [size for request_id, size in received.items() if request_id not in streams]
    context.close()
    return Load(first_byte, first_paint, largest_paint, sum(counted), len(counted))


def _median(loads: list[Load], what: str) -> float:
    return float(statistics.median(getattr(load, what) for load in loads))


def _told(loads: list[Load]) -> str:
    first, largest = _median(loads, "first_paint"), _median(loads, "largest_paint")
    size = _median(loads, "received")
    over = "  OVER" if largest > MOST_MS or size > MOST_BYTES else ""
    return (
        f"first paint {first:.0f} ms, largest {largest:.0f} ms, first byte {_median(loads, 'first_byte'):.0f} ms, "
        f"{size / 1000:.0f} KB in {_median(loads, 'requests'):.0f} requests{over}"
    )


if __name__ == "__main__":
    main()
