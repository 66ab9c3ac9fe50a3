"""Proved by packets: what is rendered lets pass exactly what the policy says, on hosts and on the border."""

from pathlib import Path

import pytest

from controlroom.network.addresses import format_address
from controlroom.network.policy import Policy, derive_policy
from controlroom.network.projection import Projector
from controlroom.network.renderers import renderer
from controlroom.network.site import Site, read_site

from .laboratory import Laboratory, address_numbers, laboratory

SITE = Path(__file__).with_name("proving-ground.toml")
Target = tuple[str, str, int]


def telling_ports(policy: Policy) -> list[int]:
    """Return the ends of every range of the policy, their neighbours, and one port that nobody uses."""
    ends = {end for permit in policy.permits for interval in permit.ports for end in interval}
    return sorted({port + step for port in ends for step in (-1, 0, 1)} | {9})


def questions(site: Site, policy: Policy) -> dict[str, list[Target]]:
    asked: dict[str, list[Target]] = {}
    for source in site.hosts:
        asked[source.name] = [
            (transport, format_address(family, other.addresses.of(family).intervals[0][0]), port)
            for other in site.hosts
            if other is not source
            for family in source.addresses.families
            if family in other.addresses.families
            for transport in ("tcp", "udp")
            for port in telling_ports(policy)
        ]
    return asked


def allowed(site: Site, policy: Policy, asked: dict[str, list[Target]]) -> dict[str, list[bool]]:
    """Answer every question from the policy's permits alone."""
    found: dict[str, list[bool]] = {}
    for name, targets in asked.items():
        own = site.party(name).addresses
        mine = [permit for permit in policy.permits if permit.sources.overlaps(own.of(permit.family))]
        found[name] = [
            any(
                permit.transport == transport
                and port in permit.ports
                and permit.family is address_numbers(address)[0]
                and address_numbers(address)[1] in permit.destinations
                for permit in mine
            )
            for transport, address, port in targets
        ]
    return found


def assert_as_the_policy_says(
    site: Site, policy: Policy, asked: dict[str, list[Target]], answers: dict[str, list[bool]]
) -> None:
    """Of every question the answer is the policy's, and enough of them arrived to tell."""
    expected = allowed(site, policy, asked)
    disagreements = [
        f"{source} -> {target}: {'arrived' if arrived else 'did not arrive'}"
        for source, targets in asked.items()
        for target, arrived, wanted in zip(targets, answers[source], expected[source], strict=True)
        if arrived is not wanted
    ]
    assert disagreements == []
    assert sum(map(sum, answers.values())) > 200


def load(ground: Laboratory, projector: Projector, program: str) -> None:
    """Load the rendering into every host and the router, with nft or with one of the two kinds of iptables."""
    target = "nftables" if program == "nft" else "iptables"
    names = [host.name for host in projector.policy.site.hosts]
    for name in [*names, ""]:
        projection = projector.host(name) if name else projector.border()
        texts = [file.text for file in renderer(target).render(projection).files if file.is_rules]
        if program == "nft":
            ground.load(name, ["nft", "-f", "-"], texts[0])
        else:
            ground.load(name, ["ipset", "restore", "-exist"], texts[0])
            ground.load(name, [program, "--noflush"], texts[1])
            ground.load(name, [program.replace("iptables", "ip6tables"), "--noflush"], texts[2])


@pytest.mark.timeout(110)
@pytest.mark.parametrize("program", ["nft", "iptables-nft-restore", "iptables-legacy-restore"])
def test_what_is_rendered_lets_pass_exactly_what_the_policy_says(
    program: str, nft: str, iptables_restore: str, namespaces: str
) -> None:
    site = read_site(SITE)
    policy = derive_policy(site)
    asked = questions(site, policy)

    with laboratory(site) as ground:
        load(ground, Projector(policy), program)
        answers = ground.probe(asked)

    assert_as_the_policy_says(site, policy, asked, answers)
