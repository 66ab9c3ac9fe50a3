"""The declared data centre: zones, parties (hosts, balancers, externals, zones as a whole), options, own flows."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from enum import StrEnum

from controlroom.network.addresses import Addresses
from controlroom.network.catalogue import Component, Transport
from controlroom.network.errors import UnknownName
from controlroom.network.intervals import IntervalSet

# The zone of what lies in none of the declared zones.
OUTSIDE = "outside"


class PartyKind(StrEnum):
    """What stands behind a name of the site."""

    HOST = "host"
    BALANCER = "balancer"
    EXTERNAL = "external"
    ZONE = "zone"


class System(StrEnum):
    """The operating system of a host."""

    LINUX = "linux"
    WINDOWS = "windows"


class BalancerMode(StrEnum):
    """Whether a balancer speaks for its clients, or passes their packets with their own source address."""

    PROXY = "proxy"
    TRANSPARENT = "transparent"


@dataclass(frozen=True, slots=True)
class Zone:
    """A named network."""

    name: str
    prefixes: Addresses


@dataclass(frozen=True, slots=True)
class Party:
    """Whoever sends or receives: a host, a balancer, an external, or a whole zone.

    ``names`` and ``service_tag`` stand for addresses that the site does not know; firewalls that match addresses
    cannot use them. ``ports`` are this party's own overrides, by service name. ``interfaces`` are a host's, each with
    the addresses that its packets come from and go to.
    """

    name: str
    kind: PartyKind
    zone: str
    addresses: Addresses
    roles: frozenset[Component]
    system: System | None = None
    ports: Mapping[str, IntervalSet] = field(default_factory=dict)
    names: tuple[str, ...] = ()
    service_tag: str = ""
    members: tuple[str, ...] = ()
    mode: BalancerMode = BalancerMode.PROXY
    fleet: str = ""
    interfaces: Mapping[str, Addresses] = field(default_factory=dict)

    @property
    def symbolic(self) -> bool:
        """Say whether the party is known by name or tag alone."""
        return not self.addresses


@dataclass(frozen=True, slots=True)
class Options:
    """What a site chooses; the first value of each is the default. ``explicit`` are those that the file names."""

    database: str = "any"
    identity: str = "active-directory"
    messaging: str = "rabbitmq"
    cache: str = "redis"
    search: str = "opensearch"
    subversion: str = "http"
    runner_link: str = "balancer"
    management: str = "network"
    egress: str = "contract"
    tls_only: bool = False
    rdp_sessions: bool = False
    client_internal: bool = False
    read_mail: bool = False
    explicit: frozenset[str] = frozenset()

    def value(self, name: str) -> str:
        """Return an option as text, as conditions of flows compare it."""
        value = getattr(self, name)
        return str(value).lower() if isinstance(value, bool) else str(value)


OPTION_CHOICES: Mapping[str, tuple[str, ...]] = {
    "database": ("any", "sqlite", "postgresql", "sql-server", "oracle"),
    "identity": ("local", "directory", "active-directory", "oidc"),
    "messaging": ("memory", "rabbitmq"),
    "cache": ("memory", "redis"),
    "search": ("sql", "opensearch"),
    "subversion": ("http", "svnserve"),
    "runner_link": ("balancer", "direct"),
    "management": ("network", "console"),
    "egress": ("contract", "any"),
}
OPTION_NAMES = tuple(one.name for one in fields(Options) if one.name != "explicit")


@dataclass(frozen=True, slots=True)
class SiteFlow:
    """A flow that the site adds, such as bots to a business application; sides are names or roles."""

    name: str
    sources: tuple[str, ...]
    destinations: tuple[str, ...]
    transport: Transport
    ports: IntervalSet
    purpose: str


@dataclass(frozen=True, slots=True)
class Site:
    """A whole declared data centre; parties are in the file's order, fleets spelled out."""

    name: str
    zones: tuple[Zone, ...]
    parties: tuple[Party, ...]
    options: Options = Options()
    ports: Mapping[str, IntervalSet] = field(default_factory=dict)
    flows: tuple[SiteFlow, ...] = ()
    border_interfaces: Mapping[str, Addresses] = field(default_factory=dict)
    file: str = "site.toml"

    def party(self, name: str) -> Party:
        """Return one party; raise `UnknownName`."""
        for party in self.parties:
            if party.name == name:
                return party
        raise UnknownName("party of the site", name)

    @property
    def hosts(self) -> tuple[Party, ...]:
        """The machines with an operating system of their own: hosts, those of fleets, balancers that have one."""
        return tuple(party for party in self.parties if Component.HOST in party.roles)

    @property
    def balancers(self) -> tuple[Party, ...]:
        """The load balancers."""
        return tuple(party for party in self.parties if party.kind is PartyKind.BALANCER)
