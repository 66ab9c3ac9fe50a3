"""The site that a Control Room keeps, from the command line: declared, compared, proved and reported to."""

import json
from pathlib import Path

import pytest

from cli.conftest import Command
from serving import RunningServer

pytestmark = pytest.mark.timeout(180)

EXAMPLE = Path(__file__).resolve().parents[2] / "examples/network/one-machine.toml"


def test_a_site_is_declared_changed_proved_and_reported_to(
    command: Command, signed_in: RunningServer, tmp_path: Path
) -> None:
    said = command("network", "server", "show")
    assert said.code != 0
    assert "Declare a site first" in said.err
    said = command("network", "server", "declare", str(EXAMPLE), "--note", "The first")
    assert (said.code, said.out) == (0, "declared version 1 of one-machine\n")
    assert command("network", "server", "show").out == EXAMPLE.read_text(encoding="utf-8")

    changed = tmp_path / "next.toml"
    changed.write_text(command("network", "server", "show").out.replace("[host.control]", "[hst.control]"))
    said = command("network", "server", "declare", str(changed))
    assert said.code != 0
    assert "unknown key 'hst'; did you mean 'host'?" in said.err
    assert command("network", "server", "declare", str(EXAMPLE), "--check").out == "the same packets pass\n"
    said = command("network", "server", "declare", str(EXAMPLE), "--based-on", "0")
    assert "Version 1 was declared since" in said.err

    rules = tmp_path / "rules"
    assert command(
        "network", "render", "--site", str(EXAMPLE), "--target", "nftables", "--host", "control", "--out", str(rules)
    ).code == 0  # fmt: skip
    said = command("network", "server", "prove", str(rules / "control.nft"), "--place", "control")
    assert said.code == 0, said.err
    assert "control: as needed" in said.out
    (rules / "open.nft").write_text(
        "table inet f { chain i { type filter hook input priority 0; policy accept; } }\n"
    )
    said = command("network", "server", "prove", str(rules / "open.nft"), "--place", "control")
    assert said.code == 1
    assert "is let through by" in said.out

    report = tmp_path / "probes.json"
    report.write_text(json.dumps({"site": "one-machine", "source": "control", "holds": True, "answers": []}))
    assert command("network", "server", "report", str(report)).code == 0
    listed = json.loads(command("network", "server", "reports", "--json").out)
    assert [(one["kind"], one["holds"]) for one in listed] == [
        ("probes", True),
        ("proof", False),
        ("proof", True),
    ]
    assert len(json.loads(command("network", "server", "versions", "--json").out)) == 1
