"""Pools and devices: made, edited and removed in the browser, and a new device shown as it arrives."""

import re

import httpx
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from controlroom.devices.schemas import PoolIn
from controlroom.foundation.paging import PageRequest
from controlroom.protocol import PROTOCOL_VERSION
from controlroom.protocol.join import JoinRequest
from controlroom.protocol.messages import DeviceFacts
from web.served import Site, add_device

SERIOUS = ("serious", "critical")
FACTS = DeviceFacts("host", "linux", "6", "x86_64", "3.11", "0.1.0", 4, 8_000_000_000)


def faults(page: Page) -> list[str]:
    found = Axe().run(page).response["violations"]
    return [each["id"] for each in found if each["impact"] in SERIOUS]


def test_a_pool_is_made_edited_and_removed(page: Page, site: Site) -> None:
    add_device(site, "press-1")
    add_device(site, "press-2")
    page.goto("/pools")
    assert faults(page) == []
    page.get_by_role("link", name="Make the first pool").click()
    page.get_by_label("Name").fill("night")
    page.get_by_label("Devices", exact=False).last.fill("press-2\nnobody")
    page.get_by_role("button", name="Make the pool").click()
    expect(page.get_by_text("There is no device 'nobody'.")).to_be_visible()
    assert faults(page) == []
    expect(page.get_by_label("Name")).to_have_value("night")
    page.locator("#devices").fill("press-2\npress-1")
    page.get_by_label("Its devices are filled").select_option("listed")
    page.get_by_role("button", name="Make the pool").click()
    expect(page.get_by_role("heading", name="night")).to_be_visible()
    assert page.locator("tbody th a").all_inner_texts()[:2] == ["press-2", "press-1"]
    assert faults(page) == []
    page.get_by_role("link", name="Edit").click()
    page.get_by_label("Its runs share it").select_option("round_robin")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("round robin: the bots take turns")).to_be_visible()
    page.get_by_role("button", name="Delete", exact=True).click()
    page.get_by_role("button", name="Delete the pool").click()
    page.wait_for_url("**/pools")
    expect(page.get_by_role("heading", name="No pool yet")).to_be_visible()


def test_a_role_at_a_pool_is_given_and_taken_back(page: Page, site: Site) -> None:
    async def prepare() -> str:
        from controlroom.devices.schemas import PoolIn

        state = site.app.state
        await state.identity.accounts.create(
            site.caller, name="carla", roles=["viewer"], password="long enough 12"
        )
        return str((await state.devices.create_pool(site.caller, PoolIn(name="owned"))).id)

    pool_id = site.do(prepare)
    page.goto(f"/pools/{pool_id}")
    page.get_by_label("User").fill("carla")
    page.get_by_label("Role here").select_option("operator")
    page.get_by_role("button", name="Give the role").click()
    expect(page.get_by_text("owns it")).to_be_visible()
    assert faults(page) == []
    page.get_by_role("button", name="Take back").click()
    expect(page.get_by_text("Nobody has a role at this pool alone")).to_be_visible()


def test_a_device_is_edited_and_its_history_told(page: Page, site: Site) -> None:
    device = add_device(site, "editable")

    async def come_and_go() -> None:
        presence = site.app.state.presence
        await presence.connected(device.id, "con_1", FACTS)
        await presence.disconnected(device.id, "con_1")
        await presence.connected(device.id, "con_2", FACTS, protocol_version=PROTOCOL_VERSION - 1)

    site.do(come_and_go)
    page.goto(f"/devices/{device.id}")
    expect(page.get_by_text("Went offline")).to_be_visible()
    expect(page.get_by_text(f"of {PROTOCOL_VERSION}: upgrade its Bot Runner")).to_be_visible()
    page.get_by_role("button", name="Edit").click()
    page.get_by_label("Name").fill("edited")
    page.get_by_role("textbox", name="Slots").fill("7")
    page.get_by_role("textbox", name="Labels").fill("excel, sap")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("0 / 7")).to_be_visible()
    expect(page.locator(".facts .label").last).to_have_text("sap")
    assert faults(page) == []


def test_a_new_device_shows_on_the_join_page_as_it_arrives(page: Page, site: Site) -> None:
    page.goto("/devices/join")
    page.get_by_role("button", name="Make a join token").click()
    expect(page.get_by_text("Waiting for the machine to join")).to_be_visible()
    token = re.search(r"crj_[\w-]+", page.content())
    assert token
    assert faults(page) == []

    async def join() -> None:
        await site.app.state.joining.join(JoinRequest(token[0], "newcomer", FACTS), "192.0.2.1")

    site.do(join)
    expect(page.get_by_text("newcomer has joined")).to_be_visible()


def test_the_list_of_devices_has_its_faces(client: httpx.Client, page: Page, site: Site) -> None:
    add_device(site, "listed", labels=["only-here"])
    assert "listed" in client.get("/devices", params={"filter": "label:only-here"}).text
    table = client.get("/api/v1/devices/export", params={"filter": "label:only-here"}).text
    assert table.splitlines()[0].startswith("id,name,mode")
    for path in ("/devices", "/devices?filter=label:nobody", "/devices?filter=x:y"):
        page.goto(path)
        assert faults(page) == []


def test_many_devices_are_drained_after_it_was_said_what_will_happen(page: Page, site: Site) -> None:
    devices = [add_device(site, f"many-{number}") for number in range(3)]
    page.goto("/devices?filter=many-")
    for box in page.get_by_label("Select this device").all()[:2]:
        box.check()
    page.get_by_role("button", name="Drain…").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("Drain 2 devices. They take nothing new; nothing runs on them now.")
    assert faults(page) == []
    dialog.get_by_role("button", name="Drain 2 devices").click()
    expect(page.get_by_text("2 devices draining.")).to_be_visible()

    async def modes() -> list[str]:
        found = await site.app.state.devices.names(site.caller, [device.id for device in devices])
        return sorted(str(device.mode) for device in found.values())

    assert site.do(modes) == ["active", "draining", "draining"]


def test_pools_are_filtered_and_a_wrong_filter_is_told(client: httpx.Client, site: Site) -> None:
    async def make() -> None:
        from controlroom.devices.schemas import PoolIn

        await site.app.state.devices.create_pool(site.caller, PoolIn(name="filtered", description="at sea"))

    site.do(make)
    assert "filtered" in client.get("/pools", params={"filter": "sea"}).text
    assert "No pool matches" in client.get("/pools", params={"filter": "nowhere-at-all"}).text
    assert client.get("/pools", params={"filter": "colour:red"}).status_code == 422
    given = client.get("/api/v1/pools/export", params={"filter": "sea"}).text.splitlines()
    assert (len(given), ",filtered," in given[1]) == (2, True)


def test_a_large_pool_shows_its_first_devices_and_leads_to_all(page: Page, site: Site) -> None:
    devices = [add_device(site, f"many-{number:03}").id for number in range(103)]
    site.do(lambda: site.app.state.devices.create_pool(site.caller, PoolIn(name="Many", device_ids=devices)))
    page.goto("/pools")
    page.get_by_role("link", name="Many").click()
    expect(page.get_by_role("link", name="many-099")).to_be_visible()
    expect(page.get_by_role("link", name="many-100")).to_have_count(0)
    expect(page.get_by_text("3 more are in the pool")).to_be_visible()
    page.get_by_role("link", name="Show all of its devices").click()
    expect(page.get_by_role("link", name="many-000")).to_be_visible()
    found = site.do(lambda: site.app.state.devices.list(site.caller, PageRequest("pool:Many", limit=200)))
    assert len(found.items) == 103
