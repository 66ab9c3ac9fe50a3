"""The typed shapes of the catalogue: document rows, components, services, flows and local sockets."""

from dataclasses import dataclass
from enum import StrEnum

from controlroom.network.intervals import IntervalSet


class Transport(StrEnum):
    """What carries a flow; exactly one a flow, never two together."""

    TCP = "tcp"
    UDP = "udp"
    ICMPV6 = "icmpv6"


class Origin(StrEnum):
    """Who says that a flow is needed."""

    DOCUMENT = "document"
    OURS = "ours"


class Section(StrEnum):
    """The tables of the document, by their headings."""

    CLIENT = "Enterprise Client required ports"
    CONTROL_ROOM = "Control Room required ports"
    SEARCH = "Open ports on both the Control Room and the IQ Bot servers"
    DATA_CENTRE = "Data center ports and protocols for Automation Anywhere Enterprise"
    AZURE_ELEMENTS = "Microsoft Azure supported data center elements"
    AZURE_PORTS = "Microsoft Azure security policy recommended ports"
    MAIL = "Email server browser ports"


class Placement(StrEnum):
    """Who keeps an element of a cloud running: the owner, the platform, or the identity provider."""

    IAAS = "IaaS"
    PAAS = "PaaS"
    IDAAS = "IDaaS"


class Component(StrEnum):
    """A part of the data centre; a host's roles are components."""

    CONTROL_ROOM = "control-room"
    LOAD_BALANCER = "load-balancer"
    BOT_RUNNER = "bot-runner"
    BOT_CREATOR = "bot-creator"
    BROWSER = "browser"
    API_CLIENT = "api-client"
    BOT_INSIGHT = "bot-insight"
    IQ_BOT = "iq-bot"
    POSTGRESQL = "postgresql"
    SQL_SERVER = "sql-server"
    ORACLE = "oracle"
    DIRECTORY = "directory"
    IDENTITY_PROVIDER = "identity-provider"
    SUBVERSION = "subversion"
    GIT = "git"
    FILE_SHARE = "file-share"
    OBJECT_STORE = "object-store"
    MAIL_SERVER = "mail-server"
    WEBHOOK_RECEIVER = "webhook-receiver"
    PACKAGE_INDEX = "package-index"
    DNS_SERVER = "dns-server"
    TIME_SERVER = "time-server"
    ADMINISTRATOR = "administrator"
    MONITORING = "monitoring"
    TELEMETRY_COLLECTOR = "telemetry-collector"
    LOG_COLLECTOR = "log-collector"
    HOST = "host"
    LINUX_HOST = "linux-host"
    WINDOWS_HOST = "windows-host"


# What every host is by its operating system; nobody writes these as a role.
IMPLIED_COMPONENTS = frozenset({Component.HOST, Component.LINUX_HOST, Component.WINDOWS_HOST})


@dataclass(frozen=True, slots=True)
class PortRow:
    """One row of one of the document's port tables, in the document's own words."""

    key: str
    section: Section
    words: tuple[str, ...]
    protocol: str
    ports: IntervalSet
    subject: str
    peers: tuple[str, ...] = ()
    note: str = ""


@dataclass(frozen=True, slots=True)
class ElementRow:
    """One row of the document's table of elements that it supports on Microsoft Azure."""

    key: str
    words: tuple[str, ...]
    element: str
    versions: tuple[str, ...]
    placements: tuple[Placement, ...]
    component: Component
    section: Section = Section.AZURE_ELEMENTS


@dataclass(frozen=True, slots=True)
class MailRow:
    """One row of the document's table of mail providers."""

    key: str
    words: tuple[str, ...]
    provider: str
    host: str
    ports: IntervalSet
    section: Section = Section.MAIL


@dataclass(frozen=True, slots=True)
class PolicySentence:
    """A sentence of the document that is a rule for everything that follows from the catalogue."""

    key: str
    words: str
    meaning: str


@dataclass(frozen=True, slots=True)
class Service:
    """Something of a component that listens, with its one transport and default ports.

    ``choices`` are the ports that a site may choose instead; ``rows`` are the keys of the document rows that
    demand it, none where it is our own. ``plain`` marks a clear-text service that has an encrypted sibling, and so
    goes away when a site wants TLS only. ``entrance`` marks what a load balancer takes over where there is one.
    """

    name: str
    component: Component
    transport: Transport
    ports: IntervalSet
    application: str
    changeable: str
    rows: tuple[str, ...] = ()
    choices: IntervalSet | None = None
    plain: bool = False
    cluster: bool = False
    entrance: bool = False

    @property
    def origin(self) -> Origin:
        """Say whether the document or our own part demands this service."""
        return Origin.DOCUMENT if self.rows else Origin.OURS


@dataclass(frozen=True, slots=True)
class Condition:
    """A site option that must have one of these values for a flow to arise."""

    option: str
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Flow:
    """One kind of source speaks to one service for one purpose; the source opens the connection."""

    name: str
    source: Component
    service: Service
    purpose: str
    rows: tuple[str, ...] = ()
    when: tuple[Condition, ...] = ()

    @property
    def origin(self) -> Origin:
        """Say whether the document or our own part demands this flow."""
        return Origin.DOCUMENT if self.rows else Origin.OURS

    @property
    def destination(self) -> Component:
        """The component that listens."""
        return self.service.component

    @property
    def transport(self) -> Transport:
        """The one transport that carries the flow."""
        return self.service.transport

    @property
    def direction(self) -> str:
        """Where the port opens, said from both ends."""
        return f"inbound on {self.destination}, outbound on {self.source}"


@dataclass(frozen=True, slots=True)
class LocalSocket:
    """A socket bound to the local host: listed so that it is known, never opened in any firewall."""

    name: str
    component: Component
    transport: Transport
    ports: IntervalSet | None
    purpose: str
