"""`verify` over all that one Linux host holds: files of several kinds at once, replies, and rewritten packets."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from controlroom.cli.network import app

SAVED = """\
*filter
:INPUT ACCEPT [0:0]
:FORWARD ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
{filter}COMMIT
*nat
:PREROUTING ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
:POSTROUTING ACCEPT [0:0]
{nat}COMMIT
"""


@pytest.fixture
def held(five_nodes: Path, tmp_path: Path) -> list[str]:
    """The beginning of a call of `verify` for a node whose nft rules are the rendering."""
    site = ["--site", str(five_nodes), "--host", "node-1"]
    done = CliRunner().invoke(app, ["render", *site, "--target", "nftables", "--out", str(tmp_path)])
    assert done.exit_code == 0
    return ["verify", *site, str(tmp_path / "node-1.nft")]


def legacy(folder: Path, *, filter_rules: str = "", nat_rules: str = "") -> str:
    path = folder / "iptables-legacy-save.txt"
    path.write_text(SAVED.format(filter=filter_rules, nat=nat_rules))
    return str(path)


def test_files_of_two_kinds_stack_and_the_verdict_says_so(held: list[str], tmp_path: Path) -> None:
    done = CliRunner().invoke(app, [*held, legacy(tmp_path)])

    assert done.exit_code == 0, done.output
    assert "node-1.nft, iptables-legacy-save.txt: exactly what the contract needs" in done.stdout
    assert "No legacy or nft tables filter this host but those that were given: they stack." in done.stdout


def test_what_a_forgotten_table_stops_is_missing(held: list[str], tmp_path: Path) -> None:
    rule = "-A INPUT -p tcp -m tcp --dport 22 -j DROP\n"

    done = CliRunner().invoke(app, [*held, legacy(tmp_path, filter_rules=rule), "--format", "json"])

    assert done.exit_code == 1
    findings = json.loads(done.stdout)[0]["findings"]
    assert {one["kind"] for one in findings} == {"missing"}
    # What goes out from port 22 would not get its replies either.
    inbound = [one for one in findings if one["direction"] == "inbound"]
    assert {one["flow"] for one in inbound} == {"management-ssh"}
    assert all(":22 is stopped by 'IPv4 INPUT line" in one["message"] for one in inbound)


def test_replies_that_a_forgotten_table_stops_are_told_apart(held: list[str], tmp_path: Path) -> None:
    rule = "-A OUTPUT -p tcp -m tcp --sport 22 -m conntrack --ctstate ESTABLISHED -j DROP\n"

    done = CliRunner().invoke(app, [*held, legacy(tmp_path, filter_rules=rule)])

    assert done.exit_code == 1
    assert ":22 opens flow management-ssh, but replies to it are stopped by 'IPv4 OUTPUT line" in done.stdout


def test_a_witness_that_is_rewritten_on_its_way_says_what_becomes_of_it(
    held: list[str], tmp_path: Path
) -> None:
    rule = (
        "-A PREROUTING -d 10.20.2.11/32 -p tcp -m tcp --dport 2222 -j DNAT --to-destination 10.20.2.11:22\n"
    )

    done = CliRunner().invoke(app, [*held, legacy(tmp_path, nat_rules=rule)])
    found = json.loads(
        CliRunner().invoke(app, [*held, legacy(tmp_path, nat_rules=rule), "--format", "json"]).stdout
    )

    assert done.exit_code == 1
    assert ":2222 is let through by 'inet controlroom inbound" in done.stdout
    assert "(it is rewritten to tcp " in done.stdout
    (excess,) = (one for one in found[0]["findings"] if one["kind"] == "excess")
    assert excess["packet"].endswith("-> 10.20.2.11:2222")
    assert excess["rewritten"].endswith("-> 10.20.2.11:22")


def test_files_that_cannot_stand_on_one_host_are_refused(held: list[str], tmp_path: Path) -> None:
    group = tmp_path / "groups.json"
    group.write_text('{"SecurityGroups": [{"GroupId": "sg-1", "GroupName": "x", "IpPermissions": []}]}')

    done = CliRunner().invoke(app, [*held, str(group)])

    assert done.exit_code == 2
    assert "do not stand on one host" in done.output
