"""firewalld: its own tool and a running firewalld take our files, and zones and policies are read as it tries them."""

import subprocess
from pathlib import Path

import pytest

from controlroom.network.addresses import Family
from controlroom.network.analysis import Packet, Verdict, judge
from controlroom.network.errors import BadRuleset
from controlroom.network.projection import Direction
from controlroom.network.proof import FindingKind, prove
from controlroom.network.renderers import renderer
from controlroom.network.rulesets import RulesetText, parse_ruleset
from network.required_programs import required

from .programs import FirewalldFolder, firewalld_program
from .sites import EXAMPLES, hostile, projector

__all__ = ["firewalld_program"]

STOCK = Path("/usr/lib/firewalld")
CONF = RulesetText("firewalld.conf", "# a comment\nDefaultZone=public\n")


@pytest.fixture(scope="session")
def namespaces() -> None:
    required("unshare", "util-linux")
    if subprocess.run(["unshare", "-n", "true"], capture_output=True).returncode:
        pytest.skip("network namespaces need root: run the tests with sudo")


def zone(body: str, *, name: str = "public", attributes: str = "") -> RulesetText:
    return RulesetText(
        f"{name}.xml", f'<?xml version="1.0" encoding="utf-8"?>\n<zone{attributes}>{body}</zone>'
    )


def policy(
    body: str, name: str, priority: int, target: str = "CONTINUE", sides: str = "ANY HOST"
) -> RulesetText:
    ingress, egress = sides.split()
    head = f'<policy priority="{priority}" target="{target}"><ingress-zone name="{ingress}"/><egress-zone name="{egress}"/>'
    return RulesetText(f"{name}.xml", f"{head}{body}</policy>")


def inbound(*files: RulesetText, port: int = 80, source: int = 1, protocol: int = 6) -> str:
    program = parse_ruleset((CONF, *files)).programs[Direction.INBOUND]
    return judge(program, Packet(Family.IPV4, protocol, source, 2, 40_000, port)).verdict


def place(folder: Path, name: str) -> str:
    for file in renderer("firewalld").render(projector().host(name)).files:
        (folder / file.name).parent.mkdir(parents=True, exist_ok=True)
        (folder / file.name).write_text(file.text)
    return str(folder / f"{name}-firewalld.sh")


def assert_read_or_unknown(listing: str) -> None:
    """What firewalld made of our rendering in nft is the contract as far as it is understood, and says where it is not."""
    verdicts = prove(projector().host("node-1"), parse_ruleset((RulesetText("nft.json", listing),)))
    unknown = [one for one in verdicts.findings if one.kind is FindingKind.UNKNOWN]
    others = [one for one in verdicts.findings if one.kind is not FindingKind.UNKNOWN]

    assert unknown
    assert all("is not understood" in one.message for one in unknown)
    # firewalld itself rejects what goes to ::/96 (RFC3964_IPv4); neighbour discovery has no business there.
    assert {(one.kind, one.flow) for one in others} <= {(FindingKind.MISSING, "neighbour-discovery")}


def test_firewalld_checks_loads_confirms_and_rolls_back(
    firewalld_program: str, namespaces: None, tmp_path: Path
) -> None:
    script = place(tmp_path, "node-1")
    files = FirewalldFolder(tmp_path)
    (files.config / "policies/theirs.xml").write_text(policy("", "theirs", 5).text)
    own = subprocess.Popen(["unshare", "-n", "-p", "-f", "--kill-child", "sleep", "infinity"])
    try:
        child = subprocess.run(["pgrep", "-P", str(own.pid)], capture_output=True, text=True)
        for _ in range(1000):
            if child.stdout.strip():
                break
            child = subprocess.run(["pgrep", "-P", str(own.pid)], capture_output=True, text=True)
        inside = ["nsenter", "-n", "-p", "-t", child.stdout.strip()]

        def step(*words: str) -> str:
            done = subprocess.run(
                [*inside, *words], env=files.environment, capture_output=True, text=True, timeout=60
            )
            assert done.returncode == 0, done.stdout + done.stderr
            return done.stdout

        with files.running(*inside):
            assert "controlroom" not in step("nft", "list", "ruleset")
            step("sh", script, "check")
            step("sh", script, "apply")
            step("sh", script, "confirm")
            once = step("nft", "list", "chain", "inet", "firewalld", "filter_IN_policy_controlroom-in_allow")
            step("sh", script, "apply")
            assert (
                step("nft", "list", "chain", "inet", "firewalld", "filter_IN_policy_controlroom-in_allow")
                == once
            )
            assert "47500-47598" in once
            held = [path for path in files.config.rglob("*.xml") if path.is_file()]
            held.append(files.config / "firewalld.conf")
            ruleset = parse_ruleset(tuple(RulesetText(path.name, path.read_text()) for path in held))
            assert prove(projector().host("node-1"), ruleset).findings == ()
            assert_read_or_unknown(step("nft", "-j", "list", "ruleset"))
            # The first apply was confirmed: rolling back the second leads to the same rules.
            step("sh", script, "rollback")
            assert "controlroom" in step("nft", "list", "ruleset")
            assert (files.config / "policies/theirs.xml").exists()
    finally:
        own.kill()
        own.wait()


@pytest.mark.parametrize("site", sorted(path.stem for path in EXAMPLES.glob("*.toml")))
def test_firewalld_s_own_tool_accepts_every_rendering(
    firewalld_program: str, site: str, tmp_path: Path
) -> None:
    one = projector(site)
    config = FirewalldFolder(tmp_path).config
    for projection in (one.host(one.policy.site.hosts[0].name), one.border()):
        for file in renderer("firewalld").render(projection).files:
            if file.is_rules:
                _, kind, name = file.name.split("/")
                (config / kind / name).write_text(file.text)

    done = subprocess.run(
        ["firewall-offline-cmd", f"--system-config={config}", "--check-config"],
        capture_output=True,
        text=True,
    )

    assert done.returncode == 0, done.stderr
    assert "rror" not in done.stdout + done.stderr


def test_firewalld_s_own_tool_accepts_hostile_words(firewalld_program: str, tmp_path: Path) -> None:
    config = FirewalldFolder(tmp_path).config
    for file in renderer("firewalld").render(hostile("--> <accept/> <!-- \ufffe &amp; ---").host("a")).files:
        if file.is_rules:
            _, kind, name = file.name.split("/")
            (config / kind / name).write_text(file.text)

    done = subprocess.run(
        ["firewall-offline-cmd", f"--system-config={config}", "--check-config"],
        capture_output=True,
        text=True,
    )

    assert (done.returncode, "rror" in done.stdout + done.stderr) == (0, False)


def test_a_fresh_firewalld_is_read_with_its_services(firewalld_program: str) -> None:
    paths = [STOCK / "zones/public.xml", *(STOCK / "policies").glob("*.xml")]
    paths += [STOCK / "services/ssh.xml", STOCK / "services/dhcpv6-client.xml"]
    ruleset = parse_ruleset((CONF, *(RulesetText(path.name, path.read_text()) for path in paths)))
    program = ruleset.programs[Direction.INBOUND]

    asked = {(6, 22): Verdict.ALLOW, (6, 23): Verdict.DENY, (1, 8): Verdict.ALLOW, (17, 546): Verdict.DENY}
    for (protocol, port), wanted in asked.items():
        assert judge(program, Packet(Family.IPV4, protocol, 1, 2, 40_000, port)).verdict is wanted
    link_local = 0xFE80 << 112
    dhcp = Packet(Family.IPV6, 17, 1, link_local + 1, 547, 546)
    assert judge(program, dhcp).verdict is Verdict.ALLOW


def test_a_service_that_was_not_given_is_unknown() -> None:
    assert inbound(zone('<service name="web"/><port port="80" protocol="tcp"/>')) is Verdict.ALLOW
    assert inbound(zone('<service name="web"/>')) is Verdict.UNKNOWN


def test_rich_rules_come_by_priority_and_denials_before_allowances() -> None:
    accept = '<rule family="ipv4"><port port="80" protocol="tcp"/><accept/></rule>'
    drop = '<rule family="ipv4"><source address="0.0.0.0/8"/><drop/></rule>'
    late = drop.replace("<rule ", '<rule priority="5" ')
    early = accept.replace("<rule ", '<rule priority="-5" ')

    assert inbound(zone(accept + drop)) is Verdict.DENY
    assert inbound(zone(accept + late)) is Verdict.ALLOW
    assert inbound(zone(early + drop)) is Verdict.ALLOW
    assert (
        inbound(zone(accept.replace("<accept/>", '<accept><limit value="1/m"/></accept>'))) is Verdict.UNKNOWN
    )
    inverted = drop.replace('address="0.0.0.0/8"', 'address="0.0.0.0/8" invert="True"')
    assert inbound(zone(accept + inverted)) is Verdict.ALLOW


def test_policies_stand_around_the_zone() -> None:
    open_zone = zone('<port port="80" protocol="tcp"/>')

    assert inbound(open_zone, policy("", "p", -5, "DROP")) is Verdict.DENY
    assert inbound(open_zone, policy("", "p", 5, "DROP")) is Verdict.ALLOW
    assert inbound(zone(""), policy("", "p", 5, "ACCEPT")) is Verdict.ALLOW
    other = policy("", "p", -5, "DROP", "other HOST")
    assert inbound(open_zone, other, zone("", name="other")) is Verdict.ALLOW
    assert inbound(open_zone, other, zone('<source address="0.0.0.1"/>', name="other")) is Verdict.DENY
    assert inbound(open_zone, other, zone('<interface name="eth7"/>', name="other")) is Verdict.UNKNOWN
    assert inbound(open_zone, other) is Verdict.UNKNOWN
    # The default zone has no packets of its own but by its interfaces, which are often bound at run time.
    assert inbound(open_zone, policy("", "p", -5, "DROP", "public HOST")) is Verdict.UNKNOWN
    assert inbound(open_zone, policy("", "p", -5, "DROP", "HOST ANY")) is Verdict.ALLOW
    first, second = policy("", "b", -6, "ACCEPT"), policy("", "a", -5, "DROP")
    assert inbound(zone(""), second, first) is Verdict.ALLOW


def test_sources_choose_the_zone_and_interfaces_may() -> None:
    public = zone('<port port="80" protocol="tcp"/>')
    inner = zone('<source address="0.0.0.0/24"/><port port="81" protocol="tcp"/>', name="inner")
    wired = zone('<interface name="eth1"/><port port="82" protocol="tcp"/>', name="wired")

    assert [inbound(public, inner, port=port) for port in (80, 81)] == ["deny", "allow"]
    assert [inbound(public, inner, port=port, source=1 << 20) for port in (80, 81)] == ["allow", "deny"]
    assert [inbound(public, wired, port=port) for port in (80, 82, 83)] == ["unknown", "unknown", "deny"]
    assert inbound(zone("", name="other")) is Verdict.UNKNOWN


@pytest.mark.parametrize(
    ("target", "verdict"), [("ACCEPT", "allow"), ("DROP", "deny"), ("%%REJECT%%", "deny"), ("odd", "unknown")]
)
def test_targets_decide_what_is_left(target: str, verdict: str) -> None:
    assert inbound(zone("", attributes=f' target="{target}"')) == verdict


def test_firewalld_s_own_policy_for_ipv6_is_unknown_where_it_was_not_given() -> None:
    closed = zone("", attributes=' target="DROP"')
    own = policy("", "allow-host-ipv6", -15_000)

    def verdicts(*files: RulesetText) -> list[str]:
        program = parse_ruleset((CONF, *files)).programs[Direction.INBOUND]
        return [judge(program, Packet(Family.IPV6, 58, 1, 2, 0, kind)).verdict for kind in (128, 135)]

    assert verdicts(closed) == ["deny", "unknown"]
    assert verdicts(closed, own) == ["deny", "deny"]


def test_two_files_of_one_name_are_refused() -> None:
    with pytest.raises(BadRuleset, match="a second zone 'public'"):
        parse_ruleset((CONF, zone(""), zone("")))


def test_direct_rules_and_rewriting_make_answers_unknown() -> None:
    direct = RulesetText("direct.xml", "<direct><rule>-p tcp -j ACCEPT</rule></direct>")

    assert inbound(zone(""), direct) is Verdict.UNKNOWN
    assert inbound(zone('<forward-port port="80" protocol="tcp" to-port="81"/>')) is Verdict.UNKNOWN


def test_sets_of_ports_and_of_types_are_read() -> None:
    def ipset(kind: str, *entries: str) -> RulesetText:
        listed = "".join(f"<entry>{entry}</entry>" for entry in entries)
        return RulesetText("odd.xml", f'<ipset type="{kind}">{listed}</ipset>')

    rule = zone('<rule family="ipv4"><source ipset="odd"/><accept/></rule>', attributes=' target="DROP"')

    assert inbound(rule, ipset("hash:net", "0.0.0.0/30")) is Verdict.ALLOW
    assert inbound(rule, ipset("hash:net", "1.0.0.0/30")) is Verdict.DENY
    types = ipset("hash:net,port", "0.0.0.0/30,1:2048-2303")
    assert [inbound(rule, types, protocol=1, port=kind) for kind in (7, 8, 9)] == ["deny", "allow", "deny"]
    codes = ipset("hash:net,port", "0.0.0.0/30,1:2048-2300")
    assert inbound(rule, codes, protocol=1, port=8) is Verdict.UNKNOWN
    assert inbound(rule, ipset("hash:net,port", "0.0.0.0/30,tcp:40000")) is Verdict.ALLOW
    assert inbound(rule, ipset("hash:net,port", "0.0.0.0/30,tcp:40001")) is Verdict.DENY
    assert inbound(rule, ipset("hash:mac", "00:11:22:33:44:55")) is Verdict.UNKNOWN
    assert inbound(rule) is Verdict.UNKNOWN


@pytest.mark.parametrize(
    "text",
    [
        '<!DOCTYPE z [<!ENTITY a "x">]><zone>&a;</zone>',
        "<zone><port",
        '<policy priority="first"/>',
        '<zone><rule priority="x"><accept/></rule></zone>',
        "<zone>" + "<rule>" * 30_000,
    ],
)
def test_hostile_xml_is_refused(text: str) -> None:
    with pytest.raises(BadRuleset):
        parse_ruleset((CONF, RulesetText("zone.xml", text)), format_name="firewalld")
