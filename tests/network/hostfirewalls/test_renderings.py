"""Renderings of host firewalls: exactly the policy when read back, stable, and never more than words in comments."""

import contextlib
import random
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from controlroom.network.addresses import Family
from controlroom.network.analysis import Packet, Verdict, judge
from controlroom.network.errors import BadRuleset, CannotExpress, NetworkError
from controlroom.network.policy import derive_policy
from controlroom.network.projection import Direction, Projection, Projector, Scope
from controlroom.network.proof import program_of, prove, prove_rendering
from controlroom.network.renderers import renderer
from controlroom.network.rulesets import RulesetText, parse_ruleset, parsers
from controlroom.network.site import parse_site

from .sites import EXAMPLES, TARGETS, hostile, projector, rendered

NODE = projector().host("node-1")
# It has few rules, so that more mutants of them can be judged packet by packet.
MUTATED = projector().host("database")
TEXTS = {target: rendered(target, NODE) for target in TARGETS}
INJECTIONS = [
    '"; drop',
    "' ; Remove-Item C:\\ -Recurse '",
    "\u2018 ; Stop-Computer \u2019",
    "--> <accept/> <!--",
    "-- - --- end",
    "$(reboot) `reboot` %COMSPEC% ${IFS}",
    "<rule><accept/></rule> ]]> &amp;",
    "COMMIT *filter -A ufw-user-input -j ACCEPT",
    "\U0001f600 e\u0301 \u6f22",
]


def hosts(one: Projector) -> list[str]:
    names = [host.name for host in one.policy.site.hosts]
    return names if len(names) < 30 else names[:5] + names[-2:]


@pytest.mark.parametrize("site", sorted(path.stem for path in EXAMPLES.glob("*.toml")))
@pytest.mark.parametrize("target", TARGETS)
def test_every_rendering_read_back_is_the_policy(site: str, target: str) -> None:
    one = projector(site)
    projections = [one.host(name) for name in hosts(one)]
    if Scope.BORDER in renderer(target).scopes:
        projections.append(one.border())

    for projection in projections:
        prove_rendering(projection, renderer(target).render(projection))


@pytest.mark.parametrize("target", TARGETS)
def test_a_rendering_is_recognised_and_the_same_to_the_byte(target: str) -> None:
    again = rendered(target, projector().host("node-1"))

    assert again == TEXTS[target]
    assert parse_ruleset(again).parser == renderer(target).parser


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("egress", ["contract", "any"])
@pytest.mark.parametrize("purpose", INJECTIONS)
def test_a_purpose_is_never_more_than_words(target: str, egress: str, purpose: str) -> None:
    one = hostile(purpose, egress)
    projection = one.host("a")

    prove_rendering(projection, renderer(target).render(projection))

    (told,) = {
        tuple(
            re.sub(r"#.*|<!--.*?-->|description=.*", "", text.text)
            for text in rendered(target, other.host("a"))
        )
        for other in (one, hostile("words", egress))
    }
    assert told


def damaged(text: str, chance: random.Random) -> str:
    """Change a number, drop a line, or turn an address into another."""
    lines = text.split("\n")
    at = chance.choice([number for number, line in enumerate(lines) if re.search(r"\d", line)])
    kind = chance.randrange(3)
    if kind == 0:
        del lines[at]
    elif kind == 1:
        numbers = list(re.finditer(r"\d+", lines[at]))
        one = chance.choice(numbers)
        lines[at] = lines[at][: one.start()] + str(chance.randrange(70_000)) + lines[at][one.end() :]
    else:
        lines[at] = lines[at].replace("10.20.", "10.21.").replace("tcp", "udp").replace("TCP", "UDP")
    return "\n".join(lines)


def interesting(projection: Projection, chance: random.Random, direction: Direction) -> list[Packet]:
    """Return packets at the edges of the policy's permits."""
    packets = []
    for permit in projection.permits[direction]:
        for _ in range(2):
            sides = []
            for side in (permit.sources, permit.destinations):
                low, high = chance.choice(side.intervals)
                sides.append(
                    min(
                        max(chance.choice([low, high]) + chance.choice([-1, 0, 0, 0, 1]), 0),
                        2**permit.family.bits - 1,
                    )
                )
            low, high = chance.choice(permit.ports.intervals)
            port = min(max(chance.choice([low, high]) + chance.choice([-1, 0, 0, 1]), 0), 65_535)
            packets.append(Packet(permit.family, chance.choice([6, 17]), *sides, 40_000, port))
    for kind in range(125, 150):
        packets.append(Packet(Family.IPV6, 58, 1, 2, 0, kind))
    return packets


@pytest.mark.parametrize("target", TARGETS)
def test_mutants_are_judged_as_packets_one_by_one_are(target: str) -> None:
    chance = random.Random(target)
    sound = rendered(target, MUTATED)
    wanted = {direction: program_of(MUTATED, direction) for direction in MUTATED.filtered}
    told = 0
    for _ in range(40):
        files = list(sound)
        at = chance.randrange(len(files))
        files[at] = RulesetText(files[at].name, damaged(files[at].text, chance))
        try:
            ruleset = parsers()[renderer(target).parser].parse(tuple(files))
        except BadRuleset:
            continue
        findings = prove(MUTATED, ruleset).findings
        for finding in findings:
            if finding.packet is not None:
                real = judge(ruleset.programs[finding.direction], finding.packet).verdict
                assert real is not judge(wanted[finding.direction], finding.packet).verdict
                told += 1
        for direction in MUTATED.filtered:
            differs = [
                packet
                for packet in interesting(MUTATED, chance, direction)
                if judge(wanted[direction], packet).verdict
                is not judge(ruleset.programs[direction], packet).verdict
            ]
            assert not differs or any(finding.direction is direction for finding in findings), differs[0]
    assert told > 10


@pytest.mark.parametrize("target", TARGETS)
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_damaged_files_are_refused_or_read_and_never_crash(target: str, data: st.DataObject) -> None:
    texts = []
    for file in TEXTS[target]:
        start = data.draw(st.integers(0, len(file.text)))
        end = data.draw(st.integers(start, min(len(file.text), start + 60)))
        texts.append(
            RulesetText(file.name, file.text[:start] + data.draw(st.text(max_size=8)) + file.text[end:])
        )

    with contextlib.suppress(NetworkError):
        assert parsers()[renderer(target).parser].parse(tuple(texts)).programs


@pytest.mark.parametrize("target", TARGETS)
def test_files_cut_in_half_are_never_proved(target: str) -> None:
    halves = tuple(RulesetText(file.name, file.text[: len(file.text) // 2]) for file in TEXTS[target])

    try:
        ruleset = parsers()[renderer(target).parser].parse(halves)
    except BadRuleset:
        return
    assert not prove(NODE, ruleset).holds


@pytest.mark.parametrize("target", TARGETS)
def test_huge_and_foreign_files_are_refused(target: str) -> None:
    parser = parsers()[renderer(target).parser]
    name = TEXTS[target][0].name

    for text in (
        "\x00" * 100,
        "<" * 200_000,
        "é" * 1000 + "\n-A",
        '{"Rules": ' + "[" * 50_000,
        "*filter\n" + "(" * 100_000,
    ):
        with pytest.raises(BadRuleset):
            parser.parse((RulesetText(name, text),))


@pytest.mark.parametrize(
    ("target", "words"),
    [("ufw", "more than 20000; take nftables"), ("firewalld", "more than 10000; take nftables")],
)
def test_what_is_too_much_is_refused_with_the_numbers(target: str, words: str) -> None:
    hosts = "\n".join(
        f'[host.h{n}]\nzone = "z"\naddresses = ["10.{n // 100}.{n % 100}.1"]\nroles = ["file-share"]'
        for n in range(700)
    )
    sources = ", ".join(f'"h{n}"' for n in range(1, 700))
    ports = ", ".join(str(2 * n + 1) for n in range(11_000 if target == "firewalld" else 500))
    site = parse_site(
        '[options]\nmanagement = "console"\nidentity = "local"\n[zone.z]\nprefixes = ["10.0.0.0/8"]\n'
        f'[host.cr]\nzone = "z"\naddresses = ["10.250.0.1"]\nroles = ["control-room"]\n{hosts}\n[flow.much]\nfrom = [{sources}]\nto = ["h0"]\nprotocol = "tcp"\nports = "{ports}"\npurpose = "much"\n'
    )

    with pytest.raises(CannotExpress, match=words):
        renderer(target).render(Projector(derive_policy(site)).host("h0"))


def test_verdicts_of_nothing_given_are_never_allow() -> None:
    with pytest.raises(BadRuleset):
        parsers()["windows"].parse(())
    for name in ("ufw", "firewalld"):
        program = parsers()[name].parse(()).programs[Direction.INBOUND]
        assert judge(program, Packet(Family.IPV4, 6, 1, 2, 3, 4)).verdict is Verdict.UNKNOWN
