"""The network pages in a browser: a site is declared, changed and proved by an administrator, and only read by a viewer."""

import json
import re
import socket
from contextlib import closing
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from controlroom.network.policy import derive_policy
from controlroom.network.projection import Projector
from controlroom.network.renderers import renderer, renderers
from controlroom.network.site import parse_site
from controlroom.sites.errors import SiteUnchanged
from controlroom.sites.models import DeclaredSite
from web.served import Site

pytestmark = pytest.mark.browser

SERIOUS = ("serious", "critical")
EXAMPLE = Path(__file__).resolve().parents[2] / "examples/network/five-nodes.toml"
PASSWORD = "long enough 12"
# A process answers each question, and on a busy machine it takes a while to start.
ANSWER = 30_000


@pytest.fixture
def declared(site: Site) -> str:
    """The five nodes as the present version; gives their text."""
    text = EXAMPLE.read_text(encoding="utf-8")

    async def declare() -> None:
        try:
            await site.app.state.sites.declare(site.caller, text)
        except SiteUnchanged:
            return

    site.do(declare)
    return text


def present(site: Site) -> int:
    """Return the number of the present version."""
    found: DeclaredSite = site.do(lambda: site.app.state.sites.current(site.caller))
    return found.number


def faults(page: Page) -> list[str]:
    found = Axe().run(page).response["violations"]
    return [f"{each['id']}: {each['nodes'][0]['html'][:200]}" for each in found if each["impact"] in SERIOUS]


def as_reader(site: Site, chromium: Browser, *, role: str) -> Page:
    """Sign in someone with a role that changes nothing here."""

    async def prepare() -> None:
        await site.app.state.identity.accounts.create(
            site.caller, name=f"nora-{role}", roles=[role], password=PASSWORD
        )

    site.do(prepare)
    opened = chromium.new_context(base_url=site.address).new_page()
    opened.goto("/sign-in")
    opened.get_by_label("Name").fill(f"nora-{role}")
    opened.get_by_label("Password").fill(PASSWORD)
    opened.get_by_role("button", name="Sign in").click()
    opened.wait_for_url(re.compile(r"/(dashboard|me)"))
    return opened


def test_a_first_site_is_declared_from_an_example(page: Page) -> None:
    page.goto("/network")
    expect(page.get_by_role("heading", name="No site is declared yet")).to_be_visible()
    assert faults(page) == []
    page.get_by_role("link", name="Start from an example").click()
    page.get_by_role("link", name="Two servers behind a load balancer").click()
    expect(page.get_by_label("site.toml")).to_have_value(re.compile(r"\[balancer\.entrance\]"))
    page.get_by_role("button", name="See what would change").click()
    expect(page.get_by_text("It would be the first version")).to_be_visible(timeout=ANSWER)
    assert faults(page) == []
    page.get_by_role("button", name="Declare").click()
    page.wait_for_url("**/network", timeout=ANSWER)
    expect(page.get_by_role("heading", name="Which zone speaks to which")).to_be_visible()
    page.get_by_role("link", name="1 flows from front to nodes").click()
    expect(page.get_by_role("heading", name="From front to nodes")).to_be_visible()
    expect(page.get_by_role("rowheader", name="balancer-web")).to_be_visible()
    expect(page.get_by_role("rowheader", name="runner-link")).to_have_count(0)
    expect(page.locator(".network-diagram svg")).to_be_visible()
    assert faults(page) == []


def test_a_fault_is_shown_with_its_line_and_what_was_typed_stays(page: Page, declared: str) -> None:
    wrong = declared.replace('roles = ["control-room"]', 'roles = ["contrl-room"]', 1)
    assert wrong != declared
    line = next(number for number, each in enumerate(wrong.splitlines(), 1) if "contrl-room" in each)
    page.goto("/network/site")
    page.get_by_label("site.toml").fill(wrong)
    page.get_by_role("button", name="Declare").click()
    expect(page.locator(".form-error")).to_contain_text("did you mean 'control-room'?", timeout=ANSWER)
    expect(page.locator(".form-error")).to_contain_text(f"site.toml:{line}:")
    expect(page.locator(".at-fault")).to_contain_text("contrl-room")
    expect(page.get_by_label("site.toml")).to_have_value(wrong)
    assert faults(page) == []


def test_a_change_is_told_in_words_before_it_counts_and_after(page: Page, site: Site, declared: str) -> None:
    number = present(site)
    page.goto("/network/site")
    page.get_by_label("site.toml").fill(declared + "\n[ports]\npostgresql = 5433\n")
    page.get_by_role("button", name="See what would change").click()
    expect(page.locator(".changes")).to_contain_text("tcp 5433 (IPv4)", timeout=ANSWER)
    expect(page.locator(".changes li").first).to_contain_text("opens")
    expect(page.locator(".changes li").last).to_contain_text("closes")
    page.get_by_label("Why it changes").fill("The database moved")
    page.get_by_role("button", name="Declare").click()
    page.wait_for_url("**/network", timeout=ANSWER)
    page.get_by_role("link", name=f"version {number + 1}").click()
    expect(page.get_by_role("heading", name=f"Beside version {number}")).to_be_visible()
    expect(page.locator(".changes")).to_contain_text("tcp 5433 (IPv4)")
    expect(page.get_by_text("The database moved")).to_be_visible()
    assert faults(page) == []
    page.goto(f"/network/site/versions/{number}")
    page.get_by_role("link", name="Go back to it").click()
    expect(page.get_by_label("site.toml")).to_have_value(declared)
    actions = site.do(lambda: _audited(site))
    assert len(actions) == number + 1


async def _audited(site: Site) -> list[str]:
    from controlroom.foundation.paging import PageRequest

    found = await site.app.state.audit.page(PageRequest(filter="action:site.declared"))
    return [entry.action for entry in found.items]


def test_an_edit_of_an_old_version_is_refused_when_another_was_declared(
    page: Page, site: Site, declared: str
) -> None:
    number = present(site)
    page.goto("/network/site")
    later = declared + "\n# another hand\n"
    site.do(lambda: site.app.state.sites.declare(site.caller, later))
    page.get_by_label("site.toml").fill(declared + "\n# mine\n")
    page.get_by_role("button", name="Declare").click()
    expect(page.locator(".form-error")).to_contain_text(
        f"Version {number + 1} was declared since you read version {number}", timeout=ANSWER
    )
    expect(page.get_by_label("site.toml")).to_have_value(declared + "\n# mine\n")


def test_rules_are_shown_and_downloaded_for_a_host(page: Page, declared: str) -> None:
    page.goto("/network/rules")
    assert set(page.locator("#target option").evaluate_all("all => all.map(one => one.value)")) == set(
        renderers()
    )
    page.get_by_label("Where it stands").select_option("node-1")
    page.get_by_label("What it is").select_option("nftables")
    page.get_by_role("button", name="Write the rules").click()
    expect(page.get_by_text("Read back and proved")).to_be_visible(timeout=ANSWER)
    expected = renderer("nftables").render(Projector(derive_policy(parse_site(declared))).host("node-1"))
    shown = page.locator(".code-file").first.text_content() or ""
    assert shown == expected.files[0].text
    assert faults(page) == []
    with page.expect_download() as waited:
        page.get_by_role("link", name="Download", exact=True).first.click()
    assert waited.value.suggested_filename == "node-1.nft"
    assert Path(waited.value.path()).read_text(encoding="utf-8") == expected.files[0].text
    page.get_by_label("What it is").select_option("cisco-asa")
    page.get_by_role("button", name="Write the rules").click()
    expect(page.get_by_role("alert")).to_contain_text("stands on", timeout=ANSWER)


def test_a_ruleset_is_proved_and_its_hole_named(
    page: Page, site: Site, declared: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    rendered = renderer("nftables").render(Projector(derive_policy(parse_site(declared))).host("node-1"))
    good = rendered.files[0].text
    bad = good.replace("ip saddr 10.20.2.12/30 ", "ip saddr 10.0.0.0/8 ", 1)
    assert bad != good
    folder = tmp_path_factory.mktemp("rules")
    for name, text in (("good.nft", good), ("bad.nft", bad), ("cut.nft", good[: len(good) // 2])):
        (folder / name).write_text(text, encoding="utf-8")

    def give(name: str) -> None:
        page.goto("/network/proofs")
        page.get_by_label("Give what the firewall holds").set_input_files(folder / name)
        page.get_by_label("Whose it is").select_option("node-1")
        page.get_by_role("button", name="Prove it").click()

    give("good.nft")
    page.wait_for_url(re.compile("/network/proofs/net_"), timeout=ANSWER)
    expect(page.get_by_text("exactly what the contract needs")).to_be_visible(timeout=ANSWER)
    assert faults(page) == []
    give("bad.nft")
    page.wait_for_url(re.compile("/network/proofs/net_"), timeout=ANSWER)
    expect(page.locator(".finding-table")).to_contain_text("cluster exposure")
    expect(page.locator(".finding-table")).to_contain_text("cluster-messaging")
    assert faults(page) == []
    give("cut.nft")
    expect(page.locator("#proof-answer .form-error")).to_be_visible(timeout=ANSWER)
    page.goto("/network")
    expect(page.get_by_role("region", name="Last proofs and probes")).to_contain_text("Not as needed")


def test_an_open_page_follows_new_versions_and_reports(page: Page, site: Site, declared: str) -> None:
    changed = f"""{declared}
[external.ledger]
zone = "outside-of-all"
prefixes = ["198.51.100.7"]
roles = []

[zone.outside-of-all]
prefixes = ["198.51.100.0/24"]

[flow.ledger]
from = ["control-room"]
to = ["ledger"]
ports = 4711
purpose = "Books"
"""
    report = {"site": parse_site(declared).name, "source": "follow-me", "holds": True, "answers": [], "disagreements": [], "notes": []}  # fmt: skip
    sites = site.app.state.sites
    page.goto("/network")
    matrix = page.get_by_role("region", name="Matrix of zones")
    expect(matrix).to_be_visible(timeout=ANSWER)
    expect(matrix).not_to_contain_text("outside-of-all")
    expect(page.locator(".live")).to_contain_text("Live")
    site.do(lambda: sites.declare(site.caller, changed))
    expect(matrix.get_by_role("rowheader", name="outside-of-all")).to_be_visible(timeout=ANSWER)
    expect(page.locator("dl.facts")).to_contain_text(f"version {present(site)}")
    site.do(lambda: sites.keep_probes(site.caller, json.dumps(report)))
    expect(page.get_by_role("region", name="Last proofs and probes")).to_contain_text(
        "follow-me", timeout=ANSWER
    )
    site.do(lambda: sites.declare(site.caller, declared))


LOOPBACK = """name = "loopback"
[zone.here]
prefixes = ["127.0.0.0/8"]
[host.control]
zone = "here"
addresses = ["127.0.0.1"]
roles = ["control-room"]
os = "linux"
[external.ledger]
zone = "here"
prefixes = ["127.0.0.9"]
roles = []
[flow.ledger]
from = ["control"]
to = ["ledger"]
ports = PORT
purpose = "Books"
"""


def test_this_server_probes_a_service_that_listens_and_one_that_no_longer_does(
    page: Page, site: Site, declared: str
) -> None:
    sites = site.app.state.sites
    with closing(socket.create_server(("127.0.0.9", 0))) as service:
        text = LOOPBACK.replace("PORT", str(service.getsockname()[1]))
        site.do(lambda: sites.declare(site.caller, text))
        page.goto("/network/probes")
        expect(page.get_by_text("This server is control")).to_be_visible(timeout=ANSWER)
        page.get_by_role("button", name="Probe now").click()
        page.wait_for_url(re.compile("/network/probes/net_"), timeout=ANSWER)
        found = page.get_by_role("region", name="Probes").get_by_role("row").filter(has_text="ledger")
        expect(found).to_have_count(1)
        expect(found).to_contain_text("127.0.0.9")
        expect(found.get_by_role("rowheader")).to_have_text("as needed")
    report = page.evaluate(
        """async () => (await fetch("/api/v1/network/probes/from-here", {
             method: "POST",
             headers: {"X-CSRF-Token": document.querySelector('meta[name="csrf-token"]').content},
           })).json()"""
    )
    assert (report["subject"], report["holds"]) == ("control", False)
    (answer,) = report["report"]["answers"]
    assert (answer["verdict"], answer["judgement"]) == ("refused", "not as needed")
    page.goto(f"/network/probes/{report['id']}")
    expect(page.locator("dl.facts")).to_contain_text("from this server", timeout=ANSWER)
    expect(page.locator(".finding-table").get_by_role("rowheader")).to_have_text("not as needed")
    site.do(lambda: sites.declare(site.caller, declared))


def test_a_report_of_probes_is_kept_and_a_strange_one_refused(page: Page, site: Site, declared: str) -> None:
    name = parse_site(declared).name
    answer = {
        "flow": "database-postgresql", "purpose": "state", "destination": "database", "host": "10.20.3.11",
        "transport": "tcp", "port": 5432, "probe": "postgresql", "expected": "open", "verdict": "filtered",
        "judgement": "not as needed", "evidence": "<b>no answer</b>", "advice": "verify the border", "seconds": 3.0,
    }  # fmt: skip
    report = {
        "site": name,
        "source": "node-1",
        "holds": False,
        "answers": [answer],
        "disagreements": [],
        "notes": [],
    }
    page.goto("/network/probes")
    assert faults(page) == []

    def give(content: object) -> None:
        page.get_by_label("What it wrote").set_input_files(
            {"name": "probes.json", "mimeType": "application/json", "buffer": json.dumps(content).encode()}
        )
        page.get_by_role("button", name="Keep it").click()

    give({**report, "site": "elsewhere"})
    expect(page.get_by_role("alert")).to_contain_text("'elsewhere'", timeout=ANSWER)
    give({"answers": "all well"})
    expect(page.get_by_role("alert")).to_contain_text("This is no report", timeout=ANSWER)
    give(report)
    page.wait_for_url(re.compile("/network/probes/net_"), timeout=ANSWER)
    expect(page.get_by_text("<b>no answer</b>")).to_be_visible()
    expect(page.locator(".finding-table")).to_contain_text("not as needed")
    assert faults(page) == []


def test_who_may_only_read_sees_all_and_changes_nothing(site: Site, declared: str, chromium: Browser) -> None:
    page = as_reader(site, chromium, role="auditor")
    page.goto("/network")
    expect(page.get_by_role("heading", name="Which zone speaks to which")).to_be_visible()
    expect(page.get_by_role("link", name="Change the site")).to_have_count(0)
    for path in ("/network/site", "/network/proofs", "/network/probes"):
        page.goto(path)
        expect(page.locator("main form")).to_have_count(0)
        assert faults(page) == []
    token = page.locator('meta[name="csrf-token"]').get_attribute("content") or ""
    refused = page.request.post("/network/site", form={"text": declared, "csrf_token": token})
    assert refused.status == 403


def test_a_viewer_has_no_network_in_the_menu_and_no_door_to_it(
    site: Site, declared: str, chromium: Browser
) -> None:
    page = as_reader(site, chromium, role="viewer")
    expect(page.get_by_role("navigation", name="Main").get_by_role("link", name="Network")).to_have_count(0)
    answer = page.goto("/network")
    assert answer is not None
    assert answer.status == 403
