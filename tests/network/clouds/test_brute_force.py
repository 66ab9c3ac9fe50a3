"""Random rules of every cloud: the parser and the engine against judges that read the raw objects packet by packet."""

import copy
import itertools
import json
from collections.abc import Callable, Iterator
from ipaddress import ip_address, ip_network

import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from controlroom.network.addresses import Family
from controlroom.network.analysis import Packet, Program, Verdict, compare, judge
from controlroom.network.projection import Direction
from controlroom.network.proof import prove

from .sites import flow, host, projection_of, read, rules_text

PREFIXES = [
    "10.0.0.0/29",
    "10.0.0.1/32",
    "10.0.0.2/31",
    "0.0.0.0/0",
    "::/0",
    "2001:db8::2/127",
    "10.0.0.4/30",
]
ADDRESSES = ["10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.6", "192.0.2.1", "2001:db8::2", "2001:db8::4"]
PORTS = [(80, 80), (1, 65535), (79, 81), (443, 443)]
PROBED_PORTS = [78, 79, 80, 82, 443]
Raw = dict[str, object]


def every_packet() -> Iterator[Packet]:
    for source, destination, protocol, port in itertools.product(ADDRESSES, ADDRESSES, (6, 17), PROBED_PORTS):
        first, second = ip_address(source), ip_address(destination)
        if first.version == second.version:
            yield Packet(Family(first.version), protocol, int(first), int(second), 50000, port)


PACKETS = list(every_packet())
prefixes = st.lists(st.sampled_from(PREFIXES), min_size=1, max_size=3, unique=True)
ports = st.sampled_from(PORTS)


def inside(packet: Packet, address: int, prefix: str) -> bool:
    """Say whether a packet's source or destination lies in a prefix, by the standard library alone."""
    network = ip_network(prefix)
    return (
        network.version == packet.family
        and network.network_address <= ip_address_of(packet, address) <= network.broadcast_address
    )  # type: ignore[operator]  # of one version


def ip_address_of(packet: Packet, address: int):  # type: ignore[no-untyped-def]  # of either version
    return ip_address(address.to_bytes(packet.family.bits // 8, "big"))


def agree(program: Program, expected: Callable[[Packet], bool]) -> None:
    for packet in PACKETS:
        wanted = Verdict.ALLOW if expected(packet) else Verdict.DENY
        assert judge(program, packet).verdict is wanted, packet


def span(low: int, high: int) -> str:
    return str(low) if low == high else f"{low}-{high}"


nsg_rules = st.lists(
    st.fixed_dictionaries(
        {
            "access": st.sampled_from(["Allow", "Deny"]),
            "protocol": st.sampled_from(["Tcp", "udp"]),
            "sourceAddressPrefixes": prefixes,
            "destinationAddressPrefix": st.sampled_from([*PREFIXES, "*"]),
            "port": ports,
        }
    ),
    max_size=6,
)


def nsg(rules: list[Raw], order: list[int]) -> list[Raw]:
    closing: Raw = {
        "name": "no",
        "priority": 4096,
        "direction": "Inbound",
        "access": "Deny",
        "protocol": "*",
        "sourceAddressPrefix": "*",
        "sourcePortRange": "*",
        "destinationAddressPrefix": "*",
        "destinationPortRange": "*",
    }
    found = [
        {
            **rule,
            "name": f"r{number}",
            "priority": priority,
            "direction": "Inbound",
            "sourcePortRange": "*",
            "destinationPortRange": span(*rule["port"]),  # type: ignore[misc]  # a pair
        }
        for number, (rule, priority) in enumerate(zip(rules, order, strict=False))
    ]
    return [*found, closing]


def nsg_allows(rules: list[Raw], packet: Packet) -> bool:
    for rule in sorted(rules, key=lambda one: one["priority"]):  # type: ignore[arg-type,return-value]  # numbers
        if rule["name"] == "no":
            return False
        low, high = rule["port"]  # type: ignore[misc]  # a pair
        destination = str(rule["destinationAddressPrefix"])
        if (
            packet.protocol == {"tcp": 6, "udp": 17}[str(rule["protocol"]).lower()]
            and low <= packet.destination_port <= high
            and any(inside(packet, packet.source, one) for one in rule["sourceAddressPrefixes"])  # type: ignore[attr-defined]  # a list
            and (destination == "*" or inside(packet, packet.destination, destination))
        ):
            return rule["access"] == "Allow"
    return False


@settings(max_examples=40, deadline=None)
@given(nsg_rules, st.permutations(range(100, 106)))
def test_azure_agrees_with_a_walk_down_the_priorities(drawn: list[Raw], order: list[int]) -> None:
    rules = nsg(drawn, order)

    held = read(json.dumps([{"name": "g", "securityRules": rules}]))

    agree(held.programs[Direction.INBOUND], lambda packet: nsg_allows(rules, packet))


permissions = st.lists(st.tuples(st.sampled_from(["tcp", "udp", "-1"]), prefixes, ports), max_size=5)


@settings(max_examples=40, deadline=None)
@given(st.lists(permissions, min_size=1, max_size=3))
def test_aws_agrees_with_a_search_for_any_permission(
    groups: list[list[tuple[str, list[str], tuple[int, int]]]],
) -> None:
    document = {
        "SecurityGroups": [
            {
                "GroupName": f"g{number}",
                "IpPermissionsEgress": [],
                "IpPermissions": [
                    {
                        "IpProtocol": protocol,
                        "FromPort": low,
                        "ToPort": high,
                        "IpRanges": [{"CidrIp": one} for one in found if ":" not in one],
                        "Ipv6Ranges": [{"CidrIpv6": one} for one in found if ":" in one],
                    }
                    for protocol, found, (low, high) in group
                ],
            }
            for number, group in enumerate(groups)
        ]
    }

    held = read(json.dumps(document))

    def allows(packet: Packet) -> bool:
        return any(
            (
                protocol == "-1"
                or (
                    packet.protocol == {"tcp": 6, "udp": 17}[protocol]
                    and low <= packet.destination_port <= high
                )
            )
            and any(inside(packet, packet.source, one) for one in found)
            for group in groups
            for protocol, found, (low, high) in group
        )

    agree(held.programs[Direction.INBOUND], allows)


firewalls = st.lists(
    st.tuples(
        st.sampled_from(["allowed", "denied"]),
        st.sampled_from(["tcp", "udp", "all"]),
        prefixes,
        prefixes | st.just([]),
        ports,
        st.sampled_from([10, 10, 20, 30]),
        st.booleans(),
    ),
    max_size=6,
)


@settings(max_examples=40, deadline=None)
@given(firewalls, st.sampled_from(["INGRESS", "EGRESS"]))
def test_gcp_agrees_with_the_first_priority_at_which_something_matches(drawn: list[tuple], way: str) -> None:  # type: ignore[type-arg]  # drawn
    rules = [
        {
            "name": f"r{number}",
            "network": "n",
            "direction": way,
            "priority": priority,
            "disabled": disabled and number % 2 == 0,
            "sourceRanges" if way == "INGRESS" else "destinationRanges": far,
            "destinationRanges" if way == "INGRESS" else "sourceRanges": near,
            action: [{"IPProtocol": protocol, **({} if protocol == "all" else {"ports": [span(*port)]})}],
        }
        for number, (action, protocol, far, near, port, priority, disabled) in enumerate(drawn)
    ]

    held = read(json.dumps(rules), "gcp")

    def allows(packet: Packet) -> bool:
        matching = []
        for rule, (action, protocol, far, near, (low, high), priority, _) in zip(rules, drawn, strict=True):
            far_end, near_end = packet.source, packet.destination
            if way == "EGRESS":
                far_end, near_end = near_end, far_end
            if (
                not rule["disabled"]
                and (
                    protocol == "all"
                    or (
                        packet.protocol == {"tcp": 6, "udp": 17}[protocol]
                        and low <= packet.destination_port <= high
                    )
                )
                and any(inside(packet, far_end, one) for one in far)
                and (not near or any(inside(packet, near_end, one) for one in near))
            ):
                matching.append((priority, action != "denied"))
        return min(matching)[1] if matching else way == "EGRESS"

    agree(held.programs[Direction.INBOUND if way == "INGRESS" else Direction.OUTBOUND], allows)


policies = st.lists(
    st.tuples(
        st.booleans(),
        st.lists(
            st.tuples(
                st.lists(st.tuples(st.sampled_from(PREFIXES), st.booleans()), max_size=2),
                st.lists(st.tuples(st.sampled_from(["TCP", "UDP"]), ports), max_size=2),
            ),
            max_size=3,
        ),
    ),
    max_size=3,
)


@settings(max_examples=40, deadline=None)
@given(policies)
def test_kubernetes_agrees_with_a_search_through_the_policies_that_select_the_pod(drawn: list[tuple]) -> None:  # type: ignore[type-arg]  # drawn
    documents = [
        {
            "apiVersion": "networking.k8s.io/v1",
            "kind": "NetworkPolicy",
            "metadata": {"name": f"p{number}"},
            "spec": {
                "podSelector": {"matchLabels": {"controlroom/host": "h" if mine else "c"}},
                "ingress": [
                    {
                        "from": [
                            {"ipBlock": {"cidr": cidr, **({"except": [hole(cidr)]} if cut else {})}}
                            for cidr, cut in peers
                        ],
                        "ports": [
                            {"protocol": kind, "port": low, "endPort": high}
                            for kind, (low, high) in open_ports
                        ],
                    }
                    for peers, open_ports in rules
                ],
            },
        }
        for number, (mine, rules) in enumerate(drawn)
    ]
    text = (
        yaml.safe_dump_all(documents)
        if documents
        else yaml.safe_dump({"kind": "NetworkPolicyList", "items": []})
    )
    projection = projection_of(host("h", "10.0.0.1 2001:db8::4") + host("c", "10.0.0.2"))
    if not documents:
        return
    held = read(text)
    assert held.seen_from is not None

    def allows(packet: Packet) -> bool:
        selecting = [rules for mine, rules in drawn if mine]
        return not selecting or any(
            (
                not peers
                or any(
                    inside(packet, packet.source, cidr)
                    and not (cut and inside(packet, packet.source, hole(cidr)))
                    for cidr, cut in peers
                )
            )
            and (
                not open_ports
                or any(
                    packet.protocol == {"TCP": 6, "UDP": 17}[kind] and low <= packet.destination_port <= high
                    for kind, (low, high) in open_ports
                )
            )
            for rules in selecting
            for peers, open_ports in rules
        )

    program = held.seen_from(projection).programs[Direction.INBOUND]
    mine = {int(ip_address("10.0.0.1")), int(ip_address("2001:db8::4"))}
    for packet in PACKETS:
        if packet.destination in mine:
            assert judge(program, packet).verdict is (Verdict.ALLOW if allows(packet) else Verdict.DENY), (
                packet
            )


def hole(cidr: str) -> str:
    """Return the upper half of a prefix, or all of it where it has no half."""
    network = ip_network(cidr)
    return str(list(network.subnets())[-1])


SITE = projection_of(
    host("h", "10.0.0.1 2001:db8::4")
    + host("c", "10.0.0.2 2001:db8::2")
    + host("d", "10.0.0.6")
    + flow("f", "c", "h", "80")
    + flow("g", "d", "h", "443")
    + flow("o", "h", "d", "79-81")
)
TEMPLATE = json.loads(rules_text("azure-arm", SITE))
MUTATIONS: dict[str, list[object]] = {
    "access": ["Allow", "Deny"],
    "protocol": ["Tcp", "Udp", "*"],
    "sourceAddressPrefix": [*PREFIXES],
    "destinationAddressPrefix": [*PREFIXES],
    "destinationPortRange": ["80", "79-81", "443", "*"],
    "priority": [150, 4095],
    "direction": ["Inbound", "Outbound"],
}


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_a_mutant_is_refused_exactly_where_it_changes_a_packet_and_the_witness_really_differs(
    data: st.DataObject,
) -> None:
    mutant = copy.deepcopy(TEMPLATE)
    rules = mutant["resources"][0]["properties"]["securityRules"]
    one = data.draw(st.sampled_from(rules))["properties"]
    key = data.draw(st.sampled_from(sorted(MUTATIONS)))
    one[key] = data.draw(st.sampled_from(MUTATIONS[key]))

    verdicts = prove(SITE, read(json.dumps(mutant)))

    before, after = (
        [
            rule["properties"] | {"name": rule["name"]}
            for rule in document["resources"][0]["properties"]["securityRules"]
        ]
        for document in (TEMPLATE, mutant)
    )
    changed = [
        (way, packet)
        for way in ("Inbound", "Outbound")
        for packet in PACKETS
        if walk(before, way, packet) != walk(after, way, packet)
    ]
    if changed:
        assert not verdicts.holds
    for finding in verdicts.findings:
        if finding.packet is not None and finding.kind != "unknown":
            assert walk(before, finding.direction.capitalize(), finding.packet) != walk(
                after, finding.direction.capitalize(), finding.packet
            )


def walk(rules: list[Raw], way: str, packet: Packet) -> str:
    """Walk down the priorities of one direction; ``open`` stands for the default rules, which are not judged here."""
    for rule in sorted(rules, key=lambda one: one["priority"]):  # type: ignore[arg-type,return-value]  # numbers
        if rule["direction"] == way and all(
            (
                str(rule["protocol"]).lower() in {"*", {6: "tcp", 17: "udp"}.get(packet.protocol, "")},
                any(
                    one == "*" or within(packet.destination_port, one)
                    for one in values(rule, "destinationPortRange")
                ),
                any(
                    one == "*" or inside(packet, packet.source, one)
                    for one in values(rule, "sourceAddressPrefix", "sourceAddressPrefixes")
                ),
                any(
                    one == "*" or inside(packet, packet.destination, one)
                    for one in values(rule, "destinationAddressPrefix", "destinationAddressPrefixes")
                ),
            )
        ):
            return str(rule["access"])
    return "open"


def values(rule: Raw, *keys: str) -> list[str]:
    found = [rule[key] for key in keys if key in rule]
    return [str(one) for value in found for one in (value if isinstance(value, list) else [value])]


def within(port: int, text: str) -> bool:
    low, _, high = text.partition("-")
    return int(low) <= port <= int(high or low)


def test_the_engine_finds_one_packet_among_the_rules_of_a_cloud() -> None:
    whole, holed = (
        read(
            json.dumps({"SecurityGroups": [{"IpPermissionsEgress": [], "IpPermissions": permissions}]})
        ).programs[Direction.INBOUND]
        for permissions in (
            [{"IpProtocol": "tcp", "FromPort": 1, "ToPort": 9, "IpRanges": [{"CidrIp": "10.0.0.0/8"}]}],
            [
                {"IpProtocol": "tcp", "FromPort": low, "ToPort": high, "IpRanges": [{"CidrIp": "10.0.0.0/8"}]}
                for low, high in ((1, 4), (6, 9))
            ],
        )
    )

    (difference,) = compare(whole, holed).differences

    assert difference.packet.destination_port == 5
