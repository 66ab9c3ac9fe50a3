"""What AWS, GCP and Kubernetes hold: unions, priorities, selectors, what is implied, what is not understood."""

import json

import pytest
import yaml

from controlroom.network.addresses import parse_range
from controlroom.network.analysis import Packet, Verdict, judge
from controlroom.network.errors import BadRuleset
from controlroom.network.projection import Direction, Projection
from controlroom.network.proof import prove
from controlroom.network.rulesets import Ruleset

from .sites import flow, host, projection_of, read

SITE = host("h", "10.0.0.1") + host("c", "10.0.0.2") + flow("f", "c", "h", "80")


def seen(ruleset: Ruleset, projection: Projection) -> Ruleset:
    assert ruleset.seen_from is not None
    return ruleset.seen_from(projection)


def verdict(
    ruleset: Ruleset,
    port: int,
    *,
    source: str = "10.0.0.2",
    direction: Direction = Direction.INBOUND,
    protocol: int = 6,
) -> Verdict:
    near, far = parse_range("10.0.0.1")[1], parse_range(source)
    sides = (far[1], near) if direction is Direction.INBOUND else (near, far[1])
    return judge(ruleset.programs[direction], Packet(far[0], protocol, *sides, 50000, port)).verdict


def permission(
    protocol: str = "tcp", low: int = 80, high: int = 80, *prefixes: str, **more: object
) -> dict[str, object]:
    ranges = [{"CidrIp": one} for one in prefixes if ":" not in one]
    return {"IpProtocol": protocol, "FromPort": low, "ToPort": high, "IpRanges": ranges, **more}


def aws_group(*inbound: dict[str, object], name: str = "g", **more: object) -> dict[str, object]:
    return {"GroupName": name, "IpPermissions": list(inbound), "IpPermissionsEgress": [], **more}


def aws(*groups: dict[str, object]) -> Ruleset:
    return read(json.dumps({"SecurityGroups": list(groups)}))


def test_what_aws_groups_allow_adds_up_and_lies_on_the_host() -> None:
    held = aws(
        aws_group(permission("tcp", 80, 80, "10.0.0.2/32")),
        aws_group(permission("tcp", 90, 99, "10.0.0.0/8"), name="b"),
    )

    assert [verdict(held, port) for port in (80, 95, 89)] == ["allow", "allow", "deny"]
    (finding,) = prove(projection_of(SITE), held).findings
    assert finding.kind == "excess"
    assert finding.rule == "b inbound rule 1"
    assert finding.packet is not None
    assert finding.packet.destination == parse_range("10.0.0.1")[1]


@pytest.mark.parametrize(
    "odd",
    [
        permission("tcp", 80, 80, UserIdGroupPairs=[{"GroupId": "sg-1"}]),
        permission("tcp", 80, 80, PrefixListIds=[{"PrefixListId": "pl-1"}]),
        permission("tcp", 80, 80, "10.0.0.2/33"),
        permission("gre", 80, 80, "10.0.0.2/32"),
        permission("tcp", 90, 80, "10.0.0.2/32"),
    ],
)
def test_what_is_not_understood_of_aws_is_unknown_and_named(odd: dict[str, object]) -> None:
    held = aws(aws_group(odd))

    assert verdict(held, 80) is Verdict.UNKNOWN
    (finding,) = prove(projection_of(SITE), held).findings[:1]
    assert (finding.kind, finding.rule) == ("unknown", "g inbound rule 1")


def test_every_protocol_and_icmp_types_of_aws() -> None:
    held = aws(
        aws_group(
            permission("-1", 0, 0, "10.0.0.2/32"),
            permission("icmp", 8, -1, "10.0.0.3/32"),
            permission("47", -1, -1, "10.0.0.4/32"),
        )
    )

    assert verdict(held, 9999, protocol=17) is Verdict.ALLOW
    assert verdict(held, 8, source="10.0.0.3", protocol=1) is Verdict.ALLOW
    assert verdict(held, 0, source="10.0.0.3", protocol=1) is Verdict.DENY
    assert verdict(held, 5, source="10.0.0.4", protocol=47) is Verdict.ALLOW


def test_aws_groups_of_other_hosts_are_left_out_and_too_many_are_refused() -> None:
    mine = aws_group(permission("tcp", 80, 80, "10.0.0.2/32"), Tags=[{"Key": "controlroom", "Value": "h"}])
    other = aws_group(permission("tcp", 1, 99, "0.0.0.0/0"), Tags=[{"Key": "controlroom", "Value": "c"}])

    assert prove(projection_of(SITE), aws(mine, other)).findings == ()
    with pytest.raises(BadRuleset, match="which of these groups does host 'h' carry"):
        prove(projection_of(SITE), aws(*(aws_group(name=str(number)) for number in range(17))))
    with pytest.raises(BadRuleset, match="which of these groups"):
        prove(projection_of(SITE), aws(other))


TEMPLATE = """\
Resources:
  G:
    Type: AWS::EC2::SecurityGroup
    Properties:
      GroupDescription: d
      SecurityGroupIngress:
        - {IpProtocol: tcp, FromPort: 80, ToPort: 80, CidrIp: 10.0.0.2/32}
      SecurityGroupEgress:
        - {IpProtocol: "-1", CidrIp: 127.0.0.1/32}
"""


@pytest.mark.parametrize(
    ("old", "new", "kinds"),
    [
        ("", "", set()),
        ("10.0.0.2/32", "!Ref Office", {"unknown"}),
        ("10.0.0.2/32", "{Ref: Office}", {"unknown"}),
        ("CidrIp: 10.0.0.2/32", "SourceSecurityGroupId: !GetAtt Other.GroupId", {"unknown"}),
        ("127.0.0.1/32", "0.0.0.0/0", {"excess"}),
        ('      SecurityGroupEgress:\n        - {IpProtocol: "-1", CidrIp: 127.0.0.1/32}\n', "", {"unknown"}),
        ("        - {IpProtocol: tcp", "        - !Ref Rule\n        - {IpProtocol: tcp", {"unknown"}),
    ],
)
def test_cloudformation_templates_are_read_with_what_is_only_referred_to_unknown(
    old: str, new: str, kinds: set[str]
) -> None:
    text = TEMPLATE.replace(old, new, 1) if old else TEMPLATE

    found = {one.kind for one in prove(projection_of(SITE), read(text)).findings}
    again = prove(projection_of(SITE), read(json.dumps(yaml.safe_load(TEMPLATE)))).findings

    assert found - {"missing"} == kinds
    assert again == ()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (TEMPLATE.replace("    Type:", "    Condition: C\n    Type:"), "has a condition"),
        (TEMPLATE + "  R:\n    Type: AWS::EC2::SecurityGroupIngress\n", "a rule of its own"),
        (TEMPLATE + "  R: {}\n", "has no type"),
        ('{"resource": {"aws_security_group_rule": {"r": {}}}}', "a rule of its own"),
        ('{"resource": {"aws_vpc": {"r": {}}}}', "no security group is in it"),
    ],
)
def test_what_cannot_be_read_of_aws_is_refused_in_words(text: str, message: str) -> None:
    with pytest.raises(BadRuleset, match=message):
        read(text, "aws")


def gcp_rule(name: str, priority: int, action: str = "allowed", **changed: object) -> dict[str, object]:
    return {
        "name": name,
        "network": "https://x/global/networks/main",
        "direction": "INGRESS",
        "priority": priority,
        "sourceRanges": ["10.0.0.0/8"],
        action: [{"IPProtocol": "tcp", "ports": ["80"]}],
        **changed,
    }


def gcp(*rules: dict[str, object]) -> Ruleset:
    return read(json.dumps(list(rules)))


def test_gcp_rules_go_by_priority_and_a_denial_wins_a_tie() -> None:
    deny = gcp_rule("no", 1000, "denied", sourceRanges=["10.0.0.2"])

    assert verdict(gcp(gcp_rule("yes", 1000), deny), 80) is Verdict.DENY
    assert verdict(gcp(gcp_rule("yes", 999), deny), 80) is Verdict.ALLOW
    assert verdict(gcp(gcp_rule("yes", 1001), deny), 80, source="10.0.0.3") is Verdict.ALLOW
    assert verdict(gcp(gcp_rule("yes", 999, disabled=True), deny), 80) is Verdict.DENY


def test_gcp_implies_that_nothing_comes_in_and_everything_goes_out() -> None:
    held = gcp(gcp_rule("yes", 1000))

    assert verdict(held, 81) is Verdict.DENY
    assert verdict(held, 81, direction=Direction.OUTBOUND) is Verdict.ALLOW


def test_gcp_rules_without_ranges_are_for_all_of_ipv4() -> None:
    rule = gcp_rule("yes", 1000)
    del rule["sourceRanges"]

    assert verdict(gcp(rule), 80, source="192.0.2.1") is Verdict.ALLOW


def test_gcp_tags_of_the_host_apply_those_of_other_hosts_do_not_and_the_rest_is_unknown() -> None:
    projection = projection_of(SITE)
    for tag, expected in (("controlroom-h", "allow"), ("controlroom-c", "deny"), ("web", "unknown")):
        assert verdict(seen(gcp(gcp_rule("r", 1, targetTags=[tag])), projection), 80) == expected
    by_account = gcp_rule("r", 1, targetServiceAccounts=["a@b"])
    assert verdict(seen(gcp(by_account), projection), 80) is Verdict.UNKNOWN
    by_tag = gcp_rule("r", 1, sourceTags=["web"], sourceRanges=["10.0.0.3"])
    assert verdict(seen(gcp(by_tag), projection), 80) is Verdict.UNKNOWN
    assert verdict(seen(gcp(by_tag), projection), 80, source="10.0.0.3") is Verdict.ALLOW


def test_gcp_rules_of_several_networks_are_told_apart_by_the_hosts_tag() -> None:
    other = gcp_rule("o", 1, network="https://x/global/networks/other")
    mine = gcp_rule("m", 1, sourceRanges=["10.0.0.9"], targetTags=["controlroom-h"])

    assert verdict(seen(gcp(other, mine), projection_of(SITE)), 80) is Verdict.DENY
    with pytest.raises(BadRuleset, match="several networks: main, other"):
        prove(projection_of(SITE), gcp(other, gcp_rule("r", 1)))


@pytest.mark.parametrize(
    "odd",
    [
        {"allowed": [{"IPProtocol": "tcp", "ports": ["http"]}]},
        {"allowed": [{"IPProtocol": "gre"}]},
        {"sourceRanges": ["10.0.0.0/99"]},
    ],
)
def test_what_is_not_understood_of_gcp_is_unknown(odd: dict[str, object]) -> None:
    assert verdict(gcp(gcp_rule("r", 1, **odd)), 80) is Verdict.UNKNOWN


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        (gcp_rule("r", 1, direction="SIDEWAYS"), "direction 'SIDEWAYS'"),
        (gcp_rule("r", 70000), "priority '70000'"),
        ({"name": "r"}, "neither allows nor denies"),
    ],
)
def test_what_cannot_be_read_of_gcp_is_refused_in_words(rule: dict[str, object], message: str) -> None:
    with pytest.raises(BadRuleset, match=message):
        read(json.dumps([rule]), "gcp")


def policy(spec: dict[str, object], name: str = "p", namespace: str = "") -> dict[str, object]:
    metadata = {"name": name, **({"namespace": namespace} if namespace else {})}
    return {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": metadata, "spec": spec}


def kubernetes(*policies: dict[str, object]) -> Ruleset:
    return read("---\n".join(yaml.safe_dump(one) for one in policies))


MINE: dict[str, object] = {"matchLabels": {"controlroom/host": "h"}}
WEB: list[object] = [{"port": 80}]


def ingress(*rules: object, selector: dict[str, object] | None = None, **more: object) -> dict[str, object]:
    return {"podSelector": MINE if selector is None else selector, "ingress": list(rules), **more}


def test_a_pod_without_a_policy_is_open_and_one_with_a_policy_is_not() -> None:
    projection = projection_of(SITE)
    other = {"matchLabels": {"controlroom/host": "c"}}

    assert verdict(seen(kubernetes(policy(ingress(selector=other))), projection), 80) is Verdict.ALLOW
    held = seen(kubernetes(policy(ingress())), projection)
    assert verdict(held, 80) is Verdict.DENY
    # A policy without types and without an egress section leaves what goes out alone.
    assert verdict(held, 80, direction=Direction.OUTBOUND) is Verdict.ALLOW


def test_what_policies_allow_adds_up() -> None:
    held = kubernetes(
        policy(
            ingress({"from": [{"ipBlock": {"cidr": "10.0.0.0/24", "except": ["10.0.0.2/32"]}}], "ports": WEB})
        ),
        policy(ingress({"ports": [{"protocol": "UDP", "port": 53, "endPort": 60}]}, selector={}), name="q"),
    )
    held = seen(held, projection_of(SITE))

    assert verdict(held, 80) is Verdict.DENY
    assert verdict(held, 80, source="10.0.0.3") is Verdict.ALLOW
    assert verdict(held, 60, protocol=17) is Verdict.ALLOW
    assert verdict(held, 61, protocol=17) is Verdict.DENY


def test_hosts_by_label_mean_their_addresses_and_other_pods_are_unknown() -> None:
    projection = projection_of(SITE)
    by_host = {
        "podSelector": {"matchExpressions": [{"key": "controlroom/host", "operator": "In", "values": ["c"]}]}
    }
    held = kubernetes(policy(ingress({"from": [by_host], "ports": WEB}, policyTypes=["Ingress", "Egress"])))
    assert prove(projection, held).findings == ()

    for peer in (
        {"podSelector": {"matchLabels": {"app": "web"}}},
        {"podSelector": {"matchLabels": {"controlroom/host": "nobody"}}},
        {"podSelector": {}},
        {"namespaceSelector": {}},
        {**by_host, "namespaceSelector": {}},
        {"ipBlock": {"cidr": "10.0.0.0/24", "but": 1}},
        {"ipBlock": {"cidr": "ten"}},
    ):
        held = seen(kubernetes(policy(ingress({"from": [peer], "ports": WEB}))), projection)
        assert verdict(held, 80) is Verdict.UNKNOWN, peer
        assert verdict(held, 81) is Verdict.DENY


def test_a_policy_that_may_select_the_pod_leaves_open_whether_it_is_isolated() -> None:
    projection = projection_of(SITE)
    maybe = policy(ingress({"ports": WEB}, selector={"matchLabels": {"app": "web"}}))

    held = seen(kubernetes(maybe), projection)
    assert verdict(held, 80) is Verdict.ALLOW
    assert verdict(held, 81) is Verdict.UNKNOWN
    held = seen(kubernetes(maybe, policy(ingress(), name="q")), projection)
    assert verdict(held, 80) is Verdict.UNKNOWN
    assert verdict(held, 81) is Verdict.DENY
    ruled_out = {"matchLabels": {"app": "web", "controlroom/host": "c"}}
    assert verdict(seen(kubernetes(policy(ingress(selector=ruled_out))), projection), 81) is Verdict.ALLOW


@pytest.mark.parametrize(
    "port", [{"port": "http"}, {"protocol": "ICMP", "port": 1}, {"port": 80, "until": 90}]
)
def test_ports_that_are_not_understood_are_unknown(port: dict[str, object]) -> None:
    held = seen(kubernetes(policy(ingress({"ports": [port]}))), projection_of(SITE))

    assert verdict(held, 80) is Verdict.UNKNOWN


def test_lists_of_kubectl_are_read_and_namespaces_told_apart() -> None:
    items = [policy(ingress({"ports": WEB}), namespace="a"), policy(ingress(selector={}), namespace="b")]
    held = read(json.dumps({"apiVersion": "v1", "kind": "List", "items": items}))

    assert verdict(seen(held, projection_of(SITE)), 80) is Verdict.ALLOW
    with pytest.raises(BadRuleset, match="several namespaces: a, b"):
        prove(projection_of(SITE, "c"), held)


@pytest.mark.parametrize(
    "spec",
    [ingress({"ports": [{"port": 99999}]}), ingress({"ports": [{"port": 9, "endPort": 8}]}), ingress(1)],
)
def test_what_cannot_be_read_of_kubernetes_is_refused(spec: dict[str, object]) -> None:
    with pytest.raises(BadRuleset):
        prove(projection_of(SITE), kubernetes(policy(spec)))
