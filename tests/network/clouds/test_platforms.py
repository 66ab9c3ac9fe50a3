"""What the platforms' own schemas and tools say of the renderings, and what their scripts do with fake tools."""

import json
import os
import stat
import subprocess
from pathlib import Path

import kubernetes_validate
import pytest
import yaml
from cfnlint import api as cfnlint
from cfnlint.config import ManualArgs

from controlroom.network.renderers import Rendering, renderer

from .sites import TARGETS, projection_of, projector_of, rules_text
from .test_renderings import crowd


@pytest.mark.parametrize("name", ["node-1", "runner-01", "database"])
def test_cfn_lint_finds_nothing_in_the_template(five_nodes: Path, name: str) -> None:
    text = rules_text("aws-cloudformation", projector_of(five_nodes).host(name))

    assert cfnlint.lint(text, config=ManualArgs(regions=["eu-central-1"])) == []


def test_cfn_lint_sees_a_fault_that_is_put_in(five_nodes: Path) -> None:
    text = rules_text("aws-cloudformation", projector_of(five_nodes).host("node-1"))

    found = cfnlint.lint(text.replace("CidrIp:", "CidrIpv4:", 1), config=ManualArgs(regions=["eu-central-1"]))

    assert any("CidrIpv4" in str(one) for one in found)


@pytest.mark.parametrize("target", ["kubernetes", "kubernetes-single-ports"])
@pytest.mark.parametrize("name", ["node-1", "runner-01", "share"])
def test_policy_is_valid_by_the_strict_schema(five_nodes: Path, target: str, name: str) -> None:
    policy = yaml.safe_load(rules_text(target, projector_of(five_nodes).host(name)))

    kubernetes_validate.validate(policy, kubernetes_validate.latest_version(), strict=True)


def test_strict_schema_sees_a_key_that_is_misspelt(five_nodes: Path) -> None:
    text = rules_text("kubernetes", projector_of(five_nodes).host("node-1")).replace("endPort", "endport", 1)

    with pytest.raises(kubernetes_validate.ValidationError, match="endport"):
        kubernetes_validate.validate(yaml.safe_load(text), kubernetes_validate.latest_version(), strict=True)


@pytest.mark.parametrize("target", [target for target in TARGETS if target.endswith("terraform")])
def test_terraform_files_of_many_hosts_share_a_folder(five_nodes: Path, target: str) -> None:
    one = projector_of(five_nodes)
    merged: dict[str, dict[str, object]] = {}
    variables: set[str] = set()
    for name in ("node-1", "node-2", "database"):
        for file in renderer(target).render(one.host(name)).files:
            if file.is_rules:
                for kind, resources in json.loads(file.text)["resource"].items():
                    assert not merged.setdefault(kind, {}).keys() & resources.keys()
                    merged[kind].update(resources)
            elif file.name.endswith(".tf.json"):
                variables.add(file.text)

    (declared,) = variables
    document = json.loads(declared)
    used = {word.split("}")[0] for word in json.dumps(merged).split("${var.")[1:]}
    assert used == set(document["variable"])
    assert merged
    assert set(document["terraform"]) == {"required_version", "required_providers"}


TOOL = """\
#!/bin/sh
echo "$(basename "$0") $*" >>"$LOG"
case "$*" in
  *"nsg list"*|*list-stacks*|*" get --ignore-not-found"*) [ -z "${HELD:-}" ] || echo present; exit "${BROKEN:-0}" ;;
  *"--method get"*|*get-template*|*view-last-applied*) echo "$HELD"; exit "${UNSAVED:-0}" ;;
  *" diff "*) exit 1 ;;
esac
"""


def run_script(
    rendering: Rendering, folder: Path, *steps: str, held: str = "", **trouble: str
) -> tuple[list[str], subprocess.CompletedProcess[str]]:
    """Run steps of a rendering's script with tools that only write down how they are called."""
    tools = folder / "tools"
    tools.mkdir(parents=True, exist_ok=True)
    for tool in ("az", "aws", "kubectl", "terraform"):
        (tools / tool).write_text(TOOL)
        (tools / tool).chmod(stat.S_IRWXU)
    # The timed roll-back would outlive the test; it ends at once, as if it had been confirmed.
    (tools / "sleep").write_text('#!/bin/sh\nrm -f "$CONTROLROOM_FIREWALL_STATE"/*.pending\n')
    (tools / "sleep").chmod(stat.S_IRWXU)
    for file in rendering.files:
        (folder / file.name).write_text(file.text)
    script = folder / next(file.name for file in rendering.files if file.executable)
    log = folder / "log"
    log.unlink(missing_ok=True)
    environment = {
        "PATH": f"{tools}{os.pathsep}{os.environ['PATH']}",
        "LOG": str(log),
        "HELD": held,
        "HOME": str(folder),
        "CONTROLROOM_FIREWALL_STATE": str(folder / "state"),
        "RESOURCE_GROUP": "network",
        "VPC": "vpc-0abc",
        "NAMESPACE": "robots",
        **trouble,
    }
    command = " && ".join(f"sh '{script}' {step}" for step in steps)
    done = subprocess.run(["sh", "-c", command], env=environment, capture_output=True, text=True, timeout=30)
    return log.read_text().splitlines() if log.exists() else [], done


CHANGING = ("create", "apply -f", "deploy --stack", "apply -input", "--method put", "delete")


def changing(lines: list[str]) -> list[str]:
    return [
        line
        for line in lines
        if any(word in line for word in CHANGING)
        and "--no-execute-changeset" not in line
        and "--dry-run" not in line
    ]


@pytest.mark.parametrize("target", TARGETS)
def test_check_changes_nothing_and_asks_the_platform_what_would_change(
    five_nodes: Path, target: str, tmp_path: Path
) -> None:
    rendering = renderer(target).render(projector_of(five_nodes).host("node-1"))

    lines, done = run_script(rendering, tmp_path, "check")

    assert done.returncode == 0, done.stderr
    assert changing(lines) == []
    asked = {"az": "what-if", "aw": "--no-execute-changeset", "gc": " plan ", "ku": " diff "}
    wanted = " plan " if target.endswith("terraform") else asked[target[:2]]
    assert any(wanted in line for line in lines)


@pytest.mark.parametrize("target", TARGETS)
def test_apply_confirm_and_rollback_of_what_was_not_there_removes_ours_alone(
    five_nodes: Path, target: str, tmp_path: Path
) -> None:
    rendering = renderer(target).render(projector_of(five_nodes).host("node-1"))

    lines, done = run_script(rendering, tmp_path, "apply", "confirm", "rollback")

    assert done.returncode == 0, done.stderr
    assert "applied; confirm within 120 seconds" in done.stdout
    assert len(changing(lines)) == 2
    if not target.endswith("terraform"):
        assert "controlroom-node-1" in changing(lines)[-1]


@pytest.mark.parametrize("target", [target for target in TARGETS if not target.endswith("terraform")])
def test_rollback_gives_back_what_was_there(five_nodes: Path, target: str, tmp_path: Path) -> None:
    rendering = renderer(target).render(projector_of(five_nodes).host("node-1"))

    lines, done = run_script(rendering, tmp_path, "apply", "rollback", held="what was there")

    assert done.returncode == 0, done.stderr
    assert "controlroom-node-1.saved" in changing(lines)[-1]
    assert (tmp_path / "state/controlroom-node-1.saved").read_text() == "what was there\n"


@pytest.mark.parametrize("target", [target for target in TARGETS if not target.endswith("terraform")])
@pytest.mark.parametrize("trouble", ["BROKEN", "UNSAVED"])
def test_what_cannot_be_saved_is_not_changed(
    five_nodes: Path, target: str, trouble: str, tmp_path: Path
) -> None:
    rendering = renderer(target).render(projector_of(five_nodes).host("node-1"))

    lines, done = run_script(rendering, tmp_path, "apply", held="what was there", **{trouble: "1"})

    assert done.returncode != 0
    assert lines
    assert changing(lines) == []


def test_terraform_rollback_puts_the_file_back_that_was_applied_before(
    five_nodes: Path, tmp_path: Path
) -> None:
    before = renderer("gcp-terraform").render(projection_of(crowd(2)))
    after = renderer("gcp-terraform").render(projection_of(crowd(3)))

    run_script(before, tmp_path, "apply", "confirm")
    _, done = run_script(after, tmp_path, "apply", "rollback")

    assert done.returncode == 0, done.stderr
    assert (tmp_path / before.files[0].name).read_text() == before.files[0].text != after.files[0].text


def test_script_says_which_variable_is_missing(five_nodes: Path, tmp_path: Path) -> None:
    (_, script) = renderer("azure-arm").render(projector_of(five_nodes).host("node-1")).files
    (tmp_path / "run").write_text(script.text)

    done = subprocess.run(["sh", str(tmp_path / "run"), "check"], env={}, capture_output=True, text=True)

    assert done.returncode != 0
    assert "RESOURCE_GROUP: set it to the resource group of the network" in done.stderr
