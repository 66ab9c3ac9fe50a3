"""The audit log's pages: list, one entry, export, and how the chain stands."""

import json

import httpx
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from controlroom.devices.schemas import DeviceEditIn
from controlroom.foundation.paging import PageRequest
from controlroom.web.pages.audit_entry.differences import differences, remaining
from web.served import Site, add_device


def edited_device(site: Site, name: str) -> int:
    """Rename a device and return the number of the entry that says so."""
    device = add_device(site, name)

    async def work() -> int:
        wanted = DeviceEditIn(name=f"{name}-renamed", labels=["excel"], slots=2)
        await site.app.state.devices.edit(site.caller, device.id, wanted, 1)
        found = await site.app.state.audit.page(PageRequest(filter=f"target_id:{device.id}"))
        return int(found.items[0].number)

    return site.do(work)


def test_the_list_is_filtered_by_its_address(client: httpx.Client, site: Site) -> None:
    number = edited_device(site, "filtered")
    answer = client.get("/audit", params={"filter": "action:device.edited target:filtered-renamed"})
    assert answer.status_code == 200
    assert f'href="/audit/{number}"' in answer.text
    assert "session.started" not in answer.text
    nothing = client.get("/audit", params={"filter": "actor:nobody-at-all"})
    assert "No entry matches" in nothing.text
    assert client.get("/audit", params={"filter": "colour:red"}).status_code == 422


def test_an_entry_shows_before_and_after_side_by_side(client: httpx.Client, site: Site) -> None:
    number = edited_device(site, "press")
    text = client.get(f"/audit/{number}").text
    assert "<del>press</del>" in text
    assert "<ins>press-renamed</ins>" in text
    assert "as it was written" in text
    assert client.get("/audit/999999999").status_code == 404


def test_the_chain_is_proved_and_a_checkpoint_is_handed_out(client: httpx.Client, site: Site) -> None:
    token = client.get("/audit").text.split('name="csrf-token" content="')[1].split('"')[0]
    assert client.post("/audit/verify", data={"csrf_token": token}).status_code == 303
    assert "whole up to" in client.get("/audit").text
    given = client.post("/audit/checkpoint", data={"csrf_token": token})
    assert given.headers["content-disposition"].startswith('attachment; filename="controlroom-checkpoint-')
    assert json.loads(given.text)["kind"] == "controlroom-audit-checkpoint"


def test_what_is_filtered_is_exported_as_csv_and_json_lines(client: httpx.Client, site: Site) -> None:
    edited_device(site, "exported")
    wanted = {"filter": "action:device.edited target:exported-renamed"}
    lines = client.get("/api/v1/audit/export", params=wanted).text.splitlines()
    assert [json.loads(line)["target_name"] for line in lines] == ["exported-renamed"]
    table = client.get("/api/v1/audit/export/csv", params=wanted).text.splitlines()
    assert (len(table), "exported-renamed" in table[1]) == (2, True)
    assert client.get("/api/v1/audit/export", params={"filter": "colour:red"}).status_code == 422
    state = client.get("/api/v1/audit/state", headers={"Accept": "application/json"}).json()
    assert state["newest_number"] > 0
    assert state["delivery"] is None


def test_the_pages_have_no_serious_fault_and_a_row_opens_its_entry(page: Page, site: Site) -> None:
    number = edited_device(site, "opened")
    for path in ("/audit", "/audit?filter=actor:nobody-at-all", "/audit?filter=x:y", f"/audit/{number}"):
        page.goto(path)
        found = Axe().run(page).response["violations"]
        assert [each["id"] for each in found if each["impact"] in ("serious", "critical")] == []
    page.goto("/audit")
    page.get_by_role("link", name="device.edited").first.click()
    expect(page.get_by_role("heading", name="device.edited")).to_be_visible()


def test_differences_are_told_value_by_value() -> None:
    detail = {
        "before": {"a": 1, "gone": "x", "deep": {"b": [1]}},
        "after": {"a": 2, "deep": {"b": [1]}, "new": None},
        "more": 5,
    }
    told = {each.name: (each.before, each.after, each.is_changed) for each in differences(detail)}
    assert told == {
        "a": ("1", "2", True),
        "gone": ("x", "–", True),
        "deep.b": ("[1]", "[1]", False),
        "new": ("–", "null", True),
    }
    assert remaining(detail) == {"more": 5}
    assert remaining({"before": 1, "after": 2}) == {"before": 1, "after": 2}
