"""The parser of firewalld against firewalld itself: random zones, policies and sets, judged by packets."""

import random
import subprocess
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest

from controlroom.network.addresses import format_address
from controlroom.network.analysis import Packet, Verdict, judge
from controlroom.network.projection import Direction
from controlroom.network.rulesets import RulesetText, parse_ruleset
from controlroom.network.site import Site, read_site
from network.hostfirewalls.programs import FirewalldFolder, firewalld_program

from .laboratory import address_numbers, laboratory
from .test_packets import SITE, Target

__all__ = ["firewalld_program"]

FILTERED = ("node-1", "node-2", "database", "domain", "share")
PORTS = range(40, 52)
SOURCES = {
    "ipv4": ["10.77.1.0/24", "10.77.1.11", "10.77.2.0/24", "10.77.2.12/31", "10.77.4.11", "0.0.0.0/1"],
    "ipv6": ["fd77:1::/64", "fd77:1::11", "fd77:2::/64", "fd77:4::11"],
}
# Without neighbour discovery no packet of IPv6 tells anything.
NEIGHBOURS = "".join(
    f'<rule family="ipv6" priority="-32000"><icmp-type name="{name}"/><accept/></rule>'
    for name in ("neighbour-solicitation", "neighbour-advertisement")
)
STOCK = Path("/usr/lib/firewalld")


def some_port(chance: random.Random) -> str:
    low = chance.choice(PORTS)
    return f'port="{low}-{low + 3}" protocol="{chance.choice(["tcp", "udp"])}"'


def rich(chance: random.Random, *, outbound: bool = False) -> str:
    family = chance.choice(["ipv4", "ipv6"])
    side = "destination" if outbound else "source"
    match = chance.choice(["", f'<{side} address="{chance.choice(SOURCES[family])}"/>'])
    if not outbound and family == "ipv4" and chance.random() < 0.3:
        match = '<source ipset="odd"/>'
    elif match and chance.random() < 0.2:
        match = match.replace("/>", ' invert="True"/>')
    element = chance.choice(
        [f"<port {some_port(chance)}/>", f"<port {some_port(chance)}/>", '<protocol value="udp"/>']
    )
    priority = chance.choice(["", "", ' priority="-7"', ' priority="9"'])
    return f'<rule family="{family}"{priority}>{match}{element}<{chance.choice(["accept", "accept", "drop"])}/></rule>'


def some_zone(chance: random.Random, sources: str = "") -> str:
    target = chance.choice(["", "", ' target="DROP"', ' target="ACCEPT"'])
    ports = "".join(f"<port {some_port(chance)}/>" for _ in range(chance.randrange(3)))
    service = chance.choice(["", '<service name="odd"/>'])
    rules = "".join(rich(chance) for _ in range(chance.randrange(5)))
    return f"<zone{target}>{sources}{ports}{service}{rules}</zone>"


def some_policy(chance: random.Random, ingress: str, egress: str) -> str:
    priority = chance.choice([-20, -10, 10, 20])
    target = chance.choice(["CONTINUE", "CONTINUE", "DROP", "ACCEPT"])
    rules = "".join(rich(chance, outbound=ingress == "HOST") for _ in range(chance.randrange(1, 5)))
    sides = f'<ingress-zone name="{ingress}"/><egress-zone name="{egress}"/>'
    return f'<policy priority="{priority}" target="{target}">{sides}{NEIGHBOURS}{rules}</policy>'


def configure(files: FirewalldFolder, chance: random.Random) -> None:
    near = "".join(f'<source address="{chance.choice(SOURCES[family])}"/>' for family in ("ipv4", "ipv6"))
    written = {
        "zones/public.xml": some_zone(chance),
        "zones/inner.xml": some_zone(chance, near),
        "policies/first.xml": some_policy(chance, "ANY", "HOST"),
        "policies/second.xml": some_policy(chance, "inner", "HOST"),
        "policies/leaving.xml": some_policy(chance, "HOST", "ANY"),
        "services/odd.xml": f'<service><port {some_port(chance)}/><destination ipv4="10.77.0.0/16"/></service>',
        "ipsets/odd.xml": '<ipset type="hash:net"><entry>10.77.1.0/28</entry><entry>10.77.2.13</entry></ipset>',
    }
    for name, text in written.items():
        (files.config / name).write_text(f'<?xml version="1.0" encoding="utf-8"?>\n{text}\n')


def question(site: Site, source: str, target: Target) -> Packet:
    transport, address, port = target
    family, destination = address_numbers(address)
    own = site.party(source).addresses.of(family).intervals[0][0]
    return Packet(family, 6 if transport == "tcp" else 17, own, destination, 50_000, port)


@pytest.mark.timeout(110)
@pytest.mark.xdist_group("packets")
def test_what_random_files_say_is_what_packets_find(
    firewalld_program: str, namespaces: str, tmp_path: Path
) -> None:
    site = read_site(SITE)
    chance = random.Random(11)  # a fixed seed: the same files every time
    folders = {}
    for name in FILTERED:
        (tmp_path / name).mkdir()
        folders[name] = FirewalldFolder(tmp_path / name)
        configure(folders[name], chance)
    asked: dict[str, list[Target]] = {
        source.name: [
            (transport, format_address(family, other.addresses.of(family).intervals[0][0]), port)
            for other in site.hosts
            if other is not source and (other.name in FILTERED) is not (source.name in FILTERED)
            for family in source.addresses.families
            if family in other.addresses.families
            for transport in ("tcp", "udp")
            for port in PORTS
        ]
        for source in site.hosts
    }

    with laboratory(site) as ground, ExitStack() as stack, ThreadPoolExecutor(4) as pool:
        running = [
            folder.running("ip", "netns", "exec", ground.names[name]) for name, folder in folders.items()
        ]
        list(pool.map(stack.enter_context, running))
        for name in ground.names.values():
            # Many ports answer here, and the kernel would spare most of them their "port unreachable".
            limits = ["net.ipv4.icmp_ratemask=0", "net.ipv6.icmp.ratemask=200"]
            subprocess.run(
                ["ip", "netns", "exec", name, "sysctl", "-qw", *limits], check=True, capture_output=True
            )
        answers = ground.probe(asked)

    read = {}
    for name, folder in folders.items():
        paths = [
            *folder.config.rglob("*.xml"),
            folder.config / "firewalld.conf",
            *STOCK.glob("policies/*.xml"),
        ]
        read[name] = parse_ruleset(tuple(RulesetText(path.name, path.read_text()) for path in paths))
    hosts = {
        host.addresses.of(family).intervals[0][0]: host.name
        for host in site.hosts
        for family in host.addresses.families
    }
    told = {True: 0, False: 0}
    for source, targets in asked.items():
        for target, arrived in zip(targets, answers[source], strict=True):
            packet = question(site, source, target)
            filtered, direction = (
                (source, Direction.OUTBOUND)
                if source in FILTERED
                else (hosts[packet.destination], Direction.INBOUND)
            )
            verdict = judge(read[filtered].programs[direction], packet).verdict
            assert verdict is (Verdict.ALLOW if arrived else Verdict.DENY), (filtered, direction, str(packet))
            told[arrived] += 1
    assert min(told.values()) > 300
