"""The second factor in a real browser: an app's code, a passkey of Chromium's virtual authenticator, a role that asks."""

import base64
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from controlroom.identity.factors.totp import code_at
from controlroom.identity.roles import RoleEdit
from web.served import Site, served_site

pytestmark = pytest.mark.browser

PASSWORD = "lamps over quiet rivers"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder: Path = tmp_path_factory.mktemp("factors")
    with served_site(folder) as served:
        served.address = served.address.replace("127.0.0.1", "localhost")  # passkeys are made for names
        yield served


def add_user(site: Site, name: str, role: str = "viewer") -> None:
    site.do(
        lambda: site.app.state.identity.accounts.create(
            site.caller, name=name, roles=[role], password=PASSWORD
        )
    )


@pytest.fixture
def tab(chromium: Browser, site: Site) -> Iterator[Page]:
    context = chromium.new_context(base_url=site.address)
    page = context.new_page()
    page.set_default_timeout(15_000)
    yield page
    context.close()


def sign_in(tab: Page, name: str) -> None:
    tab.goto("/sign-in")
    tab.get_by_label("Name").fill(name)
    tab.get_by_label("Password").fill(PASSWORD)
    tab.get_by_role("button", name="Sign in").click()


def sign_out(tab: Page) -> None:
    tab.context.clear_cookies()


def add_authenticator(tab: Page) -> None:
    devtools = tab.context.new_cdp_session(tab)
    devtools.send("WebAuthn.enable")
    options = {
        "protocol": "ctap2",
        "transport": "internal",
        "hasResidentKey": True,
        "hasUserVerification": True,
        "isUserVerified": True,
        "automaticPresenceSimulation": True,
    }
    devtools.send("WebAuthn.addVirtualAuthenticator", {"options": options})


def test_an_app_is_enrolled_and_asked_for(site: Site, tab: Page) -> None:
    add_user(site, "app-user")
    sign_in(tab, "app-user")
    tab.goto("/me")
    tab.get_by_role("link", name="Add one").click()
    tab.get_by_role("button", name="Add an app").click()
    secret = base64.b32decode(tab.locator(".command code").inner_text().replace(" ", ""))
    tab.get_by_label("Code that the app shows").fill("000000")
    tab.get_by_role("button", name="Add the app").click()
    expect(tab.get_by_text("The code is not right")).to_be_visible()
    step = int(time.time()) // 30
    tab.get_by_label("Code that the app shows").fill(code_at(secret, step))
    tab.get_by_role("button", name="Add the app").click()
    codes = tab.locator(".codes pre").inner_text().split()
    assert len(codes) == 10
    tab.get_by_role("link", name="I have kept them").click()
    expect(tab.get_by_text("Authenticator app", exact=True).first).to_be_visible()
    sign_out(tab)
    sign_in(tab, "app-user")
    expect(tab.get_by_role("heading", name="One more step")).to_be_visible()
    tab.get_by_label("Code of your app").fill("000000")
    tab.get_by_role("button", name="Sign in").click()
    expect(tab.get_by_text("That was not right")).to_be_visible()
    tab.get_by_label("Code of your app").fill(code_at(secret, step + 1))
    tab.get_by_role("button", name="Sign in").click()
    tab.wait_for_url("**/dashboard")
    sign_out(tab)
    sign_in(tab, "app-user")
    tab.get_by_label("Code of your app").fill(codes[0])
    tab.get_by_role("button", name="Sign in").click()
    tab.wait_for_url("**/dashboard")


def test_a_passkey_is_made_and_used(site: Site, tab: Page) -> None:
    add_user(site, "key-user")
    sign_in(tab, "key-user")
    tab.wait_for_url("**/dashboard")
    add_authenticator(tab)
    tab.goto("/me/second-factor")
    tab.wait_for_selector("html[data-started=yes]")
    tab.get_by_label("Name").fill("Laptop")
    tab.get_by_role("button", name="Add a passkey").click()
    expect(tab.locator(".codes pre")).to_be_visible()
    tab.get_by_role("link", name="I have kept them").click()
    expect(tab.get_by_text("Laptop").first).to_be_visible()
    sign_out(tab)
    sign_in(tab, "key-user")
    tab.wait_for_selector("html[data-started=yes]")
    tab.get_by_role("button", name="Use your passkey").click()
    tab.wait_for_url("**/dashboard")


def test_a_passkey_of_another_server_opens_nothing(site: Site, tab: Page) -> None:
    add_user(site, "other-user")
    sign_in(tab, "other-user")
    tab.wait_for_url("**/dashboard")
    add_authenticator(tab)
    tab.goto("/me/second-factor")
    tab.wait_for_selector("html[data-started=yes]")
    tab.get_by_role("button", name="Add a passkey").click()
    expect(tab.locator(".codes pre")).to_be_visible()
    sign_out(tab)
    sign_in(tab, "other-user")
    tab.wait_for_selector("html[data-started=yes]")
    tab.evaluate(
        """() => {
            const form = document.querySelector("form[data-passkey-use]");
            const options = JSON.parse(form.dataset.passkeyUse);
            options.challenge = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
            form.dataset.passkeyUse = JSON.stringify(options);
        }"""
    )
    tab.get_by_role("button", name="Use your passkey").click()
    expect(tab.get_by_text("That was not right")).to_be_visible()


def test_who_must_enrol_sees_nothing_else_first(site: Site, tab: Page) -> None:
    identity = site.app.state.identity
    site.do(
        lambda: identity.roles.create(site.caller, name="careful", permissions=["run.read", "own.account"])
    )
    site.do(
        lambda: identity.roles.edit(
            site.caller, "careful", RoleEdit(requires_second_factor=True), check_revision=lambda _: None
        )
    )
    add_user(site, "careful-user", "careful")
    sign_in(tab, "careful-user")
    for path in ("/activity", "/me", "/devices", "/"):
        tab.goto(path)
        tab.wait_for_url("**/me/second-factor")
    expect(tab.get_by_text("until then nothing else is open to you")).to_be_visible()
    answer = tab.request.get("/api/v1/runs")
    assert (answer.status, answer.json()["code"]) == (403, "second_factor_needed")
    add_authenticator(tab)
    tab.wait_for_selector("html[data-started=yes]")
    tab.get_by_role("button", name="Add a passkey").click()
    tab.get_by_role("link", name="I have kept them").click()
    tab.goto("/activity")
    expect(tab.get_by_role("heading", name="Activity")).to_be_visible()
