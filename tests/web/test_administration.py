"""The administration in Chromium: what administrators, auditors and viewers may open, and what they do there."""

import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from controlroom.audit.retention import Removable
from controlroom.foundation.paging import PageRequest
from controlroom.identity.models import UserKind
from controlroom.identity.permissions import Permission
from controlroom.identity.places import PlaceKind
from controlroom.identity.roles import RoleEdit
from web.served import Site, add_device, add_run, publish

pytestmark = pytest.mark.browser

PASSWORD = "lamps over quiet rivers 7"
SERIOUS = ("serious", "critical")
SECTIONS = ("users", "roles", "rights", "why", "sessions", "keys", "settings", "health", "about")
OPEN_TO = {
    "administrator": set(SECTIONS),
    "auditor": set(SECTIONS) - {"sessions"},
    "viewer": set[str](),
}


@pytest.fixture(scope="module")
def people(site: Site) -> dict[str, str]:
    """Ids of some users by name: one a role, someone with roles at places, and a service account."""
    identity = site.app.state.identity
    publish(site, name="reconcile-orders")
    ids: dict[str, str] = {}

    async def make() -> None:
        for role in OPEN_TO:
            given = await identity.accounts.create(
                site.caller, name=f"the.{role}", roles=[role], password=PASSWORD
            )
            ids[role] = given.user.id
        for name in ("alan", "owner"):
            given = await identity.accounts.create(site.caller, name=name, roles=[], password=PASSWORD)
            ids[name] = given.user.id
        program = await identity.accounts.create(
            site.caller, name="deploy", roles=["bot_author"], kind=UserKind.SERVICE
        )
        ids["deploy"] = program.user.id
        await identity.api_keys.create(
            site.caller,
            name="pipeline",
            permissions=[Permission.BOT_READ],
            expires_at=datetime.now(UTC) + timedelta(days=30),
            user_id=program.user.id,
        )
        await identity.roles.create(
            site.caller,
            name="keeper",
            permissions=[Permission.RIGHTS_MANAGE, Permission.BOT_READ, Permission.RUN_READ],
        )
        for user, role, place in (("alan", "operator", "/finance"), ("owner", "keeper", "/finance/monthly")):
            await identity.assignments.give(
                site.caller, user=user, role=role, kind=PlaceKind.FOLDER, place=place
            )

    site.do(make)
    return ids


@pytest.fixture
def as_user(chromium: Browser, site: Site, people: dict[str, str]) -> Iterator[Callable[[str], Page]]:
    """Opens a browser in which someone is signed in."""
    contexts = []

    def open_for(name: str) -> Page:
        context = chromium.new_context(base_url=site.address, viewport={"width": 1280, "height": 900})
        context.set_default_timeout(15_000)
        contexts.append(context)
        page = context.new_page()
        page.goto("/sign-in")
        page.get_by_label("Name").fill(name)
        page.get_by_label("Password").fill(PASSWORD)
        page.get_by_role("button", name="Sign in").click()
        page.wait_for_url("**/dashboard")
        return page

    yield open_for
    for context in contexts:
        context.close()


def state_of(site: Site, ids: dict[str, str], name: str) -> Any:
    return site.do(lambda: site.app.state.identity.accounts.get(ids[name]))


@pytest.mark.parametrize("role", OPEN_TO)
def test_each_role_opens_what_is_theirs_and_reads_why_not_of_the_rest(
    as_user: Callable[[str], Page], role: str
) -> None:
    page = as_user(f"the.{role}")
    in_menu = page.get_by_role("navigation", name="Main").get_by_role("link", name="Administration")
    assert in_menu.count() == (1 if OPEN_TO[role] else 0)
    for section in SECTIONS:
        answer = page.goto(f"/administration/{section}")
        assert answer is not None
        assert answer.status == (200 if section in OPEN_TO[role] else 403), section
        if answer.status == 403:
            expect(page.get_by_text("This needs the right")).to_be_visible()
    if OPEN_TO[role]:
        page.goto("/administration")
        links = page.get_by_role("navigation", name="Administration").get_by_role("link")
        paths = {str(link.get_attribute("href")).rpartition("/")[2] for link in links.all()}
        assert paths == OPEN_TO[role]


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_no_page_of_the_administration_has_a_serious_fault(
    page: Page, people: dict[str, str], theme: str
) -> None:
    page.emulate_media(color_scheme=theme)  # type: ignore[arg-type]  # one of the two
    addresses = [
        *(f"/administration/{section}" for section in SECTIONS),
        f"/administration/users/{people['alan']}",
        f"/administration/users/{people['deploy']}",
        f"/administration/users/{people['alan']}/edit",
        "/administration/users/new",
        "/administration/users?filter=state:gone",
        "/administration/roles/keeper",
        "/administration/roles/keeper/edit",
        "/administration/rights?kind=folder&place=/finance/monthly",
    ]
    faults = []
    for address in addresses:
        page.goto(address)
        found = Axe().run(page).response["violations"]
        faults += [(address, each["id"]) for each in found if each["impact"] in SERIOUS]
    assert faults == []


def test_an_auditor_sees_and_cannot_press(as_user: Callable[[str], Page], people: dict[str, str]) -> None:
    page = as_user("the.auditor")
    for address in (
        "/administration/users",
        f"/administration/users/{people['alan']}",
        f"/administration/users/{people['deploy']}",
        "/administration/roles/keeper",
        "/administration/rights?kind=folder&place=/finance",
        "/administration/keys",
        "/administration/settings",
    ):
        page.goto(address)
        forms = page.locator("main form[method='post']:not([action^='/filters'])")
        assert forms.count() == 0, address
        assert page.get_by_role("link", name=re.compile("^(New|Edit|Change)")).count() == 0, address


def test_a_person_is_made_with_a_password_shown_once_disabled_and_enabled(page: Page, site: Site) -> None:
    page.goto("/administration/users")
    page.get_by_role("link", name="New user").click()
    page.get_by_label("Name", exact=False).first.fill("Grace Hopper")
    page.get_by_role("checkbox", name=re.compile("^operator")).check()
    page.get_by_role("button", name="Make the user").click()
    expect(page.locator(".field-error").first).to_be_visible()
    expect(page.get_by_role("checkbox", name=re.compile("^operator"))).to_be_checked()
    page.locator("#name").fill("grace")
    page.get_by_role("button", name="Make the user").click()
    expect(page.get_by_role("heading", name="grace is made")).to_be_visible()
    secret = page.locator(".secret-once code").inner_text()
    page.get_by_role("link", name="Open grace").click()
    assert secret not in page.content()
    page.get_by_role("button", name="Disable").click()
    page.locator("#disable").get_by_role("button", name="Disable").click()
    expect(page.locator("[data-part=state]")).to_contain_text("Disabled")
    page.get_by_role("button", name="Enable").click()
    expect(page.locator("[data-part=state]")).to_contain_text("Enabled")
    page.get_by_role("button", name="Reset password").click()
    page.locator("#reset-password").get_by_role("button", name="Reset the password").click()
    expect(page.locator(".secret-once")).to_contain_text("shown only now")
    assert page.locator(".secret-once code").inner_text() != secret


def test_an_edit_made_meanwhile_is_shown_and_nothing_typed_is_lost(
    page: Page, site: Site, people: dict[str, str]
) -> None:
    page.goto(f"/administration/users/{people['alan']}/edit")
    page.get_by_label("Shown as").fill("Mine")
    accounts = site.app.state.identity.accounts
    site.do(
        lambda: accounts.edit(
            site.caller, people["alan"], display_name="Theirs", check_revision=lambda _: None
        )
    )
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("alert")).to_contain_text("Someone changed this")
    expect(page.locator(".stale")).to_contain_text("Theirs")
    expect(page.get_by_label("Shown as")).to_have_value("Mine")
    assert state_of(site, people, "alan").display_name == "Theirs"
    page.get_by_role("button", name="Put mine in its place").click()
    page.wait_for_url(f"**/users/{people['alan']}")
    assert state_of(site, people, "alan").display_name == "Mine"


def test_a_role_is_made_edited_over_a_conflict_and_removed(page: Page, site: Site) -> None:
    page.goto("/administration/roles/new")
    page.locator("#name").fill("night")
    page.get_by_role("checkbox", name=re.compile("^run.read")).check()
    page.get_by_role("button", name="Make the role").click()
    expect(page.get_by_role("heading", name="night", exact=True)).to_be_visible()
    expect(page.locator(".right-list li:not(.lacks)")).to_have_count(1)
    page.get_by_role("link", name="Edit").click()
    page.get_by_role("checkbox", name=re.compile("^run.control")).check()
    roles = site.app.state.identity.roles
    theirs = RoleEdit(permissions=[Permission.RUN_READ, Permission.DEVICE_READ])
    site.do(lambda: roles.edit(site.caller, "night", theirs, check_revision=lambda _: None))
    page.get_by_role("button", name="Save").click()
    expect(page.locator(".stale")).to_contain_text("device.read")
    expect(page.locator(".stale")).to_contain_text("run.control")
    page.get_by_role("button", name="Put mine in its place").click()
    page.wait_for_url("**/roles/night")
    found = site.do(lambda: roles.get("night"))
    assert found.permissions == {Permission.RUN_READ, Permission.RUN_CONTROL}
    page.get_by_role("button", name="Delete").click()
    page.locator("#delete").get_by_role("button", name="Delete the role").click()
    page.wait_for_url("**/administration/roles")
    assert page.get_by_role("link", name="night", exact=True).count() == 0


def test_a_shipped_role_takes_only_the_second_factor(page: Page, people: dict[str, str]) -> None:
    page.goto("/administration/roles/viewer/edit")
    assert page.locator("input[name=permission]").count() == 0
    expect(page.get_by_text("ships with the product")).to_be_visible()


def test_rights_are_given_inherited_and_taken_back(page: Page, site: Site, people: dict[str, str]) -> None:
    page.goto("/administration/rights?kind=folder&place=/finance/monthly")
    inherited = page.get_by_role("region", name="Inherited roles")
    expect(inherited.get_by_role("row", name=re.compile("alan operator"))).to_contain_text("folder /finance")
    page.get_by_label("User", exact=True).fill("nobody.here")
    page.get_by_role("button", name="Give the role").click()
    expect(page.get_by_role("alert")).to_contain_text("There is no user 'nobody.here'")
    expect(page.get_by_label("User", exact=True)).to_have_value("nobody.here")
    page.get_by_label("User", exact=True).fill("alan")
    page.get_by_label("Role here").select_option("viewer")
    page.get_by_role("button", name="Give the role").click()
    row = page.get_by_role("region", name="Roles given here").get_by_role(
        "row", name=re.compile("^alan viewer")
    )
    expect(row).to_be_visible()
    row.get_by_role("button", name="Take back").click()
    expect(row).to_have_count(0)


def test_who_manages_a_folder_gives_roles_there_and_looks_nowhere_else(
    as_user: Callable[[str], Page],
) -> None:
    page = as_user("owner")
    page.goto("/administration")
    expect(page.get_by_role("heading", name="Folder /finance/monthly")).to_be_visible()
    expect(page.get_by_text("What is given above this place")).to_be_visible()
    assert page.get_by_role("link", name="Everywhere").count() == 0
    for elsewhere in ("kind=root", "kind=folder&place=/finance", "kind=folder&place=/sales"):
        answer = page.goto(f"/administration/rights?{elsewhere}")
        assert answer is not None
        assert answer.status == 403
        assert "alan" not in page.content()


def test_a_service_account_gets_a_key_that_is_rotated_and_revoked(
    page: Page, site: Site, people: dict[str, str]
) -> None:
    page.goto(f"/administration/users/{people['deploy']}")
    page.get_by_text("Make a key").click()
    page.get_by_label("Name of the key").fill("staging")
    page.get_by_role("checkbox", name=re.compile("^bot.publish")).check()
    page.get_by_role("button", name="Make the key").click()
    assert re.fullmatch(r"crk_[\w-]{43}", page.locator(".secret-once code").inner_text())
    row = page.get_by_role("row", name=re.compile("^staging"))
    row.get_by_role("button", name="Rotate").click()
    page.locator("dialog[open]").get_by_label("Hours that the old key counts on").fill("2")
    page.locator("dialog[open]").get_by_role("button", name="Rotate").click()
    expect(row).to_have_count(2)
    row.first.get_by_role("button", name="Revoke").click()
    expect(page.get_by_role("row", name=re.compile("^staging.*Revoked"))).to_have_count(1)
    page.goto("/administration/keys?filter=user:deploy")
    page.get_by_role("row", name=re.compile("^pipeline")).get_by_role("button", name="Revoke").click()
    expect(page.get_by_role("row", name=re.compile("^pipeline.*Revoked"))).to_be_visible()


def test_someone_is_signed_out_from_the_list_of_sessions(page: Page, as_user: Callable[[str], Page]) -> None:
    theirs = as_user("the.viewer")
    page.goto("/administration/sessions?filter=user:the.viewer")
    rows = page.locator("[data-rows] tr")
    expect(rows.first).to_contain_text("127.0.0.1")
    while rows.count():
        before = rows.count()
        rows.first.get_by_role("button", name="Sign out").click()
        expect(rows).to_have_count(before - 1)
    theirs.goto("/activity")
    expect(theirs).to_have_url(re.compile("/sign-in"))


def test_a_setting_is_changed_refused_and_put_back(page: Page, site: Site) -> None:
    live = site.app.state.live
    at_start = site.app.state.settings.session_idle_minutes
    put_back = f"Put back to {at_start}"
    page.goto("/administration/settings")
    field = page.get_by_role("textbox", name=re.compile("^Longest pause of a session"))
    change = page.locator(".setting", has=field).get_by_role("button", name="Change")
    for wrong in ("1", "soon"):
        field.fill(wrong)
        change.click()
        expect(page.get_by_role("alert")).to_be_visible()
        expect(field).to_have_value(wrong)
    assert live.session_idle_minutes == at_start
    field.fill("90")
    change.click()
    expect(page.get_by_role("button", name=put_back)).to_be_visible()
    assert live.session_idle_minutes == 90
    page.get_by_role("button", name=put_back).click()
    expect(page.get_by_role("button", name=put_back)).to_have_count(0)
    assert live.session_idle_minutes == at_start
    entries = site.do(lambda: site.app.state.audit.page(PageRequest(filter="action:setting.changed")))
    assert [entry.target_id for entry in entries.items] == ["session_idle_minutes"] * 2


def test_letting_audit_entries_go_asks_first_and_says_how_many(
    page: Page, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    began, ended = datetime(2026, 1, 2, 8, tzinfo=UTC), datetime(2026, 3, 4, 9, tzinfo=UTC)

    async def some(_before: datetime) -> Removable:
        return Removable(1_234, 1, 1_234, began, ended)

    monkeypatch.setattr(site.app.state.audit, "would_remove", some)
    live = site.app.state.live
    at_start = live.audit_retention_days
    page.goto("/administration/settings")
    setting = page.locator(".setting", has=page.locator("#s-audit_retention_days"))
    for answer in ("Keep as it is", "Remove them"):
        setting.get_by_role("textbox").fill("7")
        setting.get_by_role("button", name="Change").click()
        asked = setting.get_by_role("alert")
        expect(asked).to_contain_text("1,234 audit entries go for good")
        expect(asked).to_contain_text("from 2026-01-02 08:00 to 2026-03-04 09:00 UTC")
        assert live.audit_retention_days == at_start
        asked.get_by_role("link" if answer.startswith("Keep") else "button", name=answer).click()
        expect(setting.get_by_role("alert")).to_have_count(0)
    expect(setting.get_by_role("textbox")).to_have_value("7")
    assert live.audit_retention_days == 7
    setting.get_by_role("button", name="Put back").click()
    expect(setting.get_by_role("textbox")).to_have_value(str(at_start))


def test_health_names_what_is_missing_and_what_to_do(page: Page) -> None:
    page.goto("/administration/health")
    backups = page.locator(".health li", has=page.get_by_role("heading", name="Backups"))
    expect(backups).to_contain_text("controlroom database backup")
    expect(page.locator(".health li", has=page.get_by_role("heading", name="Database"))).to_contain_text(
        "Well"
    )


def test_the_guide_of_a_first_visit_goes_away_by_itself(page: Page, site: Site) -> None:
    publish(site)
    page.goto("/dashboard")
    guide = page.locator(".first-steps")
    expect(guide.locator("li.done")).to_have_count(1)
    add_device(site, "robot-01")
    page.reload()
    expect(guide.get_by_role("link", name="Run it")).to_be_visible()
    add_run(site, publish(site), "reconcile-orders")
    page.reload()
    expect(guide).to_have_count(0)
