"""Firewalls of clouds on the subnet of a zone: the borders between zones, proved like those of hosts."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from controlroom.cli.network import app
from controlroom.network.addresses import Family, parse_addresses
from controlroom.network.analysis import Packet, Protocol, Verdict, judge
from controlroom.network.errors import CannotExpress, ProofFailed, UnknownName
from controlroom.network.policy import Policy, derive_policy
from controlroom.network.projection import Direction, Projection, Projector
from controlroom.network.proof import FindingKind, program_of, prove, prove_rendering
from controlroom.network.renderers import RenderedFile, Rendering, renderer
from controlroom.network.rulesets import RulesetText, parse_ruleset
from controlroom.network.site import parse_site, read_site
from controlroom.network.subnets import subnet

from .sites import AZURE, HEAD, flow, host, read, rules_text

TARGETS = [*AZURE, "gcp-terraform"]
SITE = (
    HEAD.replace("#", "").replace("10.0.0.0/8", "10.0.0.0/16").replace("2001:db8::/32", "2001:db8:0::/48")
    + """
[zone.y]
prefixes = ["10.1.0.0/16"]
[host.cr]
zone = "z"
addresses = ["10.0.255.1"]
roles = ["control-room"]
[host.far]
zone = "y"
addresses = ["10.1.0.1"]
"""
    + host("a", "10.0.0.1 2001:db8::1")
    + host("b", "10.0.0.2 2001:db8::2")
    + flow("within", "a", "b", "80")
    + flow("over", "far", "a", "81")
    + flow("away", "b", "far", "82")
)


@pytest.fixture
def azure() -> Path:
    return Path(__file__).resolve().parents[3] / "examples" / "network" / "azure.toml"


def policy_of(text: str = SITE) -> Policy:
    return derive_policy(parse_site(text))


def small(zone: str = "z") -> Projection:
    return subnet(policy_of(), zone)


def address(text: str) -> int:
    return parse_addresses([text]).of(Family.IPV4).intervals[0][0]


def passes(projection: Projection, text: str, source: str, destination: str, port: int) -> dict[str, Verdict]:
    """Return how the rules judge one packet, in each direction."""
    ruleset = read(text)
    assert ruleset.seen_from is not None
    programs = ruleset.seen_from(projection).programs
    packet = Packet(Family.IPV4, Protocol.TCP, address(source), address(destination), 50_000, port)
    return {str(one): judge(programs[one], packet).verdict for one in (Direction.INBOUND, Direction.OUTBOUND)}


def test_a_subnet_permits_what_its_zone_sends_and_receives_and_what_stays_within_it() -> None:
    projection = small()

    inbound, outbound = (
        {one.flow for one in projection.permits[way]} for way in (Direction.INBOUND, Direction.OUTBOUND)
    )

    assert inbound == {"within", "over"}
    assert outbound == {"within", "away"}
    assert {one.flow for one in small("y").permits[Direction.INBOUND]} == {"away"}


def test_a_zone_that_is_not_there_is_refused_by_name() -> None:
    with pytest.raises(UnknownName, match="no-such"):
        subnet(policy_of(), "no-such")


@pytest.mark.parametrize("target", AZURE)
def test_every_zone_of_every_example_is_rendered_and_proved(example: Path, target: str) -> None:
    policy = derive_policy(read_site(example))
    zones = [zone.name for zone in policy.site.zones]

    for zone in zones if len(zones) < 10 else [*zones[:3], zones[-1]]:
        projection = subnet(policy, zone)
        prove_rendering(projection, renderer(target).render(projection))


def test_gcp_renders_the_zones_of_the_azure_layout_and_refuses_too_many_rules_with_the_numbers(
    azure: Path, five_nodes: Path
) -> None:
    policy = derive_policy(read_site(azure))
    for zone in policy.site.zones:
        projection = subnet(policy, zone.name)
        prove_rendering(projection, renderer("gcp-terraform").render(projection))

    many = "".join(flow(f"f{number}", "far", "a", str(number + 1000)) for number in range(97))
    with pytest.raises(CannotExpress, match=r"10\d firewall rules for one subnet are more than the 100 "):
        renderer("gcp-terraform").render(subnet(policy_of(SITE + many), "z"))


@pytest.mark.parametrize("target", TARGETS)
def test_packets_are_let_in_and_out_as_the_policy_says(target: str) -> None:
    projection = small()
    text = rules_text(target, projection)

    within = passes(projection, text, "10.0.0.1", "10.0.0.2", 80)
    backwards = passes(projection, text, "10.0.0.2", "10.0.0.1", 80)
    over = passes(projection, text, "10.1.0.1", "10.0.0.1", 81)
    away = passes(projection, text, "10.0.0.2", "10.1.0.1", 82)

    assert set(within.values()) == {Verdict.ALLOW}
    assert set(backwards.values()) == {Verdict.DENY}
    assert over == {"inbound": Verdict.ALLOW, "outbound": Verdict.DENY}
    assert away == {"inbound": Verdict.DENY, "outbound": Verdict.ALLOW}


@pytest.mark.parametrize("target", TARGETS)
def test_a_packet_between_zones_passes_both_subnets_or_none_as_the_border_says(
    target: str, azure: Path
) -> None:
    policy = derive_policy(read_site(azure))
    border = program_of(Projector(policy).border(), Direction.FORWARD)
    zones = [zone.name for zone in policy.site.zones]
    programs = {}
    for zone in zones:
        projection = subnet(policy, zone)
        anew = read(rules_text(target, projection)).seen_from
        assert anew is not None
        programs[zone] = anew(projection).programs
    hosts = [party for party in policy.site.parties if party.zone in zones and party.addresses]
    ports = sorted({low for permit in policy.permits for low, _ in permit.ports.intervals})
    seen = set()
    for sender in hosts:
        for receiver in hosts:
            if sender.zone == receiver.zone:
                continue
            for port in [*ports, 9999]:
                packet = Packet(
                    Family.IPV4,
                    Protocol.TCP,
                    sender.addresses.of(Family.IPV4).intervals[0][0],
                    receiver.addresses.of(Family.IPV4).intervals[0][0],
                    50_000,
                    port,
                )
                out = judge(programs[sender.zone][Direction.OUTBOUND], packet).verdict
                into = judge(programs[receiver.zone][Direction.INBOUND], packet).verdict
                wanted = judge(border, packet).verdict
                both = Verdict.ALLOW if out is into is Verdict.ALLOW else Verdict.DENY
                assert both is wanted, packet
                seen.add(wanted)
    assert seen == {Verdict.ALLOW, Verdict.DENY}


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("change", [("81", "85"), ("10.1.0.1", "10.1.0.3")])
def test_a_rendering_that_is_not_the_policy_is_not_shown(target: str, change: tuple[str, str]) -> None:
    projection = small()
    rendering = renderer(target).render(projection)
    changed = tuple(
        RenderedFile(file.name, file.text.replace(*change), file.is_rules) for file in rendering.files
    )

    with pytest.raises(ProofFailed):
        prove_rendering(projection, Rendering(target, changed))


def test_gcp_denials_of_a_subnet_stay_within_its_addresses() -> None:
    document = json.loads(rules_text("gcp-terraform", small()))
    rules = document["resource"]["google_compute_firewall"].values()
    denials = [one for one in rules if "deny" in one]

    assert {(one["direction"], *one["source_ranges"], *one["destination_ranges"]) for one in denials} == {
        ("INGRESS", "0.0.0.0/0", "10.0.0.0/16"),
        ("INGRESS", "::/0", "2001:db8::/48"),
        ("EGRESS", "10.0.0.0/16", "0.0.0.0/0"),
        ("EGRESS", "2001:db8::/48", "::/0"),
    }
    assert not any("target_tags" in one for one in rules)


@pytest.mark.parametrize("target", AZURE)
def test_host_and_subnet_groups_together_are_the_host(target: str, azure: Path) -> None:
    policy = derive_policy(read_site(azure))
    projection = Projector(policy).host("cr1")
    files = tuple(
        RulesetText(f"{one.name}.txt", rules_text(target, one))
        for one in (projection, subnet(policy, "control-room"), subnet(policy, "clients"))
    )

    verdicts = prove(projection, parse_ruleset(files))

    assert verdicts.findings == ()
    assert any("lies on the subnet of host cr1" in one for one in verdicts.assumptions)
    assert any(one.endswith("do not lie on it: controlroom-clients.") for one in verdicts.assumptions)


@pytest.mark.parametrize("target", AZURE)
def test_a_subnet_group_that_stops_a_flow_of_a_host_with_ipv6_is_found_and_only_that(target: str) -> None:
    policy = policy_of()
    projection = Projector(policy).host("a")
    own, around = (rules_text(target, one) for one in (projection, subnet(policy, "z")))

    def findings(group: str) -> list[tuple[FindingKind, str]]:
        files = (RulesetText("own", own), RulesetText("subnet", group))
        return [(one.kind, one.flow) for one in prove(projection, parse_ruleset(files)).findings]

    assert findings(around) == []
    assert findings(around.replace("81", "85")) == [(FindingKind.MISSING, "over")]


def test_an_interface_and_a_subnet_group_are_both_asked_on_a_host_with_ipv6() -> None:
    policy = policy_of()
    projection = Projector(policy).host("a")
    document = json.loads(rules_text("azure-arm", projection))
    for one in document["resources"]:
        del one["tags"]
    text = json.dumps(document)
    files = (RulesetText("own", text), RulesetText("subnet", text))

    assert prove(projection, parse_ruleset(files)).findings == ()


def test_commands_render_and_verify_subnets(azure: Path, tmp_path: Path) -> None:
    site = ["--site", str(azure)]

    def run(*arguments: str) -> tuple[int, str]:
        result = CliRunner().invoke(app, list(arguments))
        return result.exit_code, result.output

    every = run("render", *site, "--target", "azure-arm", "--subnet", "all", "--out", str(tmp_path))
    held = str(tmp_path / "control-room-azure.json")

    assert every[0] == 0
    assert len(list(tmp_path.glob("*-azure.json"))) == 5
    assert run("verify", *site, "--subnet", "control-room", held)[0] == 0
    assert run("verify", *site, "--subnet", "clients", held)[0] == 2
    assert "--subnet ZONE" in run("render", *site, "--target", "azure-arm", "--border", "all")[1]
    assert (
        "does not lie on subnets" in run("render", *site, "--target", "aws-terraform", "--subnet", "all")[1]
    )
    assert (
        "give one of" in run("render", *site, "--target", "azure-arm", "--subnet", "all", "--host", "cr1")[1]
    )
    assert run("verify", *site, "--subnet", "all", held)[0] == 2
