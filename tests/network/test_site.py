"""Sites: what is read, and what is refused with file, line, key and meaning."""

import contextlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from controlroom.network.addresses import Family, format_prefixes
from controlroom.network.catalogue import Component
from controlroom.network.errors import BadSite, NetworkError
from controlroom.network.site import parse_site
from controlroom.network.site.starter import Answers, write_site

SMALL = """\
name = "small"

[options]
tls_only = true

[zone.servers]
prefixes = ["10.0.0.0/24"]

[host.cr1]
zone = "servers"
addresses = ["10.0.0.11"]
roles = ["control-room"]
"""


def test_fleet_spells_out_its_hosts_in_both_families() -> None:
    text = SMALL.replace('["10.0.0.0/24"]', '["10.0.0.0/24", "2001:db8::/64"]') + (
        '[fleet.runner]\nzone = "servers"\nroles = ["bot-runner"]\n'
        'addresses = ["10.0.0.20-10.0.0.31", "2001:db8::14-2001:db8::1f"]\n'
    )

    hosts = [host for host in parse_site(text).hosts if host.fleet == "runner"]

    assert [host.name for host in hosts][::11] == ["runner-01", "runner-12"]
    assert format_prefixes(Family.IPV4, hosts[1].addresses.v4) == ["10.0.0.21"]
    assert format_prefixes(Family.IPV6, hosts[1].addresses.v6) == ["2001:db8::15"]
    assert Component.LINUX_HOST in hosts[0].roles


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            ("tls_only", "tls_olny"),
            r"site.toml:4: \[options.tls_olny\] unknown key 'tls_olny'; did you mean 'tls_only'",
        ),
        (("[host.cr1]", "[hsot.cr1]"), r"unknown key 'hsot'; did you mean 'host'"),
        (
            ("control-room", "controlroom"),
            r"site.toml:12: .*no role 'controlroom'; did you mean 'control-room'",
        ),
        (("10.0.0.11", "10.0.1.11"), r"site.toml:11: .*10.0.1.11 lies in no prefix of zone 'servers'"),
        (("10.0.0.0/24", "10.0.0.1/24"), r"site.toml:7: .*host bits set; did you mean 10.0.0.0/24"),
        (
            ('zone = "servers"', 'zone = "server"'),
            r"site.toml:10: .*no zone 'server'; did you mean 'servers'",
        ),
        (("true", '"yes"'), r"site.toml:4: .*should be true or false"),
        (('["control-room"]', '"control-room"'), r"site.toml:12: .*should be a list"),
        (("[host.cr1]", '[host."; drop"]'), r"cannot be a name"),
        (("[host.cr1]", '[host."crй"]'), r"cannot be a name"),
        (("name =", "name"), r"site.toml:1: not TOML"),
        (('roles = ["control-room"]', ""), r"no host has the role control-room"),
    ],
)
def test_faults_name_file_line_key_and_meaning(change: tuple[str, str], message: str) -> None:
    with pytest.raises(BadSite, match=message):
        parse_site(SMALL.replace(*change))


def test_two_hosts_with_one_address_are_refused() -> None:
    with pytest.raises(BadSite, match=r"10\.0\.0\.11 is an address of 'cr1' too"):
        parse_site(SMALL + '[host.cr2]\nzone = "servers"\naddresses = ["10.0.0.11"]\n')


def test_overlapping_zones_are_refused() -> None:
    with pytest.raises(BadSite, match="lies in zone 'servers' too"):
        parse_site(SMALL + '[zone.more]\nprefixes = ["10.0.0.128/25"]\n')


def test_purpose_cannot_break_out_of_its_line() -> None:
    flow = '[flow.erp]\nfrom = ["cr1"]\nto = ["servers"]\nports = 3200\npurpose = "a\\nflush ruleset"\n'
    with pytest.raises(BadSite, match="one line"):
        parse_site(SMALL + flow)


def test_ports_that_a_protocol_fixes_cannot_be_changed() -> None:
    with pytest.raises(BadSite, match="cannot be changed"):
        parse_site(SMALL + "[ports]\nkerberos-tcp = 89\n")


@pytest.mark.parametrize("nodes", [1, 3])
@pytest.mark.parametrize("identity", ["local", "active-directory", "oidc"])
@pytest.mark.parametrize("database", ["sqlite", "postgresql", "oracle"])
def test_a_started_site_stands(nodes: int, identity: str, database: str) -> None:
    site = parse_site(write_site(Answers(nodes=nodes, identity=identity, database=database)))

    assert len([host for host in site.hosts if Component.CONTROL_ROOM in host.roles]) == nodes


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_a_damaged_site_is_refused_and_never_crashes(data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(SMALL)))
    end = data.draw(st.integers(start, len(SMALL)))
    damaged = SMALL[:start] + data.draw(st.text(max_size=12)) + SMALL[end:]

    with contextlib.suppress(NetworkError):
        assert parse_site(damaged).hosts
