"""Renderings for clouds: exactly the policy when read back, stable, within limits, and safe with hostile texts."""

import json
import re
from collections.abc import Iterator
from ipaddress import ip_network
from pathlib import Path

import pytest

from controlroom.network.errors import CannotExpress, ProofFailed
from controlroom.network.projection import Projection, Projector, Scope
from controlroom.network.proof import prove, prove_rendering
from controlroom.network.renderers import RenderedFile, Rendering, renderer, renderers
from controlroom.network.rulesets import RulesetText, parse_ruleset

from .sites import AZURE, TARGETS, flow, host, projection_of, projector_of, read, rules_text

# "names" has 1,000 clients there, more than AWS takes without wider prefixes; a test of its own says so.
BEYOND_AWS = {("thousand-runners.toml", "names")}


def some_hosts(one: Projector) -> list[str]:
    hosts = [found.name for found in one.policy.site.hosts]
    return hosts if len(hosts) < 30 else [*hosts[:5], *hosts[-2:]]


def test_registry_finds_every_target_and_each_is_proved() -> None:
    assert set(TARGETS) <= set(renderers())
    assert all(renderer(target).parser for target in TARGETS)
    for target in TARGETS:
        on_subnets = target in AZURE or target.startswith("gcp")
        assert renderer(target).scopes == {Scope.HOST, *([Scope.SUBNET] if on_subnets else [])}


@pytest.mark.parametrize("target", TARGETS)
def test_every_rendering_read_back_is_the_policy(example: Path, target: str) -> None:
    one = projector_of(example)

    for name in some_hosts(one):
        if not (target.startswith("aws") and (example.name, name) in BEYOND_AWS):
            projection = one.host(name)
            prove_rendering(projection, renderer(target).render(projection))


@pytest.mark.parametrize("target", TARGETS)
def test_the_file_alone_is_recognised_and_proved(five_nodes: Path, target: str) -> None:
    projection = projector_of(five_nodes).host("node-1")

    verdicts = prove(projection, read(rules_text(target, projection)))

    assert verdicts.findings == ()
    assert verdicts.assumptions


@pytest.mark.parametrize("target", TARGETS)
def test_rendering_is_the_same_to_the_byte(five_nodes: Path, target: str) -> None:
    first, second = (renderer(target).render(projector_of(five_nodes).host("node-1")) for _ in range(2))

    assert first == second


@pytest.mark.parametrize("target", TARGETS)
def test_every_flow_is_told_with_its_purpose(five_nodes: Path, target: str) -> None:
    projection = projector_of(five_nodes).host("node-1")
    text = rules_text(target, projection)

    for permits in projection.permits.values():
        for permit in permits:
            assert f"{permit.flow}: {permit.purpose[:60]}" in text


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("change", [("5672", "5673"), ("10.20.2.", "10.20.3.")])
def test_a_rendering_that_is_not_the_policy_is_not_shown(
    five_nodes: Path, target: str, change: tuple[str, str]
) -> None:
    projection = projector_of(five_nodes).host("database" if change[0].startswith("10") else "node-1")
    rendering = renderer(target).render(projection)
    wider = tuple(
        RenderedFile(file.name, file.text.replace(*change), file.is_rules) for file in rendering.files
    )

    with pytest.raises(ProofFailed):
        prove_rendering(projection, Rendering(target, wider))


@pytest.mark.parametrize("target", TARGETS)
def test_a_site_that_does_not_filter_what_goes_out_is_left_open_there(target: str) -> None:
    site = host("h", "10.0.0.1 2001:db8::1") + host("c", "10.0.0.2 2001:db8::2") + flow("f", "c", "h", "80")
    projection = projection_of(site, options='egress = "any"')

    prove_rendering(projection, renderer(target).render(projection))
    outbound = read(rules_text(target, projection)).seen_from
    assert outbound is not None


@pytest.mark.parametrize("target", TARGETS)
def test_a_host_that_nobody_speaks_to_lets_nothing_in_or_out(target: str) -> None:
    projection = projection_of(host("h", "10.0.0.1") + host("c", "10.0.0.2"))

    prove_rendering(projection, renderer(target).render(projection))


def every_object(value: object) -> Iterator[dict[str, object]]:
    if isinstance(value, dict):
        yield value
    for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from every_object(inner)


@pytest.mark.parametrize("target", TARGETS)
def test_families_are_never_mixed_in_a_rule(five_nodes: Path, target: str) -> None:
    text = rules_text(target, projector_of(five_nodes).host("node-1"))

    if target == "azure-bicep":
        rules = re.split(r"\n      \{\n", text)
    elif text.startswith("{"):
        sides = {
            "sourceAddressPrefix",
            "sourceAddressPrefixes",
            "source_address_prefix",
            "cidr_blocks",
            "target_tags",
        }
        rules = [json.dumps(one) for one in every_object(json.loads(text)) if sides & one.keys()]
    else:
        rules = text.split("\n    - " if target.startswith("kubernetes") else "\n")
    seen = 0
    for rule in rules:
        found = {
            ip_network(one).version
            for one in re.findall(r"""["']([0-9a-f:.]+[:.][0-9a-f:.]*(?:/\d+)?)["']""", rule)
        }
        assert len(found) <= 1, rule
        seen += len(found)
    assert seen > 20


HOSTILE = [
    '"; drop',
    "${var.secret} %{ if true }x%{ endif }",
    "[concat('a')] 'quoted' \\ ${x}",
    "!Ref X & *alias # no comment: {a: b}",
    "ünï \U0001f600 漢",
    "x" * 200,
]


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("purpose", HOSTILE)
def test_hostile_purposes_are_quoted_and_change_nothing(target: str, purpose: str) -> None:
    literal = json.dumps(purpose, ensure_ascii=False)
    site = host("h", "10.0.0.1") + host("c", "10.0.0.2")
    site += f'[flow.f]\nfrom = ["c"]\nto = ["h"]\nports = 80\npurpose = {literal}\n'
    projection = projection_of(site)
    plain = projection_of(site.replace(literal, '"p"'))

    text = rules_text(target, projection)

    prove_rendering(projection, renderer(target).render(projection))
    assert len(text.splitlines()) == len(rules_text(target, plain).splitlines())
    assert templates_in(target, text) <= TEMPLATES


# The only expressions that the platforms' template languages may find in a rendering.
TEMPLATES = {
    "[resourceGroup().location]",
    "[parameters('location')]",
    "${var.location}",
    "${var.resource_group_name}",
    "${var.vpc_id}",
    "${var.network}",
}


def templates_in(target: str, text: str) -> set[str]:
    if target == "azure-arm":
        # The resource manager evaluates a text that is in brackets as a whole.
        return set(re.findall(r'"(\[[^"\n]*)"(?=,?\n)', text))
    if target.endswith("terraform"):
        return set(re.findall(r"(?<![$%])[$%]\{[^}]*\}", text))
    if target == "azure-bicep":
        return set(re.findall(r"(?<!\\)\$\{[^}]*\}", text))
    return set()


@pytest.mark.parametrize("target", TARGETS)
def test_names_that_differ_by_case_or_signs_stay_apart(target: str) -> None:
    names = ["Node.1", "node.1", "node-1", "node_1", "NODE-1", "n" * 63, "N" * 63]
    site = "".join(host(f'"{name}"', f"10.0.0.{number}") for number, name in enumerate(names, start=1))
    site += host("c", "10.0.1.1") + "".join(
        flow(f"{'f' * 55}-{number}", "c", name, "80") for number, name in enumerate(names)
    )
    found: list[str] = []
    for name in names:
        projection = projection_of(site, name)
        rendering = renderer(target).render(projection)
        prove_rendering(projection, rendering)
        text = next(file.text for file in rendering.files if file.is_rules)
        found.append(
            "\n".join(re.findall(r'(?:name|GroupName|"name")"?: ["\']?(controlroom-[\w.-]+)', text)).lower()
        )
        for one in re.findall(r"controlroom-[\w.-]+", found[-1]):
            assert len(one) <= {"azu": 80, "gcp": 63}.get(target[:3], 253)
            if target.startswith(("gcp", "kub")):
                assert re.fullmatch(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?", one)
    assert len(set(found)) == len(names)


def crowd(count: int, *, ports: str = "80", apart: int = 2) -> str:
    """Return a host and many that speak to it, whose addresses make as many prefixes."""
    base = 0x0A010000
    addresses = [base + number * apart for number in range(count)]
    clients = "".join(
        host(f"c{number}", ".".join(str(value >> shift & 255) for shift in (24, 16, 8, 0)), '"bot-runner"')
        for number, value in enumerate(addresses)
    )
    return host("h", "10.0.0.1") + clients + flow("f", "bot-runner", "h", ports)


def test_aws_spreads_rules_over_groups_and_refuses_more_than_an_interface_carries() -> None:
    projection = projection_of(crowd(130))
    text = rules_text("aws-cloudformation", projection)
    assert text.count("AWS::EC2::SecurityGroup\n") == 3
    prove_rendering(projection, renderer("aws-cloudformation").render(projection))
    prove_rendering(projection, renderer("aws-terraform").render(projection))

    for target in ("aws-cloudformation", "aws-terraform"):
        with pytest.raises(
            CannotExpress, match=r"needs 301 inbound rules of IPv4.*5 security groups of 60 rules hold 300"
        ):
            renderer(target).render(projection_of(crowd(301)))


def test_azure_refuses_more_prefixes_or_rules_than_a_group_takes() -> None:
    many = "".join(flow(f"f{number}", "c", "h", str(number + 1)) for number in range(999))
    site = host("h", "10.0.0.1") + host("c", "10.0.0.2")
    crowded = projection_of(crowd(4001))
    for target in AZURE:
        renderer(target).render(projection_of(site + many.rpartition("[flow")[0]))
        with pytest.raises(CannotExpress, match=r"1,001 rules .* the 1,000 that"):
            renderer(target).render(projection_of(site + many))
        with pytest.raises(CannotExpress, match=r"4,00\d addresses and ranges as sources .* the 4,000 that"):
            renderer(target).render(crowded)


def test_azure_priorities_stay_in_their_range_and_deny_comes_last(five_nodes: Path) -> None:
    template = json.loads(rules_text("azure-arm", projector_of(five_nodes).host("node-1")))
    rules = [one["properties"] for one in template["resources"][0]["properties"]["securityRules"]]

    for direction in ("Inbound", "Outbound"):
        mine = [rule for rule in rules if rule["direction"] == direction]
        priorities = [rule["priority"] for rule in mine]
        assert priorities == sorted(set(priorities))
        assert priorities[0] >= 100
        assert priorities[-1] == 4096
        assert (mine[-1]["access"], mine[-1]["protocol"]) == ("Deny", "*")
    names = [one["name"].lower() for one in template["resources"][0]["properties"]["securityRules"]]
    assert len(names) == len(set(names))
    assert all(len(rule["description"]) <= 140 for rule in rules)


def test_gcp_cuts_long_lists_of_ranges_and_refuses_too_many_rules() -> None:
    projection = projection_of(crowd(600))
    rules = json.loads(rules_text("gcp-terraform", projection))["resource"][
        "google_compute_firewall"
    ].values()
    lengths = [len(rule.get("source_ranges", ())) for rule in rules if "allow" in rule]
    assert sorted(lengths) == [88, 256, 256]
    prove_rendering(projection, renderer("gcp-terraform").render(projection))

    many = "".join(flow(f"f{number}", "c", "h", str(number + 1)) for number in range(97))
    with pytest.raises(CannotExpress, match=r"101 firewall rules for one host are more than the 100 "):
        renderer("gcp-terraform").render(projection_of(host("h", "10.0.0.1") + host("c", "10.0.0.2") + many))


def test_kubernetes_refuses_a_policy_that_etcd_would_not_take() -> None:
    with pytest.raises(CannotExpress, match=r"bytes of policy are more than the 786,432 .* ranges of ports"):
        renderer("kubernetes-single-ports").render(
            projection_of(host("h", "10.0.0.1") + host("c", "10.0.0.2") + flow("f", "c", "h", "1-65535"))
        )


def test_single_ports_have_no_end_port_and_name_every_port_of_the_cluster(five_nodes: Path) -> None:
    projection = projector_of(five_nodes).host("node-1")

    ranges, single = (rules_text(target, projection) for target in ("kubernetes", "kubernetes-single-ports"))

    assert "port: 47500, endPort: 47598" in ranges
    assert "endPort" not in single
    for port in [*range(47100, 47201), *range(47500, 47599)]:
        assert f"{{protocol: TCP, port: {port}}}" in single


TAGGED = (
    host("h", "10.0.0.1 2001:db8::1", '"control-room"')
    + '[external.sign-in]\nservice_tag = "AzureActiveDirectory"\nroles = ["identity-provider"]\n'
    + '[external.probe]\nservice_tag = "AzureLoadBalancer"\nroles = []\n'
    + flow("probe", "probe", "h", "8080")
)


def projection_with_tags() -> Projection:
    return projection_of(TAGGED, identity="oidc")


@pytest.mark.parametrize("target", AZURE)
def test_azure_says_service_tags_and_proves_all_else(target: str) -> None:
    projection = projection_with_tags()
    rendering = renderer(target).render(projection)

    prove_rendering(projection, rendering)

    text = next(file.text for file in rendering.files if file.is_rules)
    assert text.count("AzureActiveDirectory") == 2
    assert text.count("AzureLoadBalancer") == 2
    verdicts = prove(projection, read(text))
    assert any("AzureLoadBalancer" in sentence for sentence in verdicts.assumptions)


def test_a_rule_for_a_service_tag_that_is_missing_or_wider_is_found() -> None:
    projection = projection_with_tags()
    document = json.loads(rules_text("azure-arm", projection))
    rules = document["resources"][0]["properties"]["securityRules"]
    to_tag = [
        one for one in rules if one["properties"].get("destinationAddressPrefix") == "AzureActiveDirectory"
    ]

    rules.remove(to_tag[0])
    without = prove(projection, read(json.dumps(document))).findings
    to_tag[1]["properties"]["destinationPortRange"] = "1-65535"
    wider = prove(projection, read(json.dumps(document))).findings

    assert [(one.kind, one.flow) for one in without] == [("missing", "oidc")]
    assert "service tag 'AzureActiveDirectory' (IPv4)" in without[0].message
    assert {one.kind for one in wider} == {"missing", "unknown"}


@pytest.mark.parametrize("target", [target for target in TARGETS if target not in AZURE])
def test_other_clouds_refuse_what_is_known_by_name_alone(target: str) -> None:
    with pytest.raises(CannotExpress, match=r"known only as Azure\w+; give \[external\.[a-z-]+\] prefixes"):
        renderer(target).render(projection_with_tags())


@pytest.mark.parametrize("target", AZURE)
def test_azure_refuses_names_without_a_service_tag(target: str) -> None:
    site = (
        host("h", "10.0.0.1", '"control-room"')
        + '[external.post]\nprovider = "Gmail"\nroles = ["mail-server"]\n'
    )

    with pytest.raises(
        CannotExpress, match=r"only as smtp.gmail.com; give \[external.post\] prefixes or a service_tag"
    ):
        renderer(target).render(projection_of(site))


def test_two_files_that_hold_many_hosts_are_read_for_each(five_nodes: Path) -> None:
    one = projector_of(five_nodes)
    for target in TARGETS:
        files = tuple(
            RulesetText(f"{name}.txt", rules_text(target, one.host(name)))
            for name in ("node-1", "node-2", "share")
        )
        ruleset = parse_ruleset(files)

        for name in ("node-1", "node-2", "share"):
            assert prove(one.host(name), ruleset).findings == (), (target, name)


@pytest.mark.parametrize("target", [target for target in TARGETS if target.endswith("terraform")])
def test_a_folder_of_terraform_files_is_read_with_its_variables(five_nodes: Path, target: str) -> None:
    projection = projector_of(five_nodes).host("node-1")
    files = renderer(target).render(projection).files
    texts = tuple(
        RulesetText(file.name, file.text) for file in reversed(files) if file.name.endswith(".json")
    )

    assert len(texts) == 2
    assert prove(projection, parse_ruleset(texts)).findings == ()
