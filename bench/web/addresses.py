"""The addresses that a large room is asked for: every page and list of the API, found from the routes, and filters beside them."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from stored import made_id

from controlroom.foundation.settings import Settings
from controlroom.identity.route_audit import route_permissions
from controlroom.server.app import create_app
from serving import ControlRoom

_SITES = Path(__file__).parents[2] / "examples" / "network"
SMALL_SITE = _SITES / "five-nodes.toml"
LARGE_SITE = _SITES / "thousand-runners.toml"
_PLACES = {SMALL_SITE: "node-1", LARGE_SITE: "database"}
"""Whose firewall is proved."""
_PARAMETER = re.compile(r"{(\w+)(?::\w+)?}")
_PAGE = {"Accept": "text/html"}
_NO_PAGES = ("/api/", "/static/", "/health/", "/metrics", "/runner/", "/network")
_LEFT_OUT = (
    "/",
    "/administration",
    "/sign-in",
    "/devices/join/{token_id}",
    "/runs/{run_id}/pictures/{artifact_id}",
    "/me/new-password",
    "/me",
    "/me/second-factor",
)
"""What sends on, is of one's own session, or needs an artifact."""
_OF_A_PACKAGE = ("/bots/{bot_id}/compare", "/bots/{bot_id}/run")
"""What needs more of a bot than its row: two versions with their files."""
_SCRIPT = '# /// script\n# requires-python = ">=3.11"\n# ///\nprint("{words}")\n'
_FAILED = "state:failed,timed_out,lost,rejected"
_FILTERS = {
    "activity": (
        "",
        _FAILED,
        "state:assigned,running,paused",
        "state:succeeded",
        "bot:invoices-000",
        f"bot:invoices-000 {_FAILED}",
        "bot:nobody",
        "device:robot-00007",
        "by:alice",
        "by:nobody",
        "by:ali*",
        "invoices",
        "invoices-000",
        "portal",
        "zebra",
        "-zebra",
        "invoices zebra",
        f"zebra {_FAILED}",
        "created>=2026-01-01 created<2026-06-01",
        "version:1",
        "version:99",
        "label:nowhere",
        "label:none",
        "pool:pool-01",
        "pool:none",
        "priority>50",
        "repeats:none",
        "ended<2026-01-01",
    ),
    "audit": (
        "",
        "action:device.edited",
        "action:session.*",
        "action:none",
        "outcome:refused",
        "outcome:failed",
        "actor:person-7",
        "actor:none",
        "actor_kind:user",
        "address:192.0.2.8",
        "request:none",
        "target_kind:none",
        "target:invoices-000",
        "zebra",
        "invoices",
        "invoices-000",
        "requested",
        "invoices -requested",
        "time>=2026-01-01 time<2026-06-01",
    ),
    "devices": (
        "",
        "label:site-7",
        "label:none",
        "connected:no mode:active",
        "mode:draining,disabled",
        "099",
        "zebra",
    ),
    "bots": ("", "zebra", "invoices"),
    "pools": ("", "zebra"),
}
_RUNS = {"that succeeded": 7, "that waits": -5, "that runs": -300}
_LISTS = (
    "/runs",
    "/runs/overview",
    "/bots",
    "/folders",
    "/devices",
    "/pools",
    "/join-tokens",
    "/filters",
    "/sessions",
    "/users",
    "/permissions",
    "/roles",
    "/role-assignments",
    "/role-holders",
    "/api-keys",
    "/audit",
    "/audit/state",
    "/dashboard",
    "/settings",
    "/network/site/versions",
    "/network/reports",
)


@dataclass(frozen=True, slots=True)
class Address:
    """Something to ask for. ``name`` says what it is."""

    name: str
    path: str
    headers: Mapping[str, str] = field(default_factory=lambda: _PAGE)


def addresses(room: ControlRoom) -> Iterator[Address]:
    """Give every page but those of the network, filters of the lists, and the API's lists."""
    known = _known(room)
    for words in ("first", "second"):
        published = room.publish(_SCRIPT.format(words=words), "published")
    routes = route_permissions(create_app(Settings()))
    for path in sorted({route.path for route in routes if "GET" in route.methods}):
        if not path.startswith(_NO_PAGES) and path not in _LEFT_OUT:
            ids = known | {"bot_id": published} if path in _OF_A_PACKAGE else known
            yield Address(f"page {path}", _PARAMETER.sub(lambda found, ids=ids: ids[found[1]], path))
    yield Address("page /dashboard, a fortnight", "/dashboard?period=fortnight")
    yield Address("page /jump, a word", "/jump?words=invoices")
    yield Address("page /jump, a word that nothing has", "/jump?words=zebra")
    count = room.client.get("/api/v1/runs?limit=1").json()["items"][0]["id"]
    newest = int(count.rpartition("_")[2])
    for words, number in _RUNS.items():
        run_id = made_id("run", number if number > 0 else newest + number)
        yield Address(f"page of a run {words}", f"/runs/{run_id}")
    for name, filters in _FILTERS.items():
        for words in filters[1:]:
            yield Address(f"page /{name}, {words}", f"/{name}?filter={words}")
    yield Address("page /activity, oldest first", "/activity?sort=created")
    yield Address("page /activity, the second", _second(room))
    for path in _LISTS:
        yield Address(f"API {path}", f"/api/v1{path}", {})
    yield Address("API /runs, 500", "/api/v1/runs?limit=500", {})
    yield Address("API /runs, zebra", "/api/v1/runs?filter=zebra", {})


def network_addresses(site: str, reports: Mapping[str, str]) -> Iterator[Address]:
    """Give the pages of the network for the site that is declared now."""
    paths = {
        "/network": "/network",
        "/network/rules": "/network/rules",
        "/network/site": "/network/site",
        "/network/site/versions": "/network/site/versions/1",
        "/network/proofs": "/network/proofs",
        "/network/probes": "/network/probes",
    }
    for kind, report_id in reports.items():
        paths[f"a report of /network/{kind}"] = f"/network/{kind}/{report_id}"
    for name, path in paths.items():
        yield Address(f"page {name}, {site}", path)
    for path in ("site", "flows", "diagram", "targets"):
        yield Address(f"API /network/{path}, {site}", f"/api/v1/network/{path}", {})


def declare(room: ControlRoom, site: Path) -> dict[str, str]:
    """Declare a site, prove one of its firewalls, keep a report of probes; return the reports' ids by kind."""
    known = room.client.get("/api/v1/network/site")
    based_on = known.json()["number"] if known.is_success else None
    wanted = {"text": site.read_text("utf-8"), "note": site.stem, "based_on": based_on}
    answer = room.client.put("/api/v1/network/site", json=wanted)
    if answer.is_error:
        print(answer.text)
    answer.raise_for_status()
    place = _PLACES[site]
    rules = room.client.get(
        "/api/v1/network/rules", params={"target": "nftables", "place": place}
    ).raise_for_status()
    files = [{"name": each["name"], "text": each["text"]} for each in rules.json()["files"][:1]]
    proof = room.client.post("/api/v1/network/proofs", json={"place": place, "files": files})
    probes = room.client.post("/api/v1/network/probes", json=_probes(answer.json()["name"], place))
    reports = {"proofs": proof, "probes": probes}
    for report in reports.values():
        if report.is_error:
            print(report.text)
    return {kind: report.raise_for_status().json()["id"] for kind, report in reports.items()}


def _probes(site: str, place: str) -> dict[str, Any]:
    answer = {
        "flow": "database-postgresql", "purpose": "state", "destination": "database", "host": "10.20.3.11",
        "transport": "tcp", "port": 5432, "probe": "postgresql", "expected": "open", "verdict": "filtered",
        "judgement": "not as needed", "evidence": "no answer", "advice": "verify the border", "seconds": 3.0,
    }  # fmt: skip
    return {
        "site": site,
        "source": place,
        "holds": False,
        "answers": [answer] * 40,
        "disagreements": [],
        "notes": [],
    }


def _known(room: ControlRoom) -> dict[str, str]:
    users = room.client.get("/api/v1/users").json()["items"]
    entry = room.client.get("/api/v1/audit?limit=1").json()["items"][0]
    return {
        "run_id": made_id("run", 7),
        "bot_id": made_id("bot", 7),
        "device_id": made_id("dev", 7),
        "pool_id": made_id("pol", 7),
        "user_id": users[0]["id"],
        "name": "operator",
        "number": str(entry["number"]),
    }


def _second(room: ControlRoom) -> str:
    cursor = room.client.get("/api/v1/runs?limit=50").json()["next_cursor"]
    return f"/activity?cursor={cursor}"
