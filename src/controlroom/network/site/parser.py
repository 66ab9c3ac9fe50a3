"""Turns a ``site.toml`` into a `Site`, refusing whatever could be meant otherwise than it is written."""

from collections.abc import Iterator, Mapping
from pathlib import Path

from controlroom.network import catalogue
from controlroom.network.addresses import Addresses, format_address
from controlroom.network.catalogue import Component, Transport
from controlroom.network.catalogue.model import IMPLIED_COMPONENTS
from controlroom.network.errors import BadSite
from controlroom.network.intervals import IntervalSet
from controlroom.network.site.fleet import spell_out
from controlroom.network.site.interfaces import read_interfaces
from controlroom.network.site.model import (
    OPTION_CHOICES,
    OPTION_NAMES,
    OUTSIDE,
    BalancerMode,
    Options,
    Party,
    PartyKind,
    Site,
    SiteFlow,
    System,
    Zone,
)
from controlroom.network.site.toml import Source, Table, nearest
from controlroom.network.site.whole import check_whole

_TOP_KEYS = ("name", "options", "ports", "zone", "host", "fleet", "balancer", "external", "flow", "border")
_CATALOGUE_FLOWS = frozenset(flow.name for flow in catalogue.FLOWS)
_ROLES = tuple(str(one) for one in Component if one not in IMPLIED_COMPONENTS)


def read_site(path: Path) -> Site:
    """Read a site file; raise `BadSite` with file, line and key, or where the file cannot be read."""
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise BadSite(f"cannot be read: {error.strerror}", file=str(path)) from None
    except UnicodeDecodeError as error:
        raise BadSite(f"is not UTF-8: {error.reason} at byte {error.start}", file=str(path)) from None
    return parse_site(text, file=str(path))


def parse_site(text: str, *, file: str = "site.toml") -> Site:
    """Read a site from text; raise `BadSite`."""
    top = Source(text, file).parse()
    top.allow_only(_TOP_KEYS)
    zones = {name: _zone(name, table) for name, table in top.named_tables("zone")}
    parties = [
        *_hosts(top, zones),
        *_fleets(top, zones),
        *(_balancer(name, table, zones) for name, table in top.named_tables("balancer")),
        *(_external(name, table, zones) for name, table in top.named_tables("external")),
        *_zones_as_parties(top, zones),
    ]
    names = {*zones, *(party.name for party in parties), *(party.fleet for party in parties if party.fleet)}
    site = Site(
        name=top.name("name", "site"),
        zones=tuple(zones.values()),
        parties=tuple(parties),
        options=_options(top.table("options")),
        ports=_service_ports(top.table("ports")),
        border_interfaces=_border(top.table("border")),
        flows=tuple(_flow(name, table, names) for name, table in top.named_tables("flow")),
        file=file,
    )
    check_whole(site, top)
    return site


def _border(table: Table) -> Mapping[str, Addresses]:
    table.allow_only(("interfaces",))
    return read_interfaces(table)


def _zone(name: str, table: Table) -> Zone:
    table.allow_only(("prefixes", "roles"))
    prefixes = table.addresses("prefixes")
    if not prefixes:
        table.refuse("prefixes", f'zone {name!r} needs prefixes, such as prefixes = ["10.0.0.0/24"]')
    if name == OUTSIDE:
        table.refuse("", f"{OUTSIDE!r} is the name of what lies in no zone; choose another")
    return Zone(name, prefixes)


def _zones_as_parties(top: Table, zones: dict[str, Zone]) -> Iterator[Party]:
    for name, table in top.named_tables("zone"):
        if roles := _roles(table):
            yield Party(name, PartyKind.ZONE, name, zones[name].prefixes, roles)


def _hosts(top: Table, zones: dict[str, Zone]) -> Iterator[Party]:
    for name, table in top.named_tables("host"):
        table.allow_only(("zone", "addresses", "roles", "os", "ports", "interfaces"))
        yield _host(name, table, zones, table.addresses("addresses"))


def _fleets(top: Table, zones: dict[str, Zone]) -> Iterator[Party]:
    for name, table in top.named_tables("fleet"):
        table.allow_only(("zone", "addresses", "roles", "os", "ports", "interfaces"))
        whole = _host(name, table, zones, table.addresses("addresses"))
        yield from spell_out(whole, table)


def _host(name: str, table: Table, zones: dict[str, Zone], addresses: Addresses) -> Party:
    if not addresses:
        table.refuse("addresses", f'{name!r} needs addresses, such as addresses = ["10.0.0.11"]')
    zone = _zone_of(table, zones, addresses)
    system = System(table.choice("os", tuple(System), System.LINUX))
    roles = _roles(table) | _implied(system)
    ports = _service_ports(table.table("ports"))
    return Party(
        name,
        PartyKind.HOST,
        zone,
        addresses,
        roles,
        system,
        ports,
        interfaces=read_interfaces(table),
    )


def _implied(system: System | None) -> frozenset[Component]:
    if system is None:
        return frozenset()
    return frozenset(
        {Component.HOST, Component.LINUX_HOST if system is System.LINUX else Component.WINDOWS_HOST}
    )


def _balancer(name: str, table: Table, zones: dict[str, Zone]) -> Party:
    table.allow_only(("zone", "addresses", "members", "mode", "os", "ports", "interfaces"))
    # A balancer that is an appliance or a cloud's service has no operating system to write rules for.
    system = System(table.choice("os", tuple(System), System.LINUX)) if "os" in table.values else None
    addresses = table.addresses("addresses")
    if not addresses:
        table.refuse("addresses", f"balancer {name!r} needs the addresses that clients reach it at")
    members = table.texts("members")
    if not members:
        table.refuse("members", f"balancer {name!r} needs members, the hosts that it passes requests to")
    return Party(
        name,
        PartyKind.BALANCER,
        _zone_of(table, zones, addresses),
        addresses,
        frozenset({Component.LOAD_BALANCER}) | _implied(system),
        system,
        ports=_service_ports(table.table("ports")),
        members=members,
        interfaces=read_interfaces(table),
        mode=BalancerMode(table.choice("mode", tuple(BalancerMode), BalancerMode.PROXY)),
    )


def _external(name: str, table: Table, zones: dict[str, Zone]) -> Party:
    table.allow_only(("names", "prefixes", "service_tag", "provider", "roles", "ports", "zone"))
    names = table.texts("names")
    ports = dict(_service_ports(table.table("ports")))
    if provider := table.text("provider"):
        rows = {row.provider: row for row in catalogue.MAIL_ROWS}
        if provider not in rows:
            table.refuse(
                "provider", f"{provider!r} is no mail provider of the catalogue; {nearest(provider, rows)}"
            )
        names = names or (rows[provider].host,)
        ports.setdefault("smtp", rows[provider].ports)
    for host in names:
        table.check_name("names", host)
    addresses, tag = table.addresses("prefixes"), table.name("service_tag")
    if not addresses and not names and not tag:
        table.refuse("", f"external {name!r} needs prefixes, names or a service_tag")
    zone = _zone_of(table, zones, addresses) if table.text("zone") else OUTSIDE
    return Party(
        name, PartyKind.EXTERNAL, zone, addresses, _roles(table), ports=ports, names=names, service_tag=tag
    )


def _zone_of(table: Table, zones: dict[str, Zone], addresses: Addresses) -> str:
    name = table.text("zone")
    if not name:
        table.refuse(
            "zone", f"needs a zone; {nearest('', zones) if zones else 'declare one as [zone.servers]'}"
        )
    if name not in zones:
        table.refuse("zone", f"there is no zone {name!r}; {nearest(name, zones)}")
    if stray := addresses - zones[name].prefixes:
        family = stray.families[0]
        address = format_address(family, stray.of(family).intervals[0][0])
        table.refuse("addresses", f"{address} lies in no prefix of zone {name!r}")
    return name


def _roles(table: Table) -> frozenset[Component]:
    texts = table.texts("roles")
    for text in texts:
        if text not in _ROLES:
            table.refuse("roles", f"there is no role {text!r}; {nearest(text, _ROLES)}")
    return frozenset(Component(text) for text in texts)


def _options(table: Table) -> Options:
    table.allow_only(OPTION_NAMES)
    defaults = Options()
    texts = {
        name: table.choice(name, choices, getattr(defaults, name)) for name, choices in OPTION_CHOICES.items()
    }
    flags = {
        name: table.flag(name, default=getattr(defaults, name))
        for name in OPTION_NAMES
        if name not in OPTION_CHOICES
    }
    return Options(**texts, **flags, explicit=frozenset(table.values))  # type: ignore[arg-type]  # each value was checked by its own getter


def _service_ports(table: Table) -> dict[str, IntervalSet]:
    chosen: dict[str, IntervalSet] = {}
    table.allow_only(service.name for service in catalogue.SERVICES)
    for name in table.values:
        service = catalogue.service(name)
        ports = table.ports(name)
        if service.choices is None:
            table.refuse(name, f"the ports of {name!r} cannot be changed: {service.changeable}")
        if not service.choices.covers(ports):
            table.refuse(name, f"{name!r} cannot listen there")
        chosen[name] = ports
    return chosen


def _flow(name: str, table: Table, names: set[str]) -> SiteFlow:
    table.allow_only(("from", "to", "protocol", "ports", "purpose"))
    if name in _CATALOGUE_FLOWS:
        table.refuse("", f"{name!r} is a flow of the catalogue; choose another name")
    sides = table.texts
    for key in ("from", "to"):
        if not sides(key):
            table.refuse(
                key, f"flow {name!r} needs {key!r}: names of hosts, fleets, zones, externals, or roles"
            )
        for side in sides(key):
            if side in names and side in _ROLES:
                table.refuse(
                    key,
                    f"{side!r} is a role and a name of this site too; name the hosts meant, or rename one",
                )
            if side not in names and side not in _ROLES:
                table.refuse(
                    key,
                    f"there is no host, fleet, zone, external or role {side!r}; {nearest(side, {*_ROLES, *names})}",
                )
    transport = Transport(table.choice("protocol", (Transport.TCP, Transport.UDP), Transport.TCP))
    return SiteFlow(
        name, sides("from"), sides("to"), transport, table.ports("ports"), table.purpose("purpose")
    )
