"""Rulesets as they are found on real hosts: Docker's, kube-proxy's, fail2ban's, and what distributions begin with.

Each gets a verdict that helps, and nothing in it is unknown that the ruleset and the site do tell.
"""

import json
import subprocess
from pathlib import Path

import pytest

from controlroom.network.addresses import Family, parse_addresses
from controlroom.network.analysis import Packet, Verdict, judge
from controlroom.network.errors import BadSite
from controlroom.network.policy import derive_policy
from controlroom.network.projection import Direction, Projection, Projector
from controlroom.network.proof import FindingKind, Verdicts, prove
from controlroom.network.rulesets import RulesetText, parse_ruleset
from controlroom.network.site import parse_site
from network.hostfirewalls.programs import FirewalldFolder, UfwFolder, firewalld_program, ufw_program
from network.required_programs import required

FOLDER = Path(__file__).parent / "as_found"
SITE = (FOLDER / "site.toml").read_text(encoding="utf-8")
UNDECLARED = SITE.replace('interfaces = { eth0 = "elsewhere", docker0 = ["172.17.0.0/16"] }\n', "")

__all__ = ["firewalld_program", "ufw_program"]


def database(site: str = SITE) -> Projection:
    return Projector(derive_policy(parse_site(site))).host("database")


def verdicts(*names: str, site: str = SITE) -> Verdicts:
    return proved([RulesetText(name, (FOLDER / name).read_text(encoding="utf-8")) for name in names], site)


def proved(files: list[RulesetText], site: str = SITE) -> Verdicts:
    return prove(database(site), parse_ruleset(tuple(files)))


def messages(found: Verdicts, kind: FindingKind) -> list[str]:
    return [one.message for one in found.findings if one.kind is kind]


def test_docker_opens_a_published_port_to_everybody_and_the_proof_says_so() -> None:
    found = verdicts("docker.save", "closed6.save")

    assert not messages(found, FindingKind.UNKNOWN)
    (published,) = [one for one in messages(found, FindingKind.EXCESS) if "172.17.0.2" in one]
    assert ":5432 is let through by 'IPv4 DOCKER line 16'" in published
    assert "-> 172.17.0.2:5432)" in published
    assert "Packets come and go by the interfaces that the site declares." in found.assumptions


def test_without_declared_interfaces_the_proof_says_what_to_declare() -> None:
    found = verdicts("docker.save", "closed6.save", site=UNDECLARED)

    assert all(
        "docker0 is not known; say it in the site" in one for one in messages(found, FindingKind.UNKNOWN)
    )
    assert messages(found, FindingKind.UNKNOWN)


def test_kube_proxy_s_rules_leave_the_host_open_and_nothing_unknown() -> None:
    found = verdicts("kube-proxy.save", "closed6.save")

    assert {one.kind for one in found.findings} == {FindingKind.EXCESS}


def test_fail2ban_s_set_counts_as_it_was_listed() -> None:
    found = verdicts("fail2ban.save", "fail2ban.ipset", "closed6.save")
    assert found.holds
    assert any("taken as they were when they were listed" in one for one in found.assumptions)

    banned = (FOLDER / "fail2ban.ipset").read_text().replace("203.0.113.7 timeout", "172.16.0.3 timeout")
    files = [RulesetText(name, (FOLDER / name).read_text()) for name in ("fail2ban.save", "closed6.save")]
    (missing,) = proved([*files, RulesetText("fail2ban.ipset", banned)]).findings
    assert "172.16.0.3:49152 -> 10.8.128.11:22 is stopped by 'IPv4 INPUT line 8'" in missing.message


FRAME = """\
*filter
:INPUT DROP [0:0]
:FORWARD DROP [0:0]
:OUTPUT ACCEPT [0:0]
{}
COMMIT
"""


def ruling(
    line: str, *, source: str = "10.9.9.9", port: int = 443, projection: Projection | None = None
) -> Verdict:
    ruleset = parse_ruleset((RulesetText("rules", FRAME.format(line)),))
    if ruleset.seen_from is not None:
        ruleset = ruleset.seen_from(projection or database())
    sender, receiver = (parse_addresses([text]).v4.intervals[0][0] for text in (source, "10.8.128.11"))
    packet = Packet(Family.IPV4, 6, sender, receiver, 50_000, port)
    return judge(ruleset.programs[Direction.INBOUND], packet).verdict


@pytest.mark.parametrize(
    ("line", "verdict"),
    [
        ("-A INPUT -i eth0 -j ACCEPT", Verdict.ALLOW),
        ("-A INPUT -i eth+ -j ACCEPT", Verdict.ALLOW),
        ("-A INPUT -i docker0 -j ACCEPT", Verdict.DENY),
        ("-A INPUT ! -i docker0 -j ACCEPT", Verdict.ALLOW),
        ("-A INPUT -i wlan0 -j ACCEPT", Verdict.UNKNOWN),
        ("-A INPUT -o eth0 -j ACCEPT", Verdict.DENY),
        ("-A INPUT ! -o eth0 -j ACCEPT", Verdict.ALLOW),
        ("-A INPUT -m addrtype --dst-type LOCAL -j ACCEPT", Verdict.ALLOW),
        ("-A INPUT -m addrtype ! --dst-type LOCAL -j ACCEPT", Verdict.DENY),
        ("-A INPUT -m addrtype --dst-type MULTICAST,BROADCAST -j ACCEPT", Verdict.DENY),
        ("-A INPUT -m addrtype --src-type UNICAST -j ACCEPT", Verdict.UNKNOWN),
        ("-A INPUT -m addrtype --dst-type LOCAL --limit-iface-in -j ACCEPT", Verdict.UNKNOWN),
        ("-A INPUT -p tcp --syn -j ACCEPT", Verdict.ALLOW),
        ("-A INPUT -p tcp ! --syn -j ACCEPT", Verdict.DENY),
        ("-A INPUT -p tcp -m tcp --tcp-flags ALL NONE -j ACCEPT", Verdict.DENY),
        ("-A INPUT -p tcp -m tcp --tcp-flags SYN,ECE SYN -j ACCEPT", Verdict.UNKNOWN),
        ("-A INPUT -m rpfilter --invert -j ACCEPT", Verdict.DENY),
        ("-A INPUT -m rpfilter --loose --invert -j ACCEPT", Verdict.DENY),
        ("-A INPUT -m rpfilter -j ACCEPT", Verdict.ALLOW),
        ("-A INPUT -m nfacct --nfacct-name seen -j ACCEPT", Verdict.ALLOW),
        ("-A INPUT -m iprange --src-range 10.9.9.0-10.9.9.9 -j ACCEPT", Verdict.ALLOW),
        ("-A INPUT -m iprange ! --src-range 10.9.9.0-10.9.9.9 -j ACCEPT", Verdict.DENY),
        # An option without a value does not swallow the target behind it.
        (
            "-A INPUT -m recent --rcheck --name SSH --mask 255.255.255.255 --rsource -j ACCEPT",
            Verdict.UNKNOWN,
        ),
        ("-A INPUT -f -j ACCEPT", Verdict.UNKNOWN),
        ("-A INPUT -m owner ! --socket-exists -j ACCEPT", Verdict.UNKNOWN),
        ("-A INPUT -m hl --hl-eq 255 -j ACCEPT", Verdict.UNKNOWN),
        ("-A INPUT -m rt -j ACCEPT", Verdict.UNKNOWN),
    ],
)
def test_a_line_of_iptables_is_answered(line: str, verdict: Verdict) -> None:
    assert ruling(line) is verdict


def test_an_interface_is_known_by_what_lies_behind_it() -> None:
    line = "-A INPUT -i docker0 -j ACCEPT"

    assert ruling(line, source="172.17.0.2") is Verdict.ALLOW
    assert ruling("-A INPUT -i eth0 -j ACCEPT", source="172.17.0.2") is Verdict.DENY
    assert ruling(line, projection=database(UNDECLARED)) is Verdict.UNKNOWN


def test_replies_are_followed_through_rules_about_flags() -> None:
    """A firewall of the old kind knows no connections: it lets in what has ACK, and stops what begins one."""
    rules = "-A INPUT -p tcp -m tcp --tcp-flags ACK ACK -j ACCEPT"
    ruleset = parse_ruleset((RulesetText("rules", FRAME.format(rules)),))
    later = {phase: programs[Direction.OUTBOUND] for phase, programs in ruleset.later.items()}
    packet = Packet(Family.IPV4, 6, 1, 2, 50_000, 443)

    assert [judge(program, packet).verdict for program in later.values()] == [Verdict.ALLOW, Verdict.ALLOW]
    assert judge(ruleset.programs[Direction.INBOUND], packet).verdict is Verdict.DENY


@pytest.mark.parametrize(
    ("interfaces", "words"),
    [
        ('{ eth0 = "elsewhere", eth1 = "elsewhere" }', "'eth0' leads elsewhere too"),
        ('{ eth0 = ["10.0.0.0/8"], eth1 = ["10.8.0.0/16"] }', "10.8.0.0 lies behind 'eth0' too"),
        ("{ eth0 = [] }", "needs what lies behind it"),
        ('{ "eth0; drop" = "elsewhere" }', "cannot be a name"),
    ],
)
def test_interfaces_that_contradict_each_other_are_refused(interfaces: str, words: str) -> None:
    with pytest.raises(BadSite, match=words):
        parse_site(f"{UNDECLARED}interfaces = {interfaces}\n")


def test_a_border_s_interfaces_are_known() -> None:
    site = f'{SITE}\n[border]\ninterfaces = {{ eth1 = ["10.8.128.0/24"], eth0 = "elsewhere" }}\n'
    border = Projector(derive_policy(parse_site(site))).border()

    assert set(border.interfaces) == {"eth0", "eth1"}


@pytest.fixture
def namespace() -> tuple[str, ...]:
    """Return what a command is put behind to run in a network namespace of its own."""
    required("nft", "nftables")
    return ("unshare", "--net")


def listed(namespace: tuple[str, ...], commands: str) -> str:
    done = subprocess.run([*namespace, "sh", "-ec", commands], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


RULES_OF_NFT = """\
table inet filter {
  set banned { type ipv4_addr; flags timeout; elements = { 203.0.113.7 timeout 1h } }
  set inside { type ifname; elements = { "eth0", "eth1" } }
  chain input {
    type filter hook input priority filter; policy drop;
    meta nfproto ipv6 fib saddr . iif oif missing drop
    iifname vmap { "lo" : accept, "docker0" : drop }
    ip saddr @banned drop
    ct state established,related accept
    tcp flags & (fin | syn | rst | ack) != syn ct state new drop
    tcp flags syn / fin,syn,rst,ack fib daddr type local iifname "eth*" jump wanted
    fib daddr type { broadcast, multicast } drop
  }
  chain wanted {
    ip daddr != 10.8.128.11 return
    ip saddr 172.16.0.0/28 tcp dport 22 accept
    iif != "lo" ip saddr { 10.8.64.11, 10.8.64.12 } tcp dport 5432 accept
  }
}
"""


def test_what_administrators_write_for_nft_is_understood_as_the_kernel_lists_it(
    namespace: tuple[str, ...], tmp_path: Path
) -> None:
    rules = tmp_path / "rules.nft"
    rules.write_text(RULES_OF_NFT)
    text = listed(namespace, f"nft -f {rules}; nft -j list ruleset")
    declared = SITE.replace('eth0 = "elsewhere"', 'eth0 = "elsewhere", eth1 = ["192.168.0.0/24"]')

    found = proved([RulesetText("rules.json", text)], declared)

    assert found.holds, found.findings
    assert len(found.assumptions) == 7


def test_debian_s_own_beginning_of_nftables_is_open_and_wholly_understood(namespace: tuple[str, ...]) -> None:
    text = listed(namespace, "nft -f /etc/nftables.conf; nft -j list ruleset")

    found = proved([RulesetText("rules.json", text)])

    assert json.loads(text)
    assert {one.kind for one in found.findings} == {FindingKind.EXCESS}


def test_ufw_s_own_beginning_is_understood_through_iptables_save(ufw_program: str, tmp_path: Path) -> None:
    folder = UfwFolder(tmp_path)
    commands = f"{folder.command} allow from 172.16.0.0/28 to any port 22 proto tcp >&2; {folder.command} --force enable >&2; "
    both = subprocess.run(
        ["unshare", "--net", "sh", "-ec", f"{commands} iptables-save; echo ==; ip6tables-save"],
        env=folder.environment,
        capture_output=True,
        text=True,
        timeout=60,
    )
    first, _, second = both.stdout.partition("==\n")
    assert second, both.stderr

    found = proved([RulesetText("four.save", first), RulesetText("six.save", second)])

    assert not messages(found, FindingKind.UNKNOWN)
    (missing,) = messages(found, FindingKind.MISSING)
    assert "database-postgresql" in missing


def test_firewalld_s_own_beginning_is_understood_through_nft(firewalld_program: str, tmp_path: Path) -> None:
    name = f"found{tmp_path.name[-8:]}".replace("_", "")[:15]
    subprocess.run(["ip", "netns", "add", name], check=True, timeout=20)
    inside = ("ip", "netns", "exec", name)
    try:
        folder = FirewalldFolder(tmp_path)
        with folder.running(*inside):
            text = listed(inside, "nft -j list ruleset")
    finally:
        subprocess.run(["ip", "netns", "delete", name], check=True, timeout=20)

    found = proved([RulesetText("firewalld.json", text)])

    assert not messages(found, FindingKind.UNKNOWN)
    assert len(messages(found, FindingKind.MISSING)) == 1
    assert any(":22 is let through by" in one for one in messages(found, FindingKind.EXCESS))
