"""Every flow: who speaks to which service, why, and by which row of the document or as our own addition."""

from controlroom.network.catalogue.model import Component, Condition, Flow, Service
from controlroom.network.catalogue.services import SERVICES

C = Component
_SERVICES = {service.name: service for service in SERVICES}

_RABBITMQ = Condition("messaging", ("rabbitmq",))
_REDIS = Condition("cache", ("redis",))
_SEARCH = Condition("search", ("opensearch",))
_DIRECTORY = Condition("identity", ("directory", "active-directory"))
_ACTIVE_DIRECTORY = Condition("identity", ("active-directory",))


def _flow(
    name: str,
    source: Component,
    service: str,
    purpose: str,
    *when: Condition,
    rows: tuple[str, ...] | None = None,
) -> Flow:
    # A flow answers to the rows of its service unless it names its own; an empty tuple makes it ours.
    served: Service = _SERVICES[service]
    return Flow(name, source, served, purpose, served.rows if rows is None else rows, when)


_ENTRANCE = (
    _flow(
        "browser-http",
        C.BROWSER,
        "control-room-http",
        "People open the Control Room and are sent on to HTTPS",
    ),
    _flow(
        "browser-https", C.BROWSER, "control-room-https", "People work in the Control Room, with live pages"
    ),
    _flow("runner-http", C.BOT_RUNNER, "control-room-http", "Bot Runners reach a Control Room without TLS"),
    _flow(
        "runner-link",
        C.BOT_RUNNER,
        "control-room-https",
        "Bot Runners hold their one link: WebSocket, or HTTPS long-poll behind a proxy",
    ),
    _flow(
        "creator-http", C.BOT_CREATOR, "control-room-http", "Bot Creators reach a Control Room without TLS"
    ),
    _flow("creator-https", C.BOT_CREATOR, "control-room-https", "Bot Creators publish and fetch bots"),
    _flow("api-https", C.API_CLIENT, "control-room-https", "Other systems call the REST API", rows=()),
    _flow(
        "iq-https", C.IQ_BOT, "control-room-https", "IQ Bot fetches documents and returns results", rows=()
    ),
    _flow("balancer-web", C.LOAD_BALANCER, "control-room-web", "The load balancer passes requests to a node"),
    _flow("metrics", C.MONITORING, "control-room-web", "Monitoring reads each node's health and metrics"),
)

_CLIENTS = (
    _flow(
        "client-internal",
        C.BOT_RUNNER,
        "client-internal",
        "Older clients talk among themselves; our own runner does not need it",
        Condition("client_internal", ("true",)),
    ),
    _flow(
        "rdp-session",
        C.CONTROL_ROOM,
        "rdp",
        "The Control Room opens a desktop session on a Bot Runner",
        Condition("rdp_sessions", ("true",)),
    ),
)

_CLUSTER = (
    _flow(
        "cluster-messaging",
        C.CONTROL_ROOM,
        "cluster-messaging",
        "Nodes wake each other by messages",
        _RABBITMQ,
    ),
    _flow(
        "cluster-caching-data",
        C.CONTROL_ROOM,
        "cluster-caching-data",
        "Nodes share presence and sessions",
        _REDIS,
    ),
    _flow(
        "cluster-caching-bus", C.CONTROL_ROOM, "cluster-caching-bus", "Cache peers find each other", _REDIS
    ),
    _flow(
        "erlang-port-mapper", C.CONTROL_ROOM, "erlang-port-mapper", "Broker peers find each other", _RABBITMQ
    ),
    _flow(
        "erlang-distribution",
        C.CONTROL_ROOM,
        "erlang-distribution",
        "Broker peers replicate queues",
        _RABBITMQ,
    ),
    _flow("search-http", C.CONTROL_ROOM, "search-http", "Nodes search the audit log", _SEARCH),
    _flow(
        "search-transport", C.CONTROL_ROOM, "search-transport", "Search peers replicate the index", _SEARCH
    ),
    _flow("iq-search-http", C.CONTROL_ROOM, "iq-search-http", "Nodes search on the IQ Bot servers", _SEARCH),
    _flow(
        "iq-search-transport",
        C.CONTROL_ROOM,
        "iq-search-transport",
        "The index replicates to the IQ Bot servers",
        _SEARCH,
    ),
)

_DATABASES = (
    _flow(
        "database-postgresql",
        C.CONTROL_ROOM,
        "postgresql",
        "The Control Room keeps its state",
        Condition("database", ("any", "postgresql")),
    ),
    _flow(
        "database-sql-server",
        C.CONTROL_ROOM,
        "sql-server",
        "The Control Room keeps its state",
        Condition("database", ("any", "sql-server")),
    ),
    _flow(
        "database-oracle",
        C.CONTROL_ROOM,
        "oracle",
        "The Control Room keeps its state",
        Condition("database", ("any", "oracle")),
    ),
    _flow(
        "insight-sql-server",
        C.BOT_INSIGHT,
        "sql-server",
        "Bot Insight reads what bots measured",
        Condition("database", ("any", "sql-server")),
        rows=("control-room-sql-server",),
    ),
    _flow(
        "insight-postgresql",
        C.BOT_INSIGHT,
        "postgresql",
        "Bot Insight reads what bots measured",
        Condition("database", ("any", "postgresql")),
        rows=(),
    ),
)

_DIRECTORY_FLOWS = (
    _flow("directory-ldap", C.CONTROL_ROOM, "ldap", "Users are looked up and signed in", _DIRECTORY),
    _flow(
        "directory-ldaps", C.CONTROL_ROOM, "ldaps", "Users are looked up and signed in over TLS", _DIRECTORY
    ),
    _flow(
        "directory-catalogue",
        C.CONTROL_ROOM,
        "global-catalogue",
        "Users of the whole forest are found",
        _ACTIVE_DIRECTORY,
    ),
    _flow(
        "directory-catalogue-tls",
        C.CONTROL_ROOM,
        "global-catalogue-tls",
        "Users of the whole forest are found over TLS",
        _ACTIVE_DIRECTORY,
    ),
    _flow("kerberos-tcp", C.CONTROL_ROOM, "kerberos-tcp", "Single sign-on, large tickets", _ACTIVE_DIRECTORY),
    _flow("kerberos-udp", C.CONTROL_ROOM, "kerberos-udp", "Single sign-on", _ACTIVE_DIRECTORY),
    _flow(
        "oidc", C.CONTROL_ROOM, "oidc", "Users sign in by OpenID Connect", Condition("identity", ("oidc",))
    ),
)

_STORES = (
    _flow(
        "subversion-https",
        C.CONTROL_ROOM,
        "subversion-https",
        "Bots are kept under version control",
        Condition("subversion", ("http",)),
    ),
    _flow(
        "subversion-http",
        C.CONTROL_ROOM,
        "subversion-http",
        "Bots are kept under version control without TLS",
        Condition("subversion", ("http",)),
    ),
    _flow(
        "subversion-svnserve",
        C.CONTROL_ROOM,
        "svnserve",
        "Bots are kept under version control by svnserve",
        Condition("subversion", ("svnserve",)),
    ),
    _flow("git-https", C.CONTROL_ROOM, "git-https", "Bots are kept under version control by Git"),
    _flow("file-share", C.CONTROL_ROOM, "smb", "Packages and artifacts are shared by the nodes"),
    _flow(
        "object-store", C.CONTROL_ROOM, "object-store", "Packages and artifacts are kept in an object store"
    ),
    _flow("runner-packages", C.BOT_RUNNER, "package-index", "Runners build the environments of bots"),
)

_MAIL = (
    _flow("runner-mail", C.BOT_RUNNER, "smtp", "Bots send mail"),
    _flow("creator-mail", C.BOT_CREATOR, "smtp", "Bots that are being written send mail"),
    _flow("notice-mail", C.CONTROL_ROOM, "smtp", "The Control Room sends notices", rows=("azure-smtp",)),
    _flow("runner-imap", C.BOT_RUNNER, "imaps", "Bots read mail", Condition("read_mail", ("true",))),
    _flow("webhook", C.CONTROL_ROOM, "webhook", "The Control Room tells other systems what happened"),
)

_GROUND = (
    _flow("dns-udp", C.HOST, "dns-udp", "Names are resolved"),
    _flow("dns-tcp", C.HOST, "dns-tcp", "Names are resolved, large answers"),
    _flow("time", C.HOST, "ntp", "Clocks are kept right: leases and Kerberos need it"),
    _flow("management-ssh", C.ADMINISTRATOR, "ssh", "Administrators manage Linux hosts"),
    _flow("management-rdp", C.ADMINISTRATOR, "remote-desktop", "Administrators manage Windows hosts"),
    _flow("telemetry", C.CONTROL_ROOM, "telemetry", "Traces and metrics are handed to a collector"),
    _flow("audit-syslog", C.CONTROL_ROOM, "syslog-tls", "Audit entries are kept elsewhere as well"),
)

FLOWS = (*_ENTRANCE, *_CLIENTS, *_CLUSTER, *_DATABASES, *_DIRECTORY_FLOWS, *_STORES, *_MAIL, *_GROUND)
