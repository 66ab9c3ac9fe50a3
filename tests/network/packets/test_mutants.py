"""Rules damaged at random and loaded: what a damage opens or closes is refused, and every witness is true.

A mutant is read back from the kernel and proved; packets are then sent through it, those that witness a finding and
others near the damage. The policy alone says what should have become of them.
"""

import random
import re
import secrets
from collections import Counter
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path

import pytest

from controlroom.network.addresses import Family, format_address
from controlroom.network.analysis import Packet
from controlroom.network.policy import Permit, derive_policy
from controlroom.network.projection import Direction, Projection, Projector
from controlroom.network.proof import Finding, FindingKind, prove
from controlroom.network.renderers import renderer
from controlroom.network.rulesets import RulesetText, parse_ruleset
from controlroom.network.site import Site, read_site

from .damage import Texts, damage
from .gauges import Gauges, Shot, gauges

SITE = Path(__file__).with_name("proving-ground.toml")
AT_ONCE = 100
SHOTS = 100
OPENS = {FindingKind.EXCESS, FindingKind.CLUSTER_EXPOSURE}


@dataclass
class Mutant:
    """A damaged rendering in one gauge, with what the proof says of it and the packets to send."""

    kind: str
    line: str
    findings: tuple[Finding, ...]
    shots: list[Shot]
    wanted: list[bool]
    witnesses: int


class Target:
    """How one kind of firewall is loaded and read back."""

    def __init__(self, name: str, projection: Projection) -> None:
        self.name = name
        files = [file for file in renderer(name).render(projection).files if file.is_rules]
        self.sets = files[0].text if name == "iptables" else ""
        self.texts: Texts = tuple(file.text for file in (files[1:] if name == "iptables" else files))

    def load(self, ground: Gauges, number: int, texts: Texts) -> tuple[RulesetText, ...] | None:
        """Load a mutant and return what the kernel says it has; None where the firewall refuses it."""
        if self.name == "nftables":
            if ground.run(number, "nft", "-f", "-", text=texts[0]) is None:
                return None
            listed = ground.run(number, "nft", "-j", "list", "ruleset")
            return (RulesetText("nft.json", listed or ""),)
        kind = "nft" if number % 2 else "legacy"
        for command, text in (
            (("ipset", "restore", "-exist"), self.sets),
            ((f"iptables-{kind}-restore",), texts[0]),
            ((f"ip6tables-{kind}-restore",), texts[1]),
        ):
            if ground.run(number, *command, text=text) is None:
                return None
        saved = {
            "sets": ("ipset", "save"),
            "rules4": (f"iptables-{kind}-save",),
            "rules6": (f"ip6tables-{kind}-save",),
        }
        return tuple(RulesetText(name, ground.run(number, *command) or "") for name, command in saved.items())

    def clear(self, ground: Gauges, number: int) -> None:
        """Take away what a mutant that failed half-way may have left, and what was loaded last."""
        ground.run(number, "nft", "flush", "ruleset")
        for family in ("ip", "ip6") if self.name == "iptables" else ():
            ground.run(number, f"{family}tables-legacy", "-F")
            ground.run(number, f"{family}tables-legacy", "-X")


@pytest.fixture(scope="module")
def site() -> Site:
    return read_site(SITE)


@pytest.fixture(scope="module")
def projection(site: Site) -> Projection:
    return Projector(derive_policy(site)).host("node-1")


@pytest.fixture(scope="module")
def ground(namespaces: str, projection: Projection) -> object:
    with gauges(projection.addresses, AT_ONCE) as built:
        yield built


@pytest.mark.timeout(240)
@pytest.mark.parametrize("name", ["nftables", "iptables"])
def test_mutants_that_open_or_close_a_live_flow_are_refused_and_witnesses_are_true(
    name: str, nft: str, iptables_restore: str, ground: Gauges, site: Site, projection: Projection
) -> None:
    seen: Counter[str] = Counter()
    for seed in (4, secrets.randbelow(1 << 32)):
        print(f"{name}: mutants of seed {seed}")
        mutants = breed(Target(name, projection), ground, site, projection, random.Random(seed))
        answers = ground.shoot([mutant.shots for mutant in mutants])
        for mutant, answered in zip(mutants, answers, strict=True):
            check(mutant, answered, projection, f"seed {seed}")
            seen["refused" if mutant.findings else "accepted"] += 1
            seen["witnesses"] += mutant.witnesses
            seen["live"] += answered[mutant.witnesses :] != mutant.wanted
    print(dict(seen))
    assert seen["refused"] > AT_ONCE
    assert seen["accepted"] > 4
    assert seen["witnesses"] > AT_ONCE
    assert seen["live"] > AT_ONCE // 4


def breed(
    target: Target, ground: Gauges, site: Site, projection: Projection, chance: random.Random
) -> list[Mutant]:
    """Load a mutant into every gauge, and prove each as it was loaded."""
    mutants = []
    for number in range(len(ground.names)):
        while True:
            target.clear(ground, number)
            kind, line, texts = damage(target.texts, chance)
            files = target.load(ground, number, texts)
            if files is not None:
                break
        verdicts = prove(projection, parse_ruleset(files))
        witnesses = [one.packet for one in verdicts.findings if one.packet and can_be_sent(one, projection)]
        others = near(line, site, projection, chance)
        mutants.append(
            Mutant(
                kind,
                line,
                () if verdicts.holds else verdicts.findings,
                [
                    shot_of(one.packet, one.direction)
                    for one in verdicts.findings
                    if one.packet and can_be_sent(one, projection)
                ]
                + others,
                [is_wanted(shot, projection) for shot in others],
                len(witnesses),
            )
        )
    return mutants


def check(mutant: Mutant, answered: list[bool], projection: Projection, seed: str) -> None:
    """Compare what passed with what the proof and the policy say."""
    told = f"{seed}, {mutant.kind} of {mutant.line.strip()!r}"
    live = [one for one in mutant.findings if one.packet and one.kind is not FindingKind.UNKNOWN]
    assert len(live) == len(mutant.findings), (told, mutant.findings)
    replayed = dict(zip(mutant.shots, answered, strict=True))
    for finding in live:
        assert finding.packet is not None
        shot = shot_of(finding.packet, finding.direction)
        if can_be_sent(finding, projection):
            assert replayed[shot] is (finding.kind in OPENS), (told, finding.message)
    if not mutant.findings:
        wrong = [
            (shot, passed)
            for shot, passed, wanted in zip(
                mutant.shots[mutant.witnesses :], answered[mutant.witnesses :], mutant.wanted, strict=True
            )
            if passed is not wanted
        ]
        assert wrong == [], told


def shot_of(packet: Packet, direction: Direction) -> Shot:
    source, destination = (format_address(packet.family, one) for one in (packet.source, packet.destination))
    transport = "tcp" if packet.protocol == 6 else "udp"
    outwards = direction is Direction.OUTBOUND
    return Shot(transport, source, packet.source_port, destination, packet.destination_port, outwards)


def can_be_sent(finding: Finding, projection: Projection) -> bool:
    """Say whether Linux would send and take in a packet: of a protocol with ports, and of plain addresses."""
    packet = finding.packet
    # What stops the second packet of a connection is shown elsewhere, by one that has a second packet.
    if (
        "packets after it" in finding.message
        or packet is None
        or packet.protocol not in {6, 17}
        or not packet.destination_port
        or not packet.source_port
    ):
        return False
    own = projection.addresses.of(packet.family)
    near_end, far = packet.destination, packet.source
    if finding.direction is Direction.OUTBOUND:
        near_end, far = far, near_end
    address = ip_address(format_address(packet.family, far))
    odd = address.is_multicast or address.is_loopback or address.is_link_local or address.is_unspecified
    low = packet.family is Family.IPV4 and not 1 << 24 <= far < 224 << 24
    return near_end in own and far not in own and not odd and not low and not address.is_reserved


def near(line: str, site: Site, projection: Projection, chance: random.Random) -> list[Shot]:
    """Return packets of flows that the policy has, and others with ports about the damaged rule."""
    ports = {
        int(one) + step
        for one in re.findall(r"(?<![\d.:])\d{2,5}(?![\d.:])", line)
        for step in (-3, -1, 0, 1)
    }
    ports |= {9, 40000}
    wanted = [
        shot_near(direction, permit.family, transport_of(permit), site, projection, chance, port)
        for direction in projection.filtered
        for permit in chance.sample(
            projection.permits[direction], min(10, len(projection.permits[direction]))
        )
        for port in {bound for interval in permit.ports for bound in interval}
    ]
    every = [
        shot_near(chance.choice(projection.filtered), family, transport, site, projection, chance, port)
        for port in ports
        for family in Family
        for transport in ("tcp", "udp")
        for _ in range(4)
        if 0 < port < 65536
    ]
    shots = [one for one in (*wanted, *every) if one is not None]
    return list(dict.fromkeys(chance.sample(shots, min(SHOTS, len(shots)))))


def transport_of(permit: Permit) -> str:
    return str(permit.transport)


def shot_near(
    direction: Direction,
    family: Family,
    transport: str,
    site: Site,
    projection: Projection,
    chance: random.Random,
    port: int,
) -> Shot | None:
    others = [one for one in site.hosts if one.name != projection.name and one.addresses.of(family)]
    far = chance.choice(others).addresses.of(family).intervals[0][0]
    own = projection.addresses.of(family).intervals[0][0]
    source, destination = (own, far) if direction is Direction.OUTBOUND else (far, own)
    return Shot(
        transport,
        format_address(family, source),
        0,
        format_address(family, destination),
        port,
        direction is Direction.OUTBOUND,
    )


def is_wanted(shot: Shot, projection: Projection) -> bool:
    """Answer from the policy's permits alone."""
    source, destination = ip_address(shot.source), ip_address(shot.destination)
    direction = Direction.OUTBOUND if shot.outwards else Direction.INBOUND
    return any(
        permit.transport == shot.transport
        and permit.family == source.version
        and int(source) in permit.sources
        and int(destination) in permit.destinations
        and shot.port in permit.ports
        for permit in projection.permits[direction]
    )
