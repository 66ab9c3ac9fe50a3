"""What Azure's own model of a group (azure-mgmt-network) and a grammar of Bicep say of the renderings."""

import json
from pathlib import Path

import pytest
from azure.mgmt.network import models
from tree_sitter import Language, Node, Parser
from tree_sitter_bicep import language

from controlroom.network.projection import Projection
from controlroom.network.renderers import renderer
from controlroom.network.rulesets.azure_groups import groups_of
from controlroom.network.rulesets.interface import RulesetText
from controlroom.network.subnets import subnet

from .sites import projector_of, rules_text
from .test_renderings import HOSTILE, flow, host, projection_of

BICEP = Parser(Language(language()))
WORDS = {
    "protocol": models.SecurityRuleProtocol,
    "access": models.SecurityRuleAccess,
    "direction": models.SecurityRuleDirection,
}
# The model's properties by their names in the resource manager, got by giving it every one that it has.
_MODEL = models.SecurityRulePropertiesFormat
PROPERTIES = frozenset(_MODEL(**dict.fromkeys(_MODEL.__annotations__, "given")))


def places(example: Path) -> list[Projection]:
    one = projector_of(example)
    hosts, zones = one.policy.site.hosts, one.policy.site.zones
    return [
        *(one.host(party.name) for party in hosts[:3]),
        *(subnet(one.policy, zone.name) for zone in zones[:3]),
    ]


def faults(rules: list[dict[str, object]]) -> list[str]:
    """Return what of some rules the model does not know: keys, words, types and what must be there."""
    found: list[str] = []
    for rule in rules:
        for key, value in rule.items():
            if key not in PROPERTIES:
                found.append(f"no property {key}")
            elif isinstance(value, list) is not key.endswith("es") and key != "sourcePortRange":
                found.append(f"{key} is one value and many")
        for key, kind in WORDS.items():
            if rule.get(key) not in [str(one.value) for one in kind]:
                found.append(f"{key} {rule.get(key)!r}")
        if not isinstance(rule.get("priority"), int):
            found.append("no priority")
    return found


def arm_rules(projection: Projection) -> list[dict[str, object]]:
    document = json.loads(rules_text("azure-arm", projection))
    return [one["properties"] for one in document["resources"][0]["properties"]["securityRules"]]


def test_rules_are_what_the_resource_manager_models(example: Path) -> None:
    for projection in places(example):
        rules = arm_rules(projection)

        assert rules
        assert faults(rules) == []
        for rule in rules:
            read = models.SecurityRulePropertiesFormat(rule)
            assert {key: value for key, value in read.as_dict().items() if value is not None} == rule


@pytest.mark.parametrize(
    "change", [("sourcePortRange", "sourcePort"), ('"Allow"', '"Permit"'), ('"Tcp"', '"SCTP"')]
)
def test_the_model_sees_a_fault_that_is_put_in(five_nodes: Path, change: tuple[str, str]) -> None:
    rules = arm_rules(projector_of(five_nodes).host("node-1"))

    assert faults(json.loads(json.dumps(rules).replace(*change))) != []


def test_bicep_and_terraform_say_the_rules_of_the_template(example: Path) -> None:
    for projection in places(example):
        arm, bicep, terraform = (
            groups_of(RulesetText("held", rules_text(f"azure-{kind}", projection)))[0].rules
            for kind in ("arm", "bicep", "terraform")
        )

        assert list(arm) == list(bicep)
        given = [{key: value for key, value in rule.items() if value is not None} for rule in terraform]
        assert given == list(arm)


def errors_in(text: str) -> list[Node]:
    tree = BICEP.parse(text.encode())
    found: list[Node] = []
    waiting = [tree.root_node]
    while waiting:
        node = waiting.pop()
        if node.type == "ERROR" or node.is_missing:
            found.append(node)
        waiting.extend(node.children)
    return found


def test_a_grammar_of_bicep_accepts_every_file_and_finds_one_group(example: Path) -> None:
    for projection in places(example):
        text = rules_text("azure-bicep", projection)

        assert errors_in(text) == []
        resources = [
            one for one in BICEP.parse(text.encode()).root_node.children if one.type == "resource_declaration"
        ]
        assert len(resources) == 1


@pytest.mark.parametrize("purpose", HOSTILE)
def test_a_hostile_purpose_stays_one_text_of_bicep(purpose: str) -> None:
    literal = json.dumps(purpose, ensure_ascii=False)
    site = host("h", "10.0.0.1") + host("c", "10.0.0.2")
    site += f'[flow.f]\nfrom = ["c"]\nto = ["h"]\nports = 80\npurpose = {literal}\n'
    text = rules_text("azure-bicep", projection_of(site))

    assert errors_in(text) == []
    interpolations = [one for one in every_node(text) if one.type == "interpolation"]
    assert interpolations == []


def every_node(text: str) -> list[Node]:
    nodes: list[Node] = []
    waiting = [BICEP.parse(text.encode()).root_node]
    while waiting:
        node = waiting.pop()
        nodes.append(node)
        waiting.extend(node.children)
    return nodes


def test_the_grammar_sees_a_text_that_does_not_end(five_nodes: Path) -> None:
    text = rules_text("azure-bicep", projector_of(five_nodes).host("node-1"))

    assert errors_in(text.replace("name: 'controlroom-node-1'", "name: 'controlroom-node-1", 1)) != []
    assert [one for one in every_node(text.replace("default deny", "${x}", 1)) if one.type == "interpolation"]


def test_the_template_is_the_only_resource_and_renders_alike_for_host_and_subnet() -> None:
    site = host("h", "10.0.0.1") + host("c", "10.0.0.2") + flow("f", "c", "h", "80")
    document = json.loads(rules_text("azure-arm", projection_of(site)))

    assert [one["type"] for one in document["resources"]] == ["Microsoft.Network/networkSecurityGroups"]
    assert renderer("azure-arm").parser == "azure"
