"""Flows with a side that the site knows by name or service tag alone: none of them ever vanishes without a word."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from controlroom.cli.network import app
from controlroom.network.connections import Fate, judge_connections, read_connections
from controlroom.network.errors import CannotExpress
from controlroom.network.policy import derive_policy
from controlroom.network.projection import Direction, Projection, Projector, Scope
from controlroom.network.proof import FindingKind, prove
from controlroom.network.renderers import renderer, renderers
from controlroom.network.reports.changes import changes_between
from controlroom.network.reports.zones import BY_NAME, table_of_flows, tables_by_zone
from controlroom.network.rulesets import RulesetText, parse_ruleset
from controlroom.network.site import parse_site

SITE = """\
name = "small"
[options]
identity = "local"
tls_only = true
management = "console"
egress = "EGRESS"
[zone.near]
prefixes = ["10.0.0.0/24"]
[zone.far]
prefixes = ["10.0.1.0/24"]
[host.cr]
zone = "near"
addresses = ["10.0.0.1"]
roles = ["control-room"]
[host.desk]
zone = "far"
addresses = ["10.0.1.1"]
roles = ["browser"]
"""
CALLER = '[external.people]\nnames = ["people.example.com"]\nroles = ["browser"]\n'
CALLED = '[external.post]\nprovider = "Gmail"\nroles = ["mail-server"]\n'
TAGGED = '[external.people]\nservice_tag = "Internet"\nroles = ["browser"]\n'
FIREWALLS = [name for name, one in renderers().items() if one.scopes and name != "sysctl"]


def projector(*externals: str, egress: str = "any") -> Projector:
    return Projector(derive_policy(parse_site(SITE.replace("EGRESS", egress) + "".join(externals))))


def places(target: str, one: Projector) -> list[Projection]:
    scopes = renderer(target).scopes
    hosts = [one.host("cr")] if Scope.HOST in scopes else []
    return [*hosts, one.border()] if Scope.BORDER in scopes else hosts


@pytest.mark.parametrize("target", FIREWALLS)
def test_who_calls_in_and_is_known_by_name_alone_is_refused_even_where_egress_is_free(target: str) -> None:
    for place in places(target, projector(CALLER)):
        with pytest.raises(CannotExpress, match=r"'browser-https' needs 'people'.*people.example.com"):
            renderer(target).render(place)


@pytest.mark.parametrize("target", FIREWALLS)
def test_who_is_called_by_name_alone_is_refused_where_egress_is_filtered_and_needs_no_rule_where_not(
    target: str,
) -> None:
    for place in places(target, projector(CALLED, egress="contract")):
        with pytest.raises(CannotExpress, match=r"smtp\.gmail\.com"):
            renderer(target).render(place)
    if Scope.HOST in renderer(target).scopes:
        assert renderer(target).render(projector(CALLED).host("cr")).files


def test_a_border_that_such_a_flow_does_not_cross_is_rendered() -> None:
    one = projector(CALLER)

    assert renderer("nftables").render(one.border("near", "far")).files
    with pytest.raises(CannotExpress, match=r"people\.example\.com"):
        renderer("nftables").render(one.border("near", "outside"))


@pytest.mark.parametrize("external", [CALLER, TAGGED])
def test_a_proof_says_what_it_cannot_know_of_rules_that_hold_addresses(external: str) -> None:
    plain = projector().host("cr")
    rules = tuple(
        RulesetText(file.name, file.text)
        for file in renderer("nftables").render(plain).files
        if file.is_rules
    )

    assert prove(plain, parse_ruleset(rules)).holds
    verdicts = prove(projector(external).host("cr"), parse_ruleset(rules))

    (finding,) = verdicts.findings
    assert not verdicts.holds
    assert (finding.kind, finding.direction, finding.flow) == (
        FindingKind.UNKNOWN,
        Direction.INBOUND,
        "browser-https",
    )
    assert "give [external.people] prefixes" in finding.message


def test_a_living_connection_that_may_belong_to_such_a_flow_is_not_stale() -> None:
    line = "tcp 6 9 ESTABLISHED src={0} dst=10.0.0.1 sport=5000 dport={1} src=10.0.0.1 dst={0} sport={1} dport=5000"
    table = "\n".join(
        line.format(*one) for one in (("10.0.1.1", 443), ("192.0.2.9", 443), ("192.0.2.9", 444))
    )

    judged = list(judge_connections(projector(CALLER).host("cr"), read_connections(table)))

    assert [(one.fate, one.flow) for one in judged] == [
        (Fate.WANTED, "browser-https"),
        (Fate.UNSURE, "browser-https"),
        (Fate.STALE, ""),
    ]


def test_the_command_tells_unsure_connections_and_leaves_them(tmp_path: Path) -> None:
    (tmp_path / "site.toml").write_text(SITE.replace("EGRESS", "any") + CALLER)
    (tmp_path / "table").write_text(
        "tcp 6 9 ESTABLISHED src=192.0.2.9 dst=10.0.0.1 sport=5000 dport=443 "
        "src=10.0.0.1 dst=192.0.2.9 sport=443 dport=5000\n"
    )
    command = ["connections", "--site", str(tmp_path / "site.toml"), "--host", "cr"]

    done = CliRunner().invoke(app, [*command, "--table", str(tmp_path / "table")])

    assert done.exit_code == 0
    assert "unsure: tcp 192.0.2.9:5000 -> 10.0.0.1:443 (may be of flow browser-https" in done.stdout
    assert "0 wanted, 0 stale, 1 unsure" in done.stdout


def test_tables_list_such_flows() -> None:
    policy = projector(CALLER, CALLED).policy

    named = {row[:4] for row in table_of_flows(policy).rows if row[3] == BY_NAME}
    assert ("browser-https", "people", "cr", BY_NAME) in named
    assert any(row[2] == "post" for row in named)
    tables = {table.title: table for table in tables_by_zone(policy)}
    assert ("browser-https", "people", "cr", BY_NAME) in {row[:4] for row in tables["outside to near"].rows}


def test_a_difference_in_such_flows_is_told() -> None:
    before, after = projector().policy, projector(CALLER).policy

    (opened,) = changes_between(before, after)
    (closed,) = changes_between(after, before)

    assert opened.words == (f"opens tcp 443 (by name) from people to cr: {opened.words.partition(': ')[2]}")
    assert opened.example == "tcp people.example.com -> 10.0.0.1:443"
    assert closed.words.startswith("closes tcp 443 (by name) from people to cr")


def test_flows_and_zone_tables_of_the_command_show_them(tmp_path: Path) -> None:
    site = tmp_path / "site.toml"
    site.write_text(SITE.replace("EGRESS", "any") + CALLER)

    flows = json.loads(CliRunner().invoke(app, ["flows", "--site", str(site), "--json"]).stdout)

    assert BY_NAME in {row["Family"] for row in flows[0]["rows"]}
