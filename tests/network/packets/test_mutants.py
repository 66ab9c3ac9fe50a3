"""Rules damaged at random: whatever a damage opens or closes is found, and the witness really passes or fails."""

import random
import re
from pathlib import Path

import pytest

from controlroom.network.addresses import format_address
from controlroom.network.policy import derive_policy
from controlroom.network.projection import Projector
from controlroom.network.proof import FindingKind, prove
from controlroom.network.renderers import renderer
from controlroom.network.rulesets import RulesetText, parse_ruleset
from controlroom.network.site import Site, read_site

from .laboratory import laboratory

SITE = Path(__file__).with_name("proving-ground.toml")
# Each is loaded on one host by itself, so that the other hosts' rules cannot hide what it does.
MUTANTS = 200
REPLAYED = 8


def damage(text: str, chance: random.Random) -> str:
    """Change one rule: drop it, widen or shift its ports, or widen its sources."""
    lines = text.splitlines()
    rules = [number for number, line in enumerate(lines) if "dport" in line]
    number = chance.choice(rules)
    line = lines[number]
    kind = chance.choice(["drop", "widen ports", "shift ports", "widen sources"])
    if kind == "drop":
        lines[number] = ""
    elif kind == "widen ports":
        lines[number] = re.sub(r"dport (\d+)[-\d]* ", lambda match: f"dport {int(match[1]) - 1}-65000 ", line)
    elif kind == "shift ports":
        lines[number] = re.sub(r"dport (\d+)[-\d]* ", lambda match: f"dport {int(match[1]) + 1} ", line)
    else:
        lines[number] = re.sub(r"ip saddr (\S+) ", "ip saddr 10.0.0.0/8 ", line)
        lines[number] = re.sub(r"ip6 saddr (\S+) ", "ip6 saddr fd77::/16 ", lines[number])
    return "\n".join(lines) + "\n"


def host_with(site: Site, family: int, value: int) -> str | None:
    found = (host.name for host in site.hosts for low, _ in host.addresses.of(family) if low == value)  # type: ignore[arg-type]
    return next(found, None)


@pytest.mark.timeout(110)
def test_every_mutant_is_refused_with_a_witness_that_is_true(nft: str, namespaces: str) -> None:
    site = read_site(SITE)
    projection = Projector(derive_policy(site)).host("node-1")
    sound = renderer("nftables").render(projection).files[0].text
    chance = random.Random(4)  # a fixed seed: the same mutants every time
    replays = []
    for _ in range(MUTANTS):
        text = damage(sound, chance)
        verdicts = prove(projection, parse_ruleset((RulesetText("mutant.nft", text),)))
        assert not verdicts.holds
        for finding in verdicts.findings:
            packet = finding.packet
            if packet is None or finding.direction != "inbound" or packet.protocol not in {6, 17}:
                continue
            sender = host_with(site, packet.family, packet.source)
            if sender not in {None, "node-1"}:
                replays.append((text, sender, packet, finding.kind is not FindingKind.MISSING))

    assert len(replays) > REPLAYED
    with laboratory(site) as ground:
        for text, sender, packet, passes in chance.sample(replays, REPLAYED):
            ground.load("node-1", [nft, "-f", "-"], text)
            transport = "tcp" if packet.protocol == 6 else "udp"
            target = (transport, format_address(packet.family, packet.destination), packet.destination_port)
            assert ground.probe({str(sender): [target]}) == {str(sender): [passes]}, (str(packet), text)
