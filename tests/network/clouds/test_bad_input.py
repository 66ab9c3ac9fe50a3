"""Files that are cut, huge, hostile or damaged: refused in words, or read, and never a crash or an endless wait."""

import contextlib
import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from controlroom.network.errors import BadRuleset, NetworkError
from controlroom.network.proof import prove
from controlroom.network.rulesets import RulesetText, cloud_files, cloud_rules, parsers

from .sites import TARGETS, host, projection_of, projector_of, read, rules_text

CLOUDS = ["aws", "azure", "gcp", "kubernetes"]
FORMATS = {target: target.split("-")[0] for target in TARGETS}
NODE = projector_of(Path(__file__).resolve().parents[3] / "examples/network/five-nodes.toml").host("node-1")
RENDERED = {target: rules_text(target, NODE) for target in TARGETS}
PROJECTION = projection_of(host("h", "10.0.0.1"))


@pytest.mark.parametrize("target", [target for target in TARGETS if "single" not in target])
@pytest.mark.parametrize("part", [0.01, 0.3, 0.5, 0.9, 0.999])
def test_a_file_cut_off_is_refused_or_is_not_the_policy(target: str, part: float) -> None:
    text = RENDERED[target][: int(len(RENDERED[target]) * part)]

    try:
        held = read(text, FORMATS[target])
    except BadRuleset as error:
        assert "held" in str(error)
    else:
        # YAML has no end: a file cut between two entries is whole, and what is missing is found.
        assert target.startswith(("aws-cloud", "kubernetes"))
        assert not prove(NODE, held).holds


BOMB = "a: &a [x]\n" + "".join(
    f"{chr(98 + number)}: &{chr(98 + number)} [{', '.join(['*' + chr(97 + number)] * 9)}]\n"
    for number in range(20)
)


@pytest.mark.parametrize("name", ["aws", "gcp", "kubernetes"])
@pytest.mark.parametrize(
    ("text", "message"),
    [
        (BOMB, "aliases are not read"),
        ("kind: NetworkPolicy\nspec: *missing\n", "aliases are not read|not YAML"),
        ("a: " + "[" * 5000 + "]" * 5000, "levels deep|not YAML|cannot be read"),
        ("a: !!python/object/apply:os.system ['true']\n", "not YAML"),
        ("a: 1\na: 2\n", "'a' stands twice"),
        ("a: \x00", "not YAML"),
        ('{"a": 1, "a": 2}', "'a' stands twice"),
        ("[" * 100_000, "not JSON|cut off"),
        ('{"SecurityGroups": ', "not JSON, or cut off"),
        ("", "held: nothing is in it"),
        ("null", "held: nothing is in it"),
    ],
)
def test_hostile_files_are_refused_in_words(name: str, text: str, message: str) -> None:
    with pytest.raises(BadRuleset, match=message):
        read(text, name)


def test_yaml_beyond_the_limit_is_refused_before_it_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cloud_files, "LARGEST_YAML", 100)

    with pytest.raises(BadRuleset, match="larger than 100 characters of YAML"):
        read("kind: NetworkPolicy\n" + "# x\n" * 100)


def test_far_too_many_rules_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cloud_rules, "MOST_RULES", 100)
    permission = {"IpProtocol": "tcp", "FromPort": 1, "ToPort": 2, "IpRanges": [{"CidrIp": "10.0.0.0/8"}]}
    text = json.dumps({"SecurityGroups": [{"IpPermissions": [permission] * 101, "IpPermissionsEgress": []}]})

    with pytest.raises(BadRuleset, match="101 rules are more than the 100"):
        read(text)


@pytest.mark.parametrize("target", TARGETS)
@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_damaged_renderings_are_refused_or_read_and_never_crash(target: str, data: st.DataObject) -> None:
    text = RENDERED[target][: 4000 if target == "azure-bicep" else 3000]
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, min(len(text), start + 40)))
    damaged = RENDERED[target][:start] + data.draw(st.text(max_size=8)) + RENDERED[target][end:]

    with contextlib.suppress(NetworkError):
        prove(PROJECTION, parsers()[FORMATS[target]].parse((RulesetText("damaged", damaged),)))


KEYS = [
    "SecurityGroups",
    "IpPermissions",
    "IpRanges",
    "CidrIp",
    "IpProtocol",
    "Resources",
    "Type",
    "Properties",
    "SecurityGroupIngress",
    "resource",
    "aws_security_group",
    "ingress",
    "resources",
    "properties",
    "securityRules",
    "priority",
    "direction",
    "access",
    "protocol",
    "sourceAddressPrefix",
    "effectiveSecurityRules",
    "value",
    "name",
    "network",
    "allowed",
    "denied",
    "targetTags",
    "IPProtocol",
    "ports",
    "sourceRanges",
    "kind",
    "metadata",
    "spec",
    "podSelector",
    "matchLabels",
    "matchExpressions",
    "policyTypes",
    "from",
    "ipBlock",
    "cidr",
    "except",
    "port",
    "endPort",
    "items",
    "planned_values",
    "root_module",
    "tags",
]
WORDS = [
    "tcp",
    "-1",
    "Inbound",
    "Allow",
    "*",
    "10.0.0.0/8",
    "NetworkPolicy",
    "List",
    "INGRESS",
    "AWS::EC2::SecurityGroup",
]
values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-2, 70000)
    | st.floats(allow_nan=False)
    | st.text(max_size=4)
    | st.sampled_from(WORDS),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=5),
    max_leaves=25,
)


@pytest.mark.parametrize("name", CLOUDS)
@settings(max_examples=150, deadline=None)
@given(value=values)
def test_hostile_objects_are_refused_or_read_and_never_crash(name: str, value: object) -> None:
    for document in (
        value,
        {
            "SecurityGroups": [value],
            "securityRules": [value],
            "kind": "NetworkPolicy",
            "metadata": {},
            "spec": value,
        },
        {
            "IpPermissions": value,
            "name": "n",
            "allowed": value,
            "securityRules": value,
            "kind": "List",
            "items": value,
        },
        {
            "resource": {
                kind: {"n": value}
                for kind in (
                    "aws_security_group",
                    "google_compute_firewall",
                    "azurerm_network_security_group",
                )
            }
        },
    ):
        with contextlib.suppress(NetworkError):
            prove(PROJECTION, parsers()[name].parse((RulesetText("hostile", json.dumps(document)),)))


@settings(max_examples=100, deadline=None)
@given(st.text(alphabet="{}[]':=\n $\\ab1/", max_size=60))
def test_hostile_bicep_is_refused_or_read_and_never_crashes(text: str) -> None:
    head = "resource g 'Microsoft.Network/networkSecurityGroups@2024-05-01' = {"

    with contextlib.suppress(NetworkError):
        parsers()["azure"].parse((RulesetText("hostile.bicep", head + text),))
