"""Every service of the Control Room, its clients and its cluster: what listens, on which default ports.

This folder is the only place of the product where default port numbers stand; the rest asks
`catalogue.default_port`.
"""

from controlroom.network.catalogue.model import Component, LocalSocket, Service, Transport
from controlroom.network.catalogue.neighbours import NEIGHBOUR_SERVICES
from controlroom.network.ports import HIGHEST_PORT, LOWEST_PORT, ports

TCP = Transport.TCP
_ANY_PORT = ports((LOWEST_PORT, HIGHEST_PORT))
_AT_INSTALLATION = "Control Room installation"
_BALANCER = "balancer and Control Room installation"

_ENTRANCE = (
    Service(
        "control-room-http",
        Component.CONTROL_ROOM,
        TCP,
        ports(80),
        "HTTP",
        _BALANCER,
        ("control-room-http", "balancer-http", "firewall-http", "azure-control-room"),
        _ANY_PORT,
        plain=True,
        entrance=True,
    ),
    Service(
        "control-room-https",
        Component.CONTROL_ROOM,
        TCP,
        ports(443),
        "HTTPS and WebSocket",
        _BALANCER,
        ("control-room-https", "balancer-https", "firewall-https", "azure-control-room"),
        _ANY_PORT,
        entrance=True,
    ),
    Service(
        "control-room-web",
        Component.CONTROL_ROOM,
        TCP,
        ports(8080),
        "HTTP and WebSocket of one node",
        "setting CONTROLROOM_PORT",
        choices=_ANY_PORT,
    ),
)

_CLIENTS = (
    Service(
        "client-internal",
        Component.BOT_RUNNER,
        TCP,
        ports(943, 4530),
        "client internal communication",
        "nowhere",
        ("client-internal",),
    ),
    Service(
        "rdp",
        Component.BOT_RUNNER,
        TCP,
        ports(3389),
        "RDP",
        "the operating system of the client",
        ("client-rdp",),
        _ANY_PORT,
    ),
)

_CLUSTER = (
    Service(
        "cluster-messaging",
        Component.CONTROL_ROOM,
        TCP,
        ports(5672),
        "AMQP 0-9-1",
        _AT_INSTALLATION,
        ("control-room-messaging",),
        _ANY_PORT,
        cluster=True,
    ),
    Service(
        "cluster-caching-data",
        Component.CONTROL_ROOM,
        TCP,
        ports((47100, 47200)),
        "Redis Cluster data",
        _AT_INSTALLATION,
        ("control-room-caching-data",),
        _ANY_PORT,
        cluster=True,
    ),
    Service(
        "cluster-caching-bus",
        Component.CONTROL_ROOM,
        TCP,
        ports((47500, 47598)),
        "Redis Cluster bus between peers",
        _AT_INSTALLATION,
        ("control-room-caching-bus",),
        _ANY_PORT,
        cluster=True,
    ),
    Service(
        "erlang-port-mapper",
        Component.CONTROL_ROOM,
        TCP,
        ports(4369),
        "Erlang port mapper between RabbitMQ peers",
        "variable ERL_EPMD_PORT of RabbitMQ",
        choices=_ANY_PORT,
        cluster=True,
    ),
    Service(
        "erlang-distribution",
        Component.CONTROL_ROOM,
        TCP,
        ports(25672),
        "Erlang distribution between RabbitMQ peers",
        "variable RABBITMQ_DIST_PORT of RabbitMQ",
        choices=_ANY_PORT,
        cluster=True,
    ),
    Service(
        "search-http",
        Component.CONTROL_ROOM,
        TCP,
        ports(47599),
        "Elasticsearch or OpenSearch HTTP",
        _AT_INSTALLATION,
        ("search-http",),
        _ANY_PORT,
        cluster=True,
    ),
    Service(
        "search-transport",
        Component.CONTROL_ROOM,
        TCP,
        ports(47600),
        "Elasticsearch or OpenSearch transport",
        _AT_INSTALLATION,
        ("search-transport",),
        _ANY_PORT,
        cluster=True,
    ),
    Service(
        "iq-search-http",
        Component.IQ_BOT,
        TCP,
        ports(47599),
        "Elasticsearch or OpenSearch HTTP",
        _AT_INSTALLATION,
        ("search-http",),
        _ANY_PORT,
        cluster=True,
    ),
    Service(
        "iq-search-transport",
        Component.IQ_BOT,
        TCP,
        ports(47600),
        "Elasticsearch or OpenSearch transport",
        _AT_INSTALLATION,
        ("search-transport",),
        _ANY_PORT,
        cluster=True,
    ),
)

SERVICES = (*_ENTRANCE, *_CLIENTS, *_CLUSTER, *NEIGHBOUR_SERVICES)

LOCAL_SOCKETS = (
    LocalSocket(
        "node-behind-proxy",
        Component.CONTROL_ROOM,
        TCP,
        ports(8080),
        "the node's web server, where a proxy on the same machine stands before it",
    ),
    LocalSocket(
        "broker-management",
        Component.CONTROL_ROOM,
        TCP,
        ports(15672),
        "the management pages of RabbitMQ, for the administrator on the machine",
    ),
    LocalSocket(
        "bot-channel",
        Component.BOT_RUNNER,
        TCP,
        None,
        "the channel between the runner and the bot that it runs; the port is assigned dynamically",
    ),
    LocalSocket(
        "recorder",
        Component.BOT_CREATOR,
        TCP,
        None,
        "the recorder's channel to the browser that it records; the port is assigned dynamically",
    ),
)
