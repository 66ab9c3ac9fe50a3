"""ufw: its own program takes our rules for its own, and its files are read as it loads them."""

import random
import subprocess
from pathlib import Path

import pytest

from controlroom.network.addresses import Family
from controlroom.network.analysis import Packet, Verdict, compare, judge
from controlroom.network.errors import BadRuleset
from controlroom.network.projection import Direction
from controlroom.network.proof import prove
from controlroom.network.renderers import renderer
from controlroom.network.rulesets import Ruleset, RulesetText, parse_ruleset
from network.required_programs import required

from .programs import UfwFolder, ufw_program
from .sites import projector

__all__ = ["ufw_program"]

NAMES = ["user.rules", "user6.rules", "before.rules", "before6.rules", "after.rules", "after6.rules"]


@pytest.fixture
def ufw(ufw_program: str, tmp_path: Path) -> UfwFolder:
    return UfwFolder(tmp_path)


@pytest.fixture(scope="session")
def namespaces() -> None:
    required("unshare", "util-linux")
    if subprocess.run(["unshare", "-n", "true"], capture_output=True).returncode:
        pytest.skip("network namespaces need root: run the tests with sudo")


def run(ufw: UfwFolder, *lines: str) -> str:
    """Run lines of shell in namespaces of their own, so that the timed roll-back ends with them."""
    script = "\n".join(["set -e", f'ufw() {{ command {ufw.command} "$@"; }}', *lines])
    done = subprocess.run(
        ["unshare", "-n", "-p", "-f", "--kill-child", "sh", "-c", script],
        capture_output=True,
        text=True,
        env=ufw.environment,
        timeout=100,
        cwd=ufw.root,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def place(ufw: UfwFolder, name: str) -> str:
    """Write a host's rendering beside ufw's folder and return its script."""
    for file in renderer("ufw").render(projector().host(name)).files:
        (ufw.root / file.name).write_text(file.text)
    return f"sh {ufw.root}/{name}-ufw.sh"


def held(ufw: UfwFolder) -> Ruleset:
    files = [ufw.root / "etc/ufw" / name for name in NAMES]
    files += [ufw.root / "etc/default/ufw", ufw.root / "etc/ufw/ufw.conf"]
    return parse_ruleset(tuple(RulesetText(file.name, file.read_text()) for file in files))


def test_ufw_keeps_our_rules_as_they_are_and_what_it_loads_is_the_policy(
    ufw: UfwFolder, namespaces: None
) -> None:
    script = place(ufw, "node-1")

    status = run(
        ufw,
        f"{script} check && {script} apply && {script} confirm",
        "cp etc/ufw/user.rules first; cp etc/ufw/user6.rules first6; cp etc/ufw/before6.rules before-first",
        # A second time changes nothing, and ufw itself writes the same after a rule comes and goes.
        f"{script} apply && {script} confirm",
        "cmp first etc/ufw/user.rules; cmp before-first etc/ufw/before6.rules",
        "ufw allow 7777/udp; ufw delete allow 7777/udp",
        "cmp first etc/ufw/user.rules; cmp first6 etc/ufw/user6.rules",
        "iptables-save >saved4; ip6tables-save >saved6; ufw status",
    )

    assert "# controlroom: cluster-messaging" in status
    projection = projector().host("node-1")
    loaded = tuple(RulesetText(name, (ufw.root / name).read_text()) for name in ("saved4", "saved6"))
    assert prove(projection, parse_ruleset(loaded, format_name="iptables")).findings == ()
    assert held(ufw).parser == "ufw"
    assert prove(projection, held(ufw)).findings == ()


def test_a_rule_of_somebody_else_stays_and_is_found(ufw: UfwFolder, namespaces: None) -> None:
    script = place(ufw, "node-1")

    run(ufw, "ufw allow 9999/tcp comment theirs", f"{script} apply", "ufw status | grep -q theirs")

    findings = prove(projector().host("node-1"), held(ufw)).findings
    assert {finding.packet.destination_port for finding in findings if finding.packet} == {9999}
    assert "theirs" in findings[0].rule


def test_roll_back_puts_back_what_was_there(ufw: UfwFolder, namespaces: None) -> None:
    script = place(ufw, "node-1")

    out = run(
        ufw,
        "ufw allow 9999/tcp comment theirs",
        "for name in etc/ufw/*.rules; do cp $name $(basename $name).before; done",
        f"{script} apply && {script} rollback",
        "for name in etc/ufw/*.rules; do cmp $name $(basename $name).before; done",
        "ufw status",
    )

    assert "Status: inactive" in out


def test_what_nobody_confirms_is_rolled_back(ufw: UfwFolder, namespaces: None) -> None:
    script = place(ufw, "node-1")
    path = ufw.root / "node-1-ufw.sh"
    path.write_text(path.read_text().replace("sleep 120", "sleep 4"))

    run(
        ufw,
        f"cp etc/ufw/user.rules before; {script} apply",
        # The roll-back runs by itself; each question to ufw takes a while.
        "for try in $(seq 200); do ufw status >now",
        "  if grep -q inactive now && cmp -s before etc/ufw/user.rules; then exit 0; fi",
        "done",
        "exit 1",
    )


def test_random_rules_are_read_from_files_as_from_the_kernel(ufw: UfwFolder, namespaces: None) -> None:
    """What our parser makes of ufw's files is what iptables-save shows of them once they are loaded."""
    chance = random.Random(7)
    commands = []
    for _ in range(14):
        action = chance.choice(["allow", "deny", "reject", "allow", "route allow"])
        side = chance.choice(["", "out"]) if not action.startswith("route") else ""
        source = chance.choice(["any", "10.0.0.0/8", "10.1.2.3", "fd00::/16"])
        port = chance.choice(["22", "80,443", "8000:8010"])
        protocol = chance.choice(["tcp", "udp"])
        commands.append(
            f"ufw {action} {side} proto {protocol} from {source} to any port {port} comment 'ip6 {port}'"
        )
    commands.append(f"ufw default {chance.choice(['deny', 'reject'])} outgoing")

    run(
        ufw,
        "ufw logging off",
        *commands,
        "ufw --force enable",
        "iptables-save >saved4; ip6tables-save >saved6",
    )

    loaded = tuple(RulesetText(name, (ufw.root / name).read_text()) for name in ("saved4", "saved6"))
    kernel, files = parse_ruleset(loaded, format_name="iptables"), held(ufw)
    sure = ("ufw-not-local", "hl", "rt")
    for direction in Direction:
        for one in compare(kernel.programs[direction], files.programs[direction]).differences:
            # iptables-save keeps matches that the kernel's own file does not spell out; they are uncertain there.
            assert one.first is Verdict.UNKNOWN, (direction, str(one.packet), one)
            reason = kernel.programs[direction].rules[one.first_rule].reason
            assert any(word in reason for word in (*sure, "--dst-type")), reason


def test_apply_refuses_a_ufw_that_leaves_ipv6_out(ufw: UfwFolder, namespaces: None) -> None:
    script = place(ufw, "node-1")
    (ufw.root / "etc/default/ufw").write_text("IPV6=no\n")

    assert "set IPV6=yes" in run(ufw, f"{script} apply 2>&1 || true")


def test_what_a_fresh_ufw_lets_in_is_read(ufw: UfwFolder) -> None:
    program = held(ufw).programs[Direction.INBOUND]

    # It is not enabled, so that everything passes; once it is, ping and mDNS do, and no more.
    assert judge(program, Packet(Family.IPV4, 6, 1, 2, 40_000, 22)).verdict is Verdict.ALLOW
    conf = ufw.root / "etc/ufw/ufw.conf"
    conf.write_text(conf.read_text().replace("ENABLED=no", "ENABLED=yes"))
    program = held(ufw).programs[Direction.INBOUND]
    mdns = 0xE00000FB
    asked = {
        (6, 2, 22): Verdict.DENY,
        (1, 2, 8): Verdict.ALLOW,
        (1, 2, 13): Verdict.DENY,
        (17, mdns, 5353): Verdict.ALLOW,
        (17, 2, 5353): Verdict.DENY,
    }
    for (protocol, destination, port), wanted in asked.items():
        packet = Packet(Family.IPV4, protocol, 1, destination, 40_000, port)
        assert judge(program, packet).verdict is wanted, packet
    neighbour = Packet(Family.IPV6, 58, 1, 2, 0, 135)
    assert judge(program, neighbour).verdict is Verdict.ALLOW


def test_limits_logging_and_interfaces_are_read_as_ufw_writes_them(ufw: UfwFolder, namespaces: None) -> None:
    run(
        ufw,
        "ufw allow 22/tcp; ufw limit 23/tcp; ufw deny log 24/tcp; ufw allow in on eth7 to any port 25 proto tcp",
        "ufw reject 26/tcp; ufw allow 26/tcp; ufw default reject incoming; ufw --force enable",
    )

    program = held(ufw).programs[Direction.INBOUND]
    told = {
        port: judge(program, Packet(Family.IPV4, 6, 1, 2, 40_000, port)).verdict for port in range(22, 28)
    }
    # ufw lets a second word on the same port replace the first.
    assert told == {22: "allow", 23: "unknown", 24: "deny", 25: "unknown", 26: "allow", 27: "deny"}


def test_files_of_another_kind_or_twice_are_refused() -> None:
    rules = "*filter\n:ufw-user-input - [0:0]\nCOMMIT\n"

    with pytest.raises(BadRuleset, match="a second file"):
        parse_ruleset(
            (RulesetText("user.rules", rules), RulesetText("x-user.rules", rules)), format_name="ufw"
        )
    with pytest.raises(BadRuleset, match="has no COMMIT"):
        parse_ruleset((RulesetText("user.rules", rules[:-7]),))
    with pytest.raises(BadRuleset, match="neither a rules file nor a setting"):
        parse_ruleset((RulesetText("notes", "hello there\n"),), format_name="ufw")
