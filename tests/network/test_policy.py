"""The policy: exact, default deny, never wider than declared."""

from pathlib import Path

import pytest

from controlroom.network.addresses import Family
from controlroom.network.catalogue import Component, Transport
from controlroom.network.errors import EmptyFlow, NoManagementPath
from controlroom.network.policy import Permit, derive_policy
from controlroom.network.ports import format_ports, ports
from controlroom.network.projection import Direction, Projector
from controlroom.network.reports.changes import ChangeKind, changes_between
from controlroom.network.site import parse_site, read_site

BASE = """\
[options]
identity = "local"
tls_only = true
management = "console"
[zone.servers]
prefixes = ["10.0.0.0/24", "2001:db8::/64"]
[host.cr1]
zone = "servers"
addresses = ["10.0.0.11", "2001:db8::11"]
roles = ["control-room"]
[host.share]
zone = "servers"
addresses = ["10.0.0.20"]
roles = ["file-share"]
"""
SECOND = '[host.cr2]\nzone = "servers"\naddresses = ["10.0.0.12", "2001:db8::12"]\nroles = ["control-room"]\n'


def permits(text: str, flow: str) -> list[Permit]:
    return [one for one in derive_policy(parse_site(text)).permits if one.flow == flow]


def test_a_side_that_is_empty_in_a_family_gives_no_permit_in_it() -> None:
    assert [one.family for one in permits(BASE, "file-share")] == [Family.IPV4]


def test_a_flow_without_a_common_family_is_an_error() -> None:
    with pytest.raises(EmptyFlow, match="share no address family"):
        derive_policy(parse_site(BASE.replace('"10.0.0.11", ', "")))


def test_an_option_that_asks_for_a_part_which_is_not_there_is_an_error() -> None:
    with pytest.raises(EmptyFlow, match="nothing in the site has the role postgresql"):
        derive_policy(
            parse_site(BASE.replace('identity = "local"', 'identity = "local"\ndatabase = "postgresql"'))
        )


def test_one_node_has_no_cluster_flow_and_two_have_each_other() -> None:
    assert permits(BASE, "cluster-messaging") == []

    both = permits(BASE + SECOND, "cluster-messaging")

    assert {(one.source_names, one.destination_names) for one in both} == {
        (("cr2",), ("cr1",)),
        (("cr1",), ("cr2",)),
    }
    assert all(not one.sources.overlaps(one.destinations) for one in both)


def test_cluster_ports_are_open_between_control_rooms_alone(example: Path) -> None:
    site = read_site(example)
    nodes = {host.name for host in site.hosts if Component.CONTROL_ROOM in host.roles}

    for permit in derive_policy(site).permits:
        if permit.cluster:
            assert set(permit.source_names) <= nodes
    assert any(permit.cluster for permit in derive_policy(site).permits) == (len(nodes) > 1)


def test_kerberos_never_opens_another_port_or_transport(five_nodes: Path) -> None:
    found = {
        (one.transport, format_ports(one.ports))
        for one in derive_policy(read_site(five_nodes)).permits
        if one.flow.startswith("kerberos")
    }

    assert found == {(Transport.TCP, "88"), (Transport.UDP, "88")}


def test_tls_only_leaves_no_clear_text_service(five_nodes: Path) -> None:
    flows = derive_policy(read_site(five_nodes)).flows

    assert "browser-https" in flows
    assert not {"browser-http", "directory-ldap", "directory-catalogue"} & set(flows)


def test_a_balancer_takes_the_entrance_and_a_transparent_one_shares_it(five_nodes: Path) -> None:
    text = five_nodes.read_text()
    plain = derive_policy(parse_site(text))
    shared = derive_policy(
        parse_site(text.replace('members = ["node"]', 'members = ["node"]\nmode = "transparent"'))
    )

    def reached(policy: object) -> set[str]:
        found = [one for one in policy.permits if one.flow == "runner-link"]  # type: ignore[attr-defined]
        return {name for one in found for name in one.destination_names}

    assert reached(plain) == {"entrance"}
    assert reached(shared) == {"entrance", "node-1", "node-2", "node-3", "node-4", "node-5"}


def test_override_of_one_host_does_not_widen_to_the_others(five_nodes: Path) -> None:
    mail = [one for one in derive_policy(read_site(five_nodes)).permits if one.flow == "runner-mail"]

    assert {one.ports for one in mail} == {ports(25)}
    assert {one.family for one in mail} == {Family.IPV4}


def test_a_runner_needs_one_port_out_to_the_control_room_and_none_in() -> None:
    site = read_site(Path(__file__).resolve().parents[2] / "examples/network/thousand-runners.toml")
    projection = Projector(derive_policy(site)).host("runner-01-07")

    assert {one.flow for one in projection.permits[Direction.INBOUND]} == {"management-rdp"}
    assert {one.flow for one in projection.permits[Direction.OUTBOUND]} == {
        "runner-link",
        "dns-udp",
        "dns-tcp",
        "time",
    }


def test_a_rendering_that_would_lock_everybody_out_is_refused() -> None:
    policy = derive_policy(parse_site(BASE.replace('management = "console"\n', "")))

    with pytest.raises(NoManagementPath, match='management = "console"'):
        Projector(policy).host("cr1")


def test_border_holds_only_what_crosses_zones(five_nodes: Path) -> None:
    projector = Projector(derive_policy(read_site(five_nodes)))

    for permit in projector.border().permits[Direction.FORWARD]:
        assert projector.zone_of(permit.source_names[0]) != projector.zone_of(permit.destination_names[0])
    pair = projector.border("nodes", "data").permits[Direction.FORWARD]
    assert {"database-postgresql", "file-share"} <= {permit.flow for permit in pair}


def test_diff_says_what_opens_and_what_closes() -> None:
    before, after = (derive_policy(parse_site(text)) for text in (BASE, BASE + SECOND))

    opened = changes_between(before, after)

    assert {change.kind for change in opened} == {ChangeKind.OPENS}
    assert any("opens tcp 5672 (IPv4) from cr2 to cr1" in change.words for change in opened)
    assert {change.kind for change in changes_between(after, before)} == {ChangeKind.CLOSES}
    assert changes_between(after, after) == []


def test_diff_names_only_what_differs_and_not_the_whole_flow(five_nodes: Path) -> None:
    text = five_nodes.read_text()
    before = derive_policy(parse_site(text))
    wider = derive_policy(parse_site(text.replace("[options]", '[ports]\nldaps = "636-637"\n[options]', 1)))

    opened = changes_between(before, wider)

    assert {one.flow for one in opened} == {"directory-ldaps"}
    assert {one.words.partition(" from ")[0] for one in opened} == {
        "opens tcp 637 (IPv4)",
        "opens tcp 637 (IPv6)",
    }
    assert all(one.example.endswith(":637") for one in opened)


def test_diff_gives_the_addresses_where_a_party_has_changed() -> None:
    around = '[zone.people]\nprefixes = ["192.168.0.0/24"]\nroles = ["browser"]\n'
    before = derive_policy(parse_site(BASE + around))
    after = derive_policy(parse_site(BASE + around.replace("0.0/24", "0.0/23")))

    (opened,) = changes_between(before, after)

    assert opened.words.startswith("opens tcp 443 (IPv4) from 192.168.1.0/24 (people) to cr1: ")
    assert opened.example.startswith("tcp 192.168.1.")
