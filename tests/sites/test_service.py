"""The declared site on both databases: versions, what is refused and why, what is audited, what is kept of reports."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select

from conftest import SteeredClock
from controlroom.audit.actor import SYSTEM
from controlroom.audit.models import AuditEntry
from controlroom.foundation.database import Database
from controlroom.foundation.errors import Forbidden
from controlroom.identity.caller import Caller
from controlroom.identity.permissions import Permission
from controlroom.identity.service import local_caller
from controlroom.network.renderers import renderers
from controlroom.sites.asking import Contract
from controlroom.sites.errors import (
    BadSiteText,
    GivenUp,
    NoSite,
    NoSuchReport,
    NoSuchVersion,
    Refused,
    SiteChangedMeanwhile,
    SiteTooLarge,
    SiteUnchanged,
)
from controlroom.sites.models import NetworkReport, ReportKind
from controlroom.sites.reading import read_report
from controlroom.sites.service import (
    LARGEST_RULESET_BYTES,
    LARGEST_SITE_CHARACTERS,
    MOST_REPORTS_KEPT,
    RulesetFile,
    SiteService,
    texts_of,
)

EXAMPLES = Path(__file__).resolve().parents[2] / "examples/network"
ONE = (EXAMPLES / "one-machine.toml").read_text(encoding="utf-8")
FIVE = (EXAMPLES / "five-nodes.toml").read_text(encoding="utf-8")
READ = frozenset({Permission.NETWORK_READ})
KEEPER: Caller = replace(
    local_caller(SYSTEM),
    user_id="usr_ann",
    user_name="ann",
    permissions=READ | {Permission.NETWORK_MANAGE},
)
READER: Caller = replace(KEEPER, user_id="usr_bob", user_name="bob", permissions=READ)
STRANGER: Caller = replace(READER, permissions=frozenset({Permission.RUN_READ}))


@pytest.fixture
def sites(database: Database, clock: SteeredClock) -> SiteService:
    return SiteService(database, clock)


async def audited(database: Database) -> list[tuple[str, dict[str, Any]]]:
    async with database.read() as session:
        entries = (await session.scalars(select(AuditEntry).order_by(AuditEntry.number))).all()
    return [(entry.action, entry.detail) for entry in entries]


async def test_a_site_is_declared_in_versions_each_with_its_audit_entry(
    sites: SiteService, database: Database
) -> None:
    with pytest.raises(NoSite):
        await sites.current(READER)
    first = await sites.declare(KEEPER, ONE, based_on=0)
    second = await sites.declare(KEEPER, FIVE.replace("\n", "\r\n"), based_on=1, note="  It grew  ")

    assert (first.number, second.number) == (1, 2)
    assert (await sites.current(READER)).text == FIVE
    assert [(one.number, one.note) for one in await sites.versions(READER)] == [(2, "It grew"), (1, "")]
    assert (await sites.version(READER, 1)).text == ONE
    with pytest.raises(NoSuchVersion):
        await sites.version(READER, 3)
    told = await audited(database)
    assert [(action, detail["before"], detail["version"]) for action, detail in told] == [
        ("site.declared", 0, 1),
        ("site.declared", 1, 2),
    ]


async def test_what_cannot_stand_changes_nothing(sites: SiteService, database: Database) -> None:
    await sites.declare(KEEPER, ONE)
    with pytest.raises(SiteUnchanged):
        await sites.declare(KEEPER, ONE)
    with pytest.raises(SiteChangedMeanwhile, match="read version 0"):
        await sites.declare(KEEPER, FIVE, based_on=0)
    with pytest.raises(SiteTooLarge):
        await sites.declare(KEEPER, "#" * (LARGEST_SITE_CHARACTERS + 1))
    with pytest.raises(BadSiteText) as caught:
        await sites.declare(KEEPER, FIVE + "\n[host.a]\nzone = 'nodes'\nadresses = []\n")
    assert caught.value.line == len(FIVE.splitlines()) + 4
    assert caught.value.key == "host.a.adresses"
    assert "did you mean 'addresses'?" in caught.value.detail

    assert (await sites.current(READER)).number == 1
    assert len(await audited(database)) == 1


async def test_rights_are_asked_for(sites: SiteService) -> None:
    with pytest.raises(Forbidden):
        await sites.declare(READER, ONE)
    await sites.declare(KEEPER, ONE)
    with pytest.raises(Forbidden):
        await sites.current(STRANGER)
    with pytest.raises(Forbidden):
        await sites.rules(STRANGER, target="nftables", place="border")
    for refused in (
        sites.prove(READER, [], place="border"),
        sites.keep_probes(READER, "{}"),
        sites.probe_from_here(READER),
    ):
        with pytest.raises(Forbidden):
            await refused


async def test_changes_are_told_beside_the_present_version(sites: SiteService) -> None:
    first = await sites.what_would_change(READER, FIVE)
    assert first["changes"] is None
    await sites.declare(KEEPER, FIVE)
    moved = FIVE + "\n[ports]\npostgresql = 5433\n"

    changes = (await sites.what_would_change(READER, moved))["changes"]

    assert [one["kind"] for one in changes] == sorted((one["kind"] for one in changes), reverse=True)
    assert {one["kind"] for one in changes} == {"opens", "closes"}
    assert all("543" in one["words"] for one in changes)
    assert (await sites.what_would_change(READER, FIVE))["changes"] == []


@pytest.mark.parametrize("target", sorted(renderers()))
async def test_every_target_gives_rules_or_says_why_not(contract: Contract, target: str) -> None:
    scope = next(iter(sorted(renderers()[target].scopes)))
    place = "border" if scope == "border" else "node-1"
    try:
        found = await contract.ask("render", text=FIVE, target=target, place=place)
    except Refused as refused:
        assert "is not installed" in refused.detail or target in refused.detail
    else:
        assert found["files"]
        assert found["proved"] == bool(renderers()[target].parser)


@pytest.fixture
def contract() -> Contract:
    return Contract()


async def test_a_proof_is_kept_with_witness_and_rule(sites: SiteService, database: Database) -> None:
    await sites.declare(KEEPER, FIVE)
    rules = (await sites.rules(KEEPER, target="nftables", place="node-1"))["files"][0]
    good = await sites.prove(KEEPER, [RulesetFile(rules["name"], rules["text"].encode())], place="node-1")
    wide = rules["text"].replace("ip saddr 10.20.2.12/30 ", "ip saddr 10.0.0.0/8 ", 1)
    bad = await sites.prove(KEEPER, [RulesetFile("bad.nft", wide.encode())], place="node-1")

    assert good.holds
    assert not bad.holds
    finding = (await sites.report(READER, bad.id)).report["findings"][0]
    assert finding["kind"] == "cluster-exposure"
    assert finding["rule"] in finding["message"]
    assert "->" in finding["packet"]
    assert [one.holds for one in await sites.reports(READER, ReportKind.PROOF)].count(True) == 1
    assert await sites.reports(READER, ReportKind.PROBES) == []
    assert [action for action, _ in await audited(database)][1:] == ["network.proved"] * 2
    with pytest.raises(NoSuchReport):
        await sites.report(READER, "net_none")


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "no parser recognises"),
        (b"\xff\xfe\x00", "no UTF-8"),
        (b"table inet x {", "held: cut off"),
        (b"[" * 100_000, ""),
        (b'{"nftables": [' + b'{"rule": 1},' * 1000, ""),
        ("\u202e; drop \x00".encode(), "no parser recognises"),
    ],
)
async def test_rulesets_that_cannot_be_read_are_refused_in_words(
    contract: Contract, content: bytes, says: str
) -> None:
    with pytest.raises((Refused, GivenUp)) as caught:
        files = texts_of([RulesetFile("held", content)])
        await contract.ask("verify", text=ONE, place="border", files=files)
    assert says in caught.value.detail


async def test_a_ruleset_that_is_too_large_is_not_read(sites: SiteService) -> None:
    await sites.declare(KEEPER, ONE)
    with pytest.raises(SiteTooLarge):
        await sites.prove(KEEPER, [RulesetFile("a", b"#" * (LARGEST_RULESET_BYTES + 1))], place="border")
    with pytest.raises(Refused, match="at most 8 files"):
        await sites.prove(KEEPER, [RulesetFile("a", b"")] * 9, place="border")


async def test_a_question_that_takes_too_long_is_given_up(database: Database, clock: SteeredClock) -> None:
    patient, hasty = Contract(), Contract(seconds=0.001)
    await patient.ask("targets")
    with pytest.raises(GivenUp, match=r"within 0\.001 s"):
        await hasty.ask("overview", text=FIVE)


async def test_only_the_newest_reports_are_kept(
    sites: SiteService, database: Database, clock: SteeredClock
) -> None:
    await sites.declare(KEEPER, ONE)
    site = await sites.current(READER)
    async with database.write() as transaction:
        for number in range(MOST_REPORTS_KEPT):
            transaction.session.add(
                NetworkReport(
                    id=f"net_{number:04}",
                    kind=ReportKind.PROBES,
                    subject="control",
                    site_number=1,
                    holds=True,
                    report={},
                    made_at=clock.now(),
                    made_by_id="",
                    made_by="",
                )
            )
    report = {"site": site.name, "source": "control", "holds": True, "answers": []}
    clock.advance(1)
    kept = await sites.keep_probes(KEEPER, json.dumps(report))

    async with database.read() as session:
        count = await session.scalar(select(func.count()).select_from(NetworkReport))
    assert count == MOST_REPORTS_KEPT
    assert (await sites.reports(READER))[0].id == kept.id
    with pytest.raises(NoSuchReport):
        await sites.report(READER, "net_0000")


@pytest.mark.parametrize(
    "change",
    [
        {"source": ""},
        {"holds": "perhaps"},
        {"answers": [{"flow": "x"}]},
        {"answers": "many"},
        {"site": 5},
    ],
)
def test_reports_of_another_shape_are_refused(change: dict[str, Any]) -> None:
    report = {"site": "site", "source": "control", "holds": True, "answers": [], **change}
    with pytest.raises(Refused, match="This is no report"):
        read_report(json.dumps(report))


async def test_probing_from_here_needs_a_host_that_this_is(sites: SiteService) -> None:
    await sites.declare(KEEPER, FIVE)
    with pytest.raises(Refused, match="is not one host of the site"):
        await sites.probe_from_here(KEEPER)
