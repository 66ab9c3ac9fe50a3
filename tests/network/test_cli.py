"""The commands, as a person or a script calls them, with their exit codes."""

import csv
import io
import json
from pathlib import Path
from xml.etree import ElementTree

import pytest
from typer.testing import CliRunner

from controlroom.cli.network import app
from controlroom.network import catalogue
from controlroom.network.site import read_site

from .conftest import EXAMPLES

runner = CliRunner()
INIT = (
    *("--name", "new", "--nodes", "1", "--runners", "2", "--identity", "local", "--prefix", "10.8.0.0/16"),
    *("--people", "192.168.0.0/16", "--administrators", "172.16.0.0/28"),
)


def run(*arguments: object, expect: int = 0) -> str:
    result = runner.invoke(app, [str(one) for one in arguments])
    assert result.exit_code == expect, result.output
    return result.output


@pytest.mark.parametrize("by", ["component", "section"])
def test_ports_are_written_in_every_format(by: str) -> None:
    titles = {table["title"] for table in json.loads(run("ports", "--by", by, "--format", "json"))}
    assert len(titles) > 5
    rows = list(csv.reader(io.StringIO(run("ports", "--by", by, "--format", "csv"))))
    assert {row[0] for row in rows} >= titles
    assert all(f"## {title}" in run("ports", "--by", by, "--format", "md") for title in titles)
    assert run("ports", "--by", by, "--format", "html").count("<table>") == len(titles)
    assert "47100-47200" in run("ports", "--by", by).replace("\n", "")


def test_ports_by_zone_need_a_site(five_nodes: Path) -> None:
    assert "--by zone needs --site" in run("ports", "--by", "zone", expect=2)
    tables = json.loads(run("ports", "--by", "zone", "--site", five_nodes, "--format", "json"))
    assert "nodes to data" in {table["title"] for table in tables}


def test_diagram_is_well_formed_and_names_every_port(tmp_path: Path, five_nodes: Path) -> None:
    run("diagram", "--out", tmp_path / "all.svg")
    text = "".join(ElementTree.parse(tmp_path / "all.svg").getroot().itertext())
    assert all(str(port) in text for port in (443, 5672, 1433, 5432, 1521, 3268, 47599, 4530))
    assert ElementTree.fromstring(run("diagram", "--site", five_nodes)).tag.endswith("svg")


@pytest.mark.parametrize("flow", [flow.name for flow in catalogue.FLOWS])
def test_explain_says_who_whom_why_and_by_which_sentence(flow: str) -> None:
    text = run("explain", flow)

    assert catalogue.flow(flow).purpose in text
    assert "demanded by" in text


def test_explain_of_an_unknown_flow_names_the_nearest() -> None:
    assert "did you mean 'runner-link'" in run("explain", "runner-lnik", expect=2)


def test_init_writes_a_site_that_stands_and_does_not_write_over_one(tmp_path: Path) -> None:
    site = tmp_path / "site.toml"
    flags = [
        "--name",
        "new",
        "--nodes",
        "3",
        "--runners",
        "4",
        "--database",
        "postgresql",
        "--identity",
        "local",
    ]
    flags += ["--prefix", "10.8.0.0/16", "--people", "192.168.0.0/16", "--administrators", "172.16.0.0/28"]

    run("init", site, *flags)

    assert len(read_site(site).hosts) == 9
    assert "is there already" in run("init", site, *flags, expect=2)
    run("render", "--site", site, "--target", "nftables")


def test_init_says_what_a_name_may_hold(tmp_path: Path) -> None:
    flags = [*INIT, "--name", 'my "plant"', "--database", "sqlite"]

    assert """'my "plant"' cannot be a name: use""" in run("init", tmp_path / "site.toml", *flags, expect=2)
    assert not (tmp_path / "site.toml").exists()


def test_init_asks_when_it_is_not_told(tmp_path: Path) -> None:
    site = tmp_path / "site.toml"
    result = runner.invoke(app, ["init", str(site)], input="plant\n2\n" + "\n" * 8)

    assert result.exit_code == 0
    assert read_site(site).name == "plant"


def test_flows_and_diff(five_nodes: Path, tmp_path: Path) -> None:
    flows = json.loads(run("flows", "--site", five_nodes, "--json"))[0]["rows"]
    assert {"Flow", "Family", "Protocol", "From", "To", "Ports", "Purpose"} == set(flows[0])
    other = tmp_path / "other.toml"
    other.write_text(five_nodes.read_text().replace("rdp_sessions = true", "rdp_sessions = false"))
    closed = json.loads(run("diff", five_nodes, other, "--json", expect=1))
    assert {(one["kind"], one["flow"]) for one in closed} == {("closes", "rdp-session")}
    assert "the same packets pass" in run("diff", five_nodes, five_nodes)


def test_render_then_verify_then_find_a_hole(five_nodes: Path, tmp_path: Path) -> None:
    run("render", "--site", five_nodes, "--target", "nftables", "--host", "node-1", "--out", tmp_path)
    rules = tmp_path / "node-1.nft"
    verify = ["verify", "--site", five_nodes, "--host", "node-1", rules]
    assert "exactly what the contract needs" in run(*verify)

    rules.write_text(rules.read_text().replace("dport 5672 accept", "dport 5672-5673 accept", 1))

    assert "5673 is let through by 'inet controlroom inbound" in run(*verify, expect=1)
    assert json.loads(run(*verify, "--format", "json", expect=1))[0]["holds"] is False
    assert (
        json.loads(run(*verify, "--format", "sarif", expect=1))["runs"][0]["results"][0]["ruleId"] == "excess"
    )
    assert ElementTree.fromstring(run(*verify, "--format", "junit", expect=1)).get("failures") == "1"


def test_border_of_two_zones_is_rendered_and_verified(five_nodes: Path, tmp_path: Path) -> None:
    border = ["--border", "nodes:data"]
    run("render", "--site", five_nodes, "--target", "iptables", *border, "--out", tmp_path)
    files = [tmp_path / f"nodes--data.{kind}" for kind in ("ipset", "rules4", "rules6")]

    assert "exactly" in run("verify", "--site", five_nodes, *border, *files)


def test_preflight_names_the_ephemeral_trap_as_json(five_nodes: Path) -> None:
    result = runner.invoke(
        app, ["preflight", "--site", str(five_nodes), "--host", "node-1", "--offline", "--json"]
    )

    assert result.exit_code in {0, 1}
    assert isinstance(json.loads(result.output), list)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("flows", "--site", "missing.toml"), "missing.toml: cannot be read"),
        (("render", "--site", "SITE", "--target", "nftable"), "no target 'nftable'; did you mean 'nftables'"),
        (
            ("render", "--site", "SITE", "--target", "nftables", "--host", "nobody"),
            "no host of the site 'nobody'",
        ),
        (("render", "--site", "SITE", "--target", "sysctl", "--border", "all"), "stands on hosts only"),
        (("ports", "--by", "section", "--site", "SITE"), "sections are the document's own"),
        (("init", "NEW", "--database", "mysql", *INIT), "database 'mysql' is not one of sqlite, postgresql"),
        (("verify", "--site", "SITE", "SITE"), "say which firewall this is"),
        (("verify", "--site", "SITE", "--host", "node-1", "SITE"), "no parser recognises this"),
        (("ports", "--format", "pdf"), "'pdf' is not one of"),
    ],
)
def test_bad_input_is_one_sentence_and_exit_code_2(
    arguments: tuple[str, ...], message: str, five_nodes: Path
) -> None:
    output = run(*(five_nodes if one == "SITE" else one for one in arguments), expect=2)

    assert message in output
    assert "Traceback" not in output


def test_explain_of_a_service_names_its_flows() -> None:
    result = CliRunner().invoke(app, ["explain", "ldap"])

    assert result.exit_code == 2
    assert "the flows to it are directory-ldap" in result.output


def test_diagram_shows_what_a_site_adds() -> None:
    svg = CliRunner().invoke(app, ["diagram", "--site", str(EXAMPLES / "five-nodes.toml")]).output

    assert ">tcp 8443<" in svg
    assert ">orders<" in svg
