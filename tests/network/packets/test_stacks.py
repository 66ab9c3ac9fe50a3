"""Random stacks of nft and iptables with NAT, loaded: what the programs say of a packet is what the kernel does."""

import random
import secrets
from dataclasses import dataclass

import pytest

from controlroom.network.addresses import Addresses, Family, parse_addresses, parse_range
from controlroom.network.analysis import Packet, Verdict, judge
from controlroom.network.projection import Direction
from controlroom.network.rulesets import Ruleset, RulesetText, parse_ruleset
from controlroom.network.rulesets.hooks import Phase
from controlroom.network.rulesets.stacks import ruleset_of

from .gauges import Gauges, Shot, gauges

OWN = "10.77.2.11"
FAR = ("10.77.1.11", "10.77.1.12", "10.77.3.12")
PORTS = (22, 80, 443, 8080)
COUNT = 60


@dataclass(frozen=True)
class Pieces:
    """How one language says a rule's parts."""

    chance: random.Random
    iptables: bool

    def match(self, *, inbound: bool) -> str:
        """Return a match on ports, now and then on the far end, or on connection tracking."""
        words = []
        if self.chance.random() < 0.4:
            side = ("-s" if inbound else "-d") if self.iptables else ("ip saddr" if inbound else "ip daddr")
            words.append(f"{side} {self.chance.choice(FAR)}")
        low = self.chance.choice(PORTS)
        port = low if self.chance.random() < 0.6 else (f"{low}:9000" if self.iptables else f"{low}-9000")
        if self.chance.random() < 0.8:
            words.append(f"-p tcp --dport {port}" if self.iptables else f"tcp dport {port}")
        if self.chance.random() < 0.25:
            state = self.chance.choice(["new", "established", "established,related", "untracked", "dnat"])
            if self.iptables:
                words.append(f"-m conntrack --ctstate {state.upper()}")
            else:
                words.append("ct status dnat" if state == "dnat" else f"ct state {state}")
        return " ".join(words)

    def verdict(self) -> str:
        chosen = self.chance.choice(["accept", "accept", "drop", "return"])
        return f"-j {chosen.upper()}" if self.iptables else chosen

    def translation(self, *, inbound: bool) -> str:
        port = self.chance.choice(PORTS)
        address = OWN if inbound else self.chance.choice(FAR)
        if self.iptables:
            if inbound and self.chance.random() < 0.5:
                return f"-p tcp -j REDIRECT --to-ports {port}"
            return f"-p tcp -j DNAT --to-destination {address}:{port}"
        if inbound and self.chance.random() < 0.5:
            return f"meta l4proto tcp redirect to :{port}"
        return f"meta l4proto tcp dnat ip to {address}:{port}"

    def rules(self, *, inbound: bool, translate: bool) -> list[str]:
        found = []
        for _ in range(self.chance.randint(0, 3)):
            match = self.match(inbound=inbound)
            end = self.translation(inbound=inbound) if translate else self.verdict()
            if translate and self.iptables:
                match = match.replace("-p tcp ", "-p tcp -m tcp ")
                end = end.replace("-p tcp ", "" if "-p tcp" in match else "-p tcp ")
            found.append(f"{match} {end}")
        return found


def nft_text(chance: random.Random) -> str:
    pieces = Pieces(chance, iptables=False)
    chains = []
    for name, kind, hook, priority in (
        ("early", "filter", "prerouting", "raw"),
        ("turn", "nat", "prerouting", "dstnat"),
        ("inwards", "filter", "input", "filter"),
        ("later", "filter", "input", "10"),
        ("turnout", "nat", "output", "-100"),
        ("outwards", "filter", "output", "filter"),
    ):
        inbound = hook != "output"
        rules = pieces.rules(inbound=inbound, translate=kind == "nat") if chance.random() < 0.7 else []
        if name == "inwards" and chance.random() < 0.5:
            rules.insert(0, "ct state vmap { established : accept, related : accept, invalid : drop }")
        policy = "drop" if kind == "filter" and "wards" in name and chance.random() < 0.3 else "accept"
        body = "\n".join([f"type {kind} hook {hook} priority {priority}; policy {policy};", *rules])
        chains.append(f"chain {name} {{\n{body}\n}}")
    return "table inet stack {\n" + "\n".join(chains) + "\n}\n"


def iptables_text(chance: random.Random) -> str:
    pieces = Pieces(chance, iptables=True)
    lines = ["*raw", ":PREROUTING ACCEPT", ":OUTPUT ACCEPT"]
    if chance.random() < 0.3:
        lines.append(f"-A PREROUTING -p tcp --dport {chance.choice(PORTS)} -j CT --notrack")
    lines += ["COMMIT", "*nat", ":PREROUTING ACCEPT", ":OUTPUT ACCEPT"]
    for chain in ("PREROUTING", "OUTPUT"):
        lines += [f"-A {chain} {one}" for one in pieces.rules(inbound=chain != "OUTPUT", translate=True)]
    lines += ["COMMIT", "*filter"]
    lines += [f":{chain} {chance.choice(['ACCEPT', 'ACCEPT', 'DROP'])}" for chain in ("INPUT", "OUTPUT")]
    for chain in ("INPUT", "OUTPUT"):
        if chance.random() < 0.5:
            lines.append(f"-A {chain} -m conntrack --ctstate ESTABLISHED,RELATED -j ACCEPT")
        lines += [f"-A {chain} {one}" for one in pieces.rules(inbound=chain == "INPUT", translate=False)]
    return "\n".join([*lines, "COMMIT", ""])


def loaded(ground: Gauges, number: int, chance: random.Random) -> Ruleset:
    """Load nft, iptables, or both over one another, and read back what the kernel has."""
    own = Addresses(v4=parse_addresses([OWN]).v4)
    while True:
        ground.run(number, "nft", "flush", "ruleset")
        kinds = chance.choice(
            [("nft",), ("legacy",), ("iptables-nft",), ("nft", "legacy"), ("nft", "iptables-nft")]
        )
        texts = {kind: nft_text(chance) if kind == "nft" else iptables_text(chance) for kind in kinds}
        commands = {
            "nft": ("nft", "-f", "-"),
            "legacy": ("iptables-legacy-restore",),
            "iptables-nft": ("iptables-nft-restore",),
        }
        if all(ground.run(number, *commands[kind], text=text) is not None for kind, text in texts.items()):
            break
    listing = {
        "nft": ("nft", "-j", "list", "ruleset"),
        "legacy": ("iptables-legacy-save",),
        "iptables-nft": ("iptables-nft-save",),
    }
    files = tuple(RulesetText(kind, ground.run(number, *listing[kind]) or "") for kind in kinds)
    ruleset = parse_ruleset(files)
    assert ruleset.stack is not None
    return ruleset_of("stack", ruleset.stack, own=own)


def every_shot() -> list[Shot]:
    ports = sorted({port + step for port in PORTS for step in (0, 1)})
    inwards = [Shot("tcp", far, 0, OWN, port) for far in FAR for port in ports]
    return inwards + [Shot("tcp", OWN, 0, far, port, outwards=True) for far in FAR for port in ports]


def said_of(ruleset: Ruleset, shot: Shot) -> Verdict:
    """Return whether the programs let a packet and its answer pass."""
    source, destination = parse_range(shot.source)[1], parse_range(shot.destination)[1]
    packet = Packet(Family.IPV4, 6, source, destination, 49152, shot.port)
    direction = Direction.OUTBOUND if shot.outwards else Direction.INBOUND
    verdicts = {
        judge(program, packet).verdict
        for program in (ruleset.programs[direction], ruleset.later[Phase.REPLY][direction])
    }
    return next(one for one in (Verdict.DENY, Verdict.UNKNOWN, Verdict.ALLOW) if one in verdicts)


@pytest.mark.timeout(110)
def test_what_a_stack_of_tables_is_said_to_do_is_what_the_kernel_does(
    nft: str, iptables_restore: str, namespaces: str
) -> None:
    shots = every_shot()
    for seed in (11, secrets.randbelow(1 << 32)):
        print(f"stacks of seed {seed}")
        chance = random.Random(seed)
        with gauges(Addresses(v4=parse_addresses([OWN]).v4), COUNT) as ground:
            rulesets = [loaded(ground, number, chance) for number in range(COUNT)]
            answers = ground.shoot([shots] * COUNT)
        said = [[said_of(ruleset, shot) for shot in shots] for ruleset in rulesets]
        wrong = [
            (seed, number, shot, verdict, passed)
            for number in range(COUNT)
            for shot, verdict, passed in zip(shots, said[number], answers[number], strict=True)
            if verdict is not Verdict.UNKNOWN and (verdict is Verdict.ALLOW) is not passed
        ]
        assert wrong == []
        flat = [verdict for one in said for verdict in one]
        assert flat.count(Verdict.UNKNOWN) < len(flat) // 10
        assert min(flat.count(Verdict.ALLOW), flat.count(Verdict.DENY)) > len(flat) // 8
