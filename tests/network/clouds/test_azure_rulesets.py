"""What Azure holds: priorities, default rules, service tags, stacked groups, and what is not understood."""

import json

import pytest

from controlroom.network.addresses import Family, parse_range
from controlroom.network.analysis import Packet, Verdict, judge
from controlroom.network.errors import BadRuleset
from controlroom.network.projection import Direction
from controlroom.network.proof import prove
from controlroom.network.rulesets import Ruleset

from .sites import flow, host, projection_of, projector_of, read, rules_text


def rule(name: str, priority: int, access: str = "Allow", **changed: object) -> dict[str, object]:
    return {
        "name": name,
        "priority": priority,
        "direction": "Inbound",
        "access": access,
        "protocol": "Tcp",
        "sourceAddressPrefix": "*",
        "sourcePortRange": "*",
        "destinationAddressPrefix": "*",
        "destinationPortRange": "80",
        **changed,
    }


def group(*rules: dict[str, object], name: str = "g", **more: object) -> dict[str, object]:
    """Return a group as ``az network nsg show`` prints it."""
    return {"name": name, "securityRules": list(rules), **more}


def verdict(
    ruleset: Ruleset,
    port: int,
    *,
    source: str = "192.0.2.1",
    destination: str = "10.0.0.1",
    protocol: int = 6,
) -> Verdict:
    family, start, _ = parse_range(source)
    packet = Packet(family, protocol, start, parse_range(destination)[1], 50000, port)
    return judge(ruleset.programs[Direction.INBOUND], packet).verdict


def test_the_lower_priority_number_decides() -> None:
    held = read(
        json.dumps(group(rule("late", 200), rule("early", 100, "Deny", sourceAddressPrefix="192.0.2.0/24")))
    )

    assert verdict(held, 80) is Verdict.DENY
    assert verdict(held, 80, source="192.0.3.1") is Verdict.ALLOW


def test_default_rules_that_are_not_in_the_file_are_added_and_their_tags_are_in_doubt() -> None:
    held = read(json.dumps(group(rule("web", 100))))

    # The virtual network may hold any of these addresses, and the load balancer has an address of the platform.
    assert verdict(held, 81) is Verdict.UNKNOWN
    closed = read(
        json.dumps(group(rule("web", 100), rule("no", 4096, "Deny", protocol="*", destinationPortRange="*")))
    )
    assert verdict(closed, 81) is Verdict.DENY
    assert verdict(closed, 80) is Verdict.ALLOW


def test_augmented_rules_and_ranges_of_ports_are_read() -> None:
    many = rule(
        "many",
        100,
        sourceAddressPrefix=None,
        sourceAddressPrefixes=["192.0.2.0/25", "192.0.2.200"],
        destinationPortRange="",
        destinationPortRanges=["80", "8000-8010"],
    )
    deny = rule("no", 4096, "deny", protocol="*", destinationPortRange="*")
    held = read(json.dumps(group(many, deny)))

    assert [verdict(held, port) for port in (80, 8005, 8011)] == ["allow", "allow", "deny"]
    assert verdict(held, 80, source="192.0.2.201") is Verdict.DENY


@pytest.mark.parametrize(
    "changed",
    [
        {"sourceAddressPrefix": "Storage.WestEurope"},
        {"sourceAddressPrefix": "[parameters('office')]"},
        {"sourceAddressPrefix": "", "sourceApplicationSecurityGroups": [{"id": "/x/y"}]},
        {"sourceAddressPrefix": ""},
        {"protocol": "Sctp"},
        {"destinationPortRange": "[variables('port')]"},
        {"destinationPortRange": "90-80"},
        {"sourcePortRange": None},
        {"access": "[parameters('access')]"},
    ],
)
def test_what_is_not_understood_is_unknown_and_named(changed: dict[str, object]) -> None:
    odd = rule("odd", 100) | changed
    held = read(json.dumps(group(odd, rule("no", 4096, "Deny", protocol="*", destinationPortRange="*"))))

    assert verdict(held, 80) is Verdict.UNKNOWN
    projection = projection_of(host("h", "10.0.0.1"))
    findings = [one for one in prove(projection, held).findings if one.direction == "inbound"]
    assert {one.kind for one in findings} == {"unknown"}
    assert "g odd (priority 100)" in findings[0].rule


def test_a_service_tag_means_what_the_site_says() -> None:
    site = (
        host("h", "10.0.0.1")
        + '[external.store]\nservice_tag = "Storage"\nprefixes = ["198.51.100.0/24"]\nroles = []\n'
        + flow("f", "store", "h", "80")
    )
    wanted = rule("f", 100, sourceAddressPrefix="Storage", destinationAddressPrefix="10.0.0.1")
    no = [
        rule(f"no-{way}", 4096, "Deny", protocol="*", destinationPortRange="*", direction=way)
        for way in ("Inbound", "Outbound")
    ]
    held = read(json.dumps(group(wanted, *no)))

    assert prove(projection_of(site), held).findings == ()
    wider = site.replace("198.51.100.0/24", "198.51.100.0/25")
    assert prove(projection_of(wider), held).findings == ()
    findings = prove(projection_of(site.replace("Storage", "Sql")), held).findings
    assert {finding.kind for finding in findings} == {"unknown"}


def test_a_group_of_the_interface_and_one_of_the_subnet_must_both_allow() -> None:
    first = group(
        rule("a", 100, destinationPortRange="80-90"),
        rule("no", 4096, "Deny", destinationPortRange="*"),
        name="nic",
    )
    second = group(
        rule("b", 100, destinationPortRange="85-99"),
        rule("no", 4096, "Deny", destinationPortRange="*"),
        name="subnet",
    )
    held = read(json.dumps([first, second]))

    assert [verdict(held, port) for port in (80, 85, 90, 91)] == ["deny", "allow", "allow", "deny"]
    assert held.seen_from is not None
    seen = held.seen_from(projection_of(host("h", "10.0.0.1")))
    assert any("nic and subnet" in sentence for sentence in seen.assumptions)


def test_of_many_groups_only_those_with_the_hosts_tag_are_taken() -> None:
    mine = group(
        rule("a", 100),
        rule("no", 4096, "Deny", protocol="*", destinationPortRange="*"),
        tags={"controlroom": "h"},
    )
    others = [group(name=f"other-{number}") for number in range(3)]
    projection = projection_of(host("h", "10.0.0.1"))
    held = read(json.dumps([mine, *others]))

    assert held.seen_from is not None
    seen = held.seen_from(projection)

    assert verdict(seen, 80) is Verdict.ALLOW
    assert verdict(seen, 81) is Verdict.DENY
    assert any("other-0, other-1, other-2" in sentence for sentence in seen.assumptions)
    with pytest.raises(
        BadRuleset, match="which of these groups does host 'h' stand behind: other-0, other-1, other-2"
    ):
        prove(projection, read(json.dumps(others)))


def test_effective_rules_have_their_tags_spelled_out() -> None:
    effective = {
        "value": [
            {
                "networkSecurityGroup": {"id": "/subscriptions/s/networkSecurityGroups/g"},
                "effectiveSecurityRules": [
                    rule(
                        "defaultSecurityRules/AllowVnetInBound",
                        65000,
                        protocol="All",
                        sourceAddressPrefix="VirtualNetwork",
                        expandedSourceAddressPrefix=["10.0.0.0/16"],
                        destinationPortRange="0-65535",
                        sourcePortRange="0-65535",
                    ),
                    rule(
                        "defaultSecurityRules/DenyAllInBound",
                        65500,
                        "Deny",
                        protocol="All",
                        destinationPortRange="0-65535",
                    ),
                ],
            }
        ]
    }
    held = read(json.dumps(effective))

    assert verdict(held, 22, source="10.0.3.4") is Verdict.ALLOW
    assert verdict(held, 22) is Verdict.DENY


def test_icmp_is_of_ipv4_for_sure_and_ports_of_every_protocol_are_those_of_tcp_and_udp() -> None:
    deny = rule("no", 4096, "Deny", protocol="*", destinationPortRange="*")
    held = read(json.dumps(group(rule("ping", 100, protocol="Icmp", destinationPortRange="*"), deny)))
    assert verdict(held, 8, protocol=1) is Verdict.ALLOW
    assert verdict(held, 128, protocol=58, source="2001:db8::1", destination="2001:db8::2") is Verdict.UNKNOWN
    assert verdict(held, 80) is Verdict.DENY

    held = read(json.dumps(group(rule("any", 100, protocol="*"), deny)))
    assert verdict(held, 80, protocol=17) is Verdict.ALLOW
    assert verdict(held, 81, protocol=17) is Verdict.DENY
    assert verdict(held, 8, protocol=1) is Verdict.UNKNOWN


def test_all_shapes_of_the_same_group_are_read_alike(five_nodes) -> None:  # type: ignore[no-untyped-def]  # a fixture of the room
    projection = projector_of(five_nodes).host("node-1")
    template = json.loads(rules_text("azure-arm", projection))
    (resource,) = template["resources"]
    flat = [{"name": one["name"], **one["properties"]} for one in resource["properties"]["securityRules"]]
    shapes = [
        resource,
        {"name": "g", "securityRules": flat, "defaultSecurityRules": []},
        [{"name": "g", "securityRules": flat}],
        flat,
        {"resources": {"group": resource}},
        {"value": [resource]},
    ]

    for shape in shapes:
        assert prove(projection, read(json.dumps(shape))).findings == ()


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ({"resources": [{"type": "Microsoft.Network/networkSecurityGroups", "copy": {}}]}, "copy, condition"),
        (
            {"resources": [{"type": "Microsoft.Network/networkSecurityGroups/securityRules"}]},
            "resources of their own",
        ),
        (
            {"resources": [{"type": "Microsoft.Network/networkSecurityGroups", "resources": [{}]}]},
            "nested resources",
        ),
        ({"resource": {"azurerm_network_security_rule": {"r": {}}}}, "rules as resources"),
        (
            {"resource": {"azurerm_network_security_group": {"g": {"count": 2}}}},
            "count, which is not followed",
        ),
        ({"securityRules": []}, "held"),
        ({"securityRules": [{"priority": 1}]}, "has no direction"),
        ({"securityRules": [{"priority": "1", "direction": "Inbound"}]}, "no priority that is a number"),
        ({"securityRules": [1]}, "is no object"),
    ],
)
def test_what_cannot_be_read_is_refused_in_words(document: object, message: str) -> None:
    if document == {"securityRules": []}:
        assert read(json.dumps(document), "azure").programs
        return
    with pytest.raises(BadRuleset, match=message):
        read(json.dumps(document), "azure")


def test_bicep_beyond_plain_values_is_refused_or_unknown() -> None:
    projection = projection_of(host("h", "10.0.0.1") + host("c", "10.0.0.2") + flow("f", "c", "h", "80"))
    text = rules_text("azure-bicep", projection)

    findings = prove(projection, read(text.replace("'10.0.0.2'", "office"))).findings
    assert "unknown" in {one.kind for one in findings}
    findings = prove(projection, read(text.replace("'10.0.0.2'", "'${net}.2'"))).findings
    assert "unknown" in {one.kind for one in findings}
    for damage in (
        text + "\nmodule more 'x.bicep' = {\n}\n",
        text.replace("'10.0.0.2'", "[for x in y: x]"),
        text[: len(text) // 2],
        text.replace("priority: 100", "priority: 100\n          priority: 101", 1),
    ):
        with pytest.raises(BadRuleset):
            read(damage)


def test_a_border_is_not_judged_by_a_group(five_nodes) -> None:  # type: ignore[no-untyped-def]  # a fixture of the room
    one = projector_of(five_nodes)
    findings = prove(one.border(), read(rules_text("azure-arm", one.host("node-1")))).findings

    assert {finding.kind for finding in findings} == {"unknown"}
    assert "prove it with --host" in findings[0].message
    assert Family.IPV4 in {finding.packet.family for finding in findings if finding.packet}
