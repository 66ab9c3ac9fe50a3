"""Renderings: accepted by the platform's own tools, stable, and exactly the policy when read back."""

import json
import subprocess
from pathlib import Path

import pytest

from controlroom.network.errors import CannotExpress, ProofFailed
from controlroom.network.policy import derive_policy
from controlroom.network.projection import Projector
from controlroom.network.proof import FindingKind, prove, prove_rendering
from controlroom.network.renderers import RenderedFile, Rendering, renderer, renderers
from controlroom.network.rulesets import RulesetText, parse_ruleset
from controlroom.network.site import parse_site, read_site

FIREWALLS = ["iptables", "nftables"]


def projector(path: Path) -> Projector:
    return Projector(derive_policy(read_site(path)))


def some_hosts(one: Projector) -> list[str]:
    hosts = [host.name for host in one.policy.site.hosts]
    return hosts if len(hosts) < 30 else hosts[:6] + hosts[-2:]


def test_registry_finds_every_renderer() -> None:
    assert {"iptables", "nftables", "sysctl"} <= set(renderers())


@pytest.mark.parametrize("target", FIREWALLS)
def test_every_rendering_read_back_is_the_policy(example: Path, target: str) -> None:
    one = projector(example)

    for projection in [*(one.host(name) for name in some_hosts(one)), one.border()]:
        prove_rendering(projection, renderer(target).render(projection))


@pytest.mark.parametrize("target", [*FIREWALLS, "sysctl"])
def test_rendering_is_the_same_to_the_byte(five_nodes: Path, target: str) -> None:
    first, second = (renderer(target).render(projector(five_nodes).host("node-1")) for _ in range(2))

    assert first == second


@pytest.mark.parametrize("target", FIREWALLS)
def test_a_rendering_that_is_not_the_policy_is_not_shown(five_nodes: Path, target: str) -> None:
    projection = projector(five_nodes).host("node-1")
    rendering = renderer(target).render(projection)
    wider = tuple(
        RenderedFile(file.name, file.text.replace("5672", "5673"), file.is_rules) for file in rendering.files
    )

    with pytest.raises(ProofFailed, match=r"567[23]"):
        prove_rendering(projection, Rendering(target, wider))


def test_nft_accepts_what_is_rendered_and_what_it_holds_is_the_policy(
    example: Path, nft: str, namespaces: str, tmp_path: Path
) -> None:
    one = projector(example)
    names = some_hosts(one)[:3]
    for projection in [*(one.host(name) for name in names), one.border()]:
        (rules, *_) = renderer("nftables").render(projection).files
        path = tmp_path / rules.name
        path.write_text(rules.text)
        # Loaded twice: the second time must leave the same table.
        script = f"{nft} -c -f {path} && {nft} -f {path} && {nft} -f {path} && {nft} -j list ruleset"
        held = subprocess.run(
            ["unshare", "-n", "sh", "-c", script], capture_output=True, text=True, check=True
        )

        ruleset = parse_ruleset((RulesetText("held", held.stdout),))

        assert ruleset.parser == "nftables"
        assert prove(projection, ruleset).findings == ()


def test_iptables_accepts_what_is_rendered_and_what_it_holds_is_the_policy(
    five_nodes: Path, iptables_restore: str, namespaces: str, tmp_path: Path
) -> None:
    one = projector(five_nodes)
    for projection in (one.host("node-1"), one.border()):
        for file in renderer("iptables").render(projection).files:
            (tmp_path / file.name).write_text(file.text)
        script = tmp_path / f"{projection.name}-iptables.sh"
        steps = (
            f"export CONTROLROOM_FIREWALL_STATE={tmp_path}/state; sh {script} apply && sh {script} confirm && "
            f"sh {script} apply && sh {script} confirm"
        )
        saves = "iptables-save >s4 && ip6tables-save >s6 && ipset save >sets"
        commands = f"{steps} && cd {tmp_path} && {saves} && iptables -S | grep -c -- '-j CONTROLROOM'"
        # A namespace of processes too, so that the timed roll-back ends with the test.
        inside = ["unshare", "-n", "-p", "-f", "--kill-child", "sh", "-c", commands]
        done = subprocess.run(inside, capture_output=True, text=True, check=True)
        files = tuple(RulesetText(name, (tmp_path / name).read_text()) for name in ("s4", "s6", "sets"))

        assert prove(projection, parse_ruleset(files)).findings == ()
        assert int(done.stdout.splitlines()[-1]) == len(projection.filtered)


def test_rollback_puts_back_what_was_there(
    five_nodes: Path, nft: str, namespaces: str, tmp_path: Path
) -> None:
    for file in renderer("nftables").render(projector(five_nodes).host("node-1")).files:
        (tmp_path / file.name).write_text(file.text)
    script = tmp_path / "node-1-nft.sh"
    old = "nft add table inet controlroom; nft add chain inet controlroom mine"
    commands = (
        f"{old}; export CONTROLROOM_FIREWALL_STATE={tmp_path}/state; sh {script} check && sh {script} apply && "
        f"sh {script} rollback && nft list ruleset"
    )
    done = subprocess.run(
        ["unshare", "-n", "-p", "-f", "--kill-child", "sh", "-c", commands],
        capture_output=True,
        text=True,
        check=True,
    )

    assert "chain mine" in done.stdout
    assert "hook input" not in done.stdout


def test_a_side_known_by_name_alone_is_refused_and_not_left_out() -> None:
    site = parse_site(
        '[options]\nmanagement = "console"\nidentity = "local"\n[zone.z]\nprefixes = ["10.0.0.0/24"]\n'
        '[host.cr]\nzone = "z"\naddresses = ["10.0.0.1"]\nroles = ["control-room"]\n'
        '[external.post]\nprovider = "Gmail"\nroles = ["mail-server"]\n'
    )

    with pytest.raises(CannotExpress, match=r"smtp.gmail.com; give \[external.post\] prefixes"):
        renderer("nftables").render(Projector(derive_policy(site)).host("cr"))


def test_sysctl_reserves_the_cluster_ports_and_only_on_control_rooms(five_nodes: Path) -> None:
    one = projector(five_nodes)
    (file,) = renderer("sysctl").render(one.host("node-1")).files

    assert "net.ipv4.ip_local_reserved_ports = 47100-47200,47500-47600\n" in file.text
    with pytest.raises(CannotExpress, match="no Control Room server"):
        renderer("sysctl").render(one.host("database"))


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        (("ip saddr 10.20.2.12/30 ", "ip saddr 10.0.0.0/8 "), FindingKind.CLUSTER_EXPOSURE),
        (("dport 22 ", "dport 1-22 "), FindingKind.EXCESS),
        (("dport 8080 ", "dport 8081 "), FindingKind.MISSING),
    ],
)
def test_a_changed_rule_is_found_with_its_name_and_a_witness(
    five_nodes: Path, change: tuple[str, str], kind: FindingKind
) -> None:
    projection = projector(five_nodes).host("node-1")
    text = renderer("nftables").render(projection).files[0].text.replace(*change)

    findings = prove(projection, parse_ruleset((RulesetText("changed.nft", text),))).findings

    found = next(finding for finding in findings if finding.kind is kind)
    assert found.packet is not None
    assert found.rule.startswith("inet controlroom inbound")


def test_a_rule_for_a_match_that_is_not_understood_makes_the_answer_unknown(five_nodes: Path) -> None:
    projection = projector(five_nodes).host("node-1")
    strange = {
        "rule": {
            "family": "inet",
            "table": "t",
            "chain": "c",
            "handle": 9,
            "expr": [{"xt": {"type": "match", "name": "time"}}, {"accept": None}],
        }
    }
    chain = {
        "chain": {
            "family": "inet",
            "table": "t",
            "name": "c",
            "type": "filter",
            "hook": "input",
            "prio": 0,
            "policy": "drop",
        }
    }
    ruleset = parse_ruleset((RulesetText("odd", json.dumps({"nftables": [chain, strange]})),))

    findings = prove(projection, ruleset).findings

    inbound = [finding for finding in findings if finding.direction == "inbound"]
    assert {finding.kind for finding in inbound} == {FindingKind.UNKNOWN}
    assert "handle 9" in inbound[0].rule
    assert "match 'time' of iptables is not understood" in inbound[0].message
