"""Every row of the port tables of "Control Room ports, protocols, and firewall requirements", in its own words.

``words`` are the document's lines, unchanged. What the product makes of a row stands in `services` and `flows`.
"""

from controlroom.network.catalogue.model import PortRow, Section
from controlroom.network.ports import HIGHEST_PORT, LOWEST_PORT, ports

TITLE = "Control Room ports, protocols, and firewall requirements"

_WEB_PEERS = ("Web browsers", "Bot Runners", "Bot Creators")
_SERVICES = ("Control Room Services",)
_OVERRIDE = "Override default at Control Room installation."

CLIENT_ROWS = (
    PortRow(
        "client-internal",
        Section.CLIENT,
        ("TCP 943 and 4530 Client inbound", "Used for client internal communication"),
        "TCP",
        ports(943, 4530),
        "Client inbound",
        note="Used for client internal communication",
    ),
    PortRow(
        "client-smtp",
        Section.CLIENT,
        ("SMTP 1 through 65535 Client SMTP outbound", "The destination SMTP port can be manually configured"),
        "SMTP",
        ports((LOWEST_PORT, HIGHEST_PORT)),
        "Client SMTP outbound",
        note="The destination SMTP port can be manually configured",
    ),
    PortRow("client-rdp", Section.CLIENT, ("RDP 3389 Client inbound",), "RDP", ports(3389), "Client inbound"),
)

CONTROL_ROOM_ROWS = (
    PortRow(
        "control-room-http",
        Section.CONTROL_ROOM,
        ("HTTP 80 HTTP", *_WEB_PEERS),
        "HTTP",
        ports(80),
        "HTTP",
        _WEB_PEERS,
    ),
    PortRow(
        "control-room-https",
        Section.CONTROL_ROOM,
        ("HTTPS 443", "HTTPS and", "Web Socket", *_WEB_PEERS),
        "HTTPS",
        ports(443),
        "HTTPS and Web Socket",
        _WEB_PEERS,
    ),
    PortRow(
        "control-room-sql-server",
        Section.CONTROL_ROOM,
        ("TCP 1433 Microsoft SQL Server Control Room Services", "Bot Insight services"),
        "TCP",
        ports(1433),
        "Microsoft SQL Server",
        (*_SERVICES, "Bot Insight services"),
    ),
    PortRow(
        "control-room-messaging",
        Section.CONTROL_ROOM,
        ("TCP 5672 Cluster Messaging Control Room Services",),
        "TCP",
        ports(5672),
        "Cluster Messaging",
        _SERVICES,
    ),
    PortRow(
        "control-room-caching-bus",
        Section.CONTROL_ROOM,
        ("TCP 47500 – 47598", "Cluster Messaging and", "Caching", "Control Room Services"),
        "TCP",
        ports((47500, 47598)),
        "Cluster Messaging and Caching",
        _SERVICES,
    ),
    PortRow(
        "control-room-caching-data",
        Section.CONTROL_ROOM,
        ("TCP 47100 – 47200", "Cluster Messaging and", "Caching", "Control Room Services"),
        "TCP",
        ports((47100, 47200)),
        "Cluster Messaging and Caching",
        _SERVICES,
    ),
)

SEARCH_ROWS = (
    PortRow(
        "search-http",
        Section.SEARCH,
        ("HTTP 47599 Elasticsearch Control Room Services",),
        "HTTP",
        ports(47599),
        "Elasticsearch",
        _SERVICES,
    ),
    PortRow(
        "search-transport",
        Section.SEARCH,
        ("TCP 47600 Elasticsearch Control Room Services",),
        "TCP",
        ports(47600),
        "Elasticsearch",
        _SERVICES,
    ),
)

_BALANCER, _FIREWALL, _DIRECTORY, _SVN = (
    "Load balancer",
    "Firewall",
    "Enterprise identity management",
    "Subversion server",
)
_HTTPS = "HTTPS and web socket"
_SVN_NOTE = "Change default from Control Room Settings page."

DATA_CENTRE_ROWS = (
    PortRow(
        "balancer-https",
        Section.DATA_CENTRE,
        ("Load balancer 443 HTTPS and web socket",),
        _HTTPS,
        ports(443),
        _BALANCER,
    ),
    PortRow("balancer-http", Section.DATA_CENTRE, ("80", "HTTP"), "HTTP", ports(80), _BALANCER),
    PortRow(
        "firewall-https",
        Section.DATA_CENTRE,
        ("Firewall 443 HTTPS and web socket",),
        _HTTPS,
        ports(443),
        _FIREWALL,
    ),
    PortRow("firewall-http", Section.DATA_CENTRE, ("80", "HTTP"), "HTTP", ports(80), _FIREWALL),
    PortRow(
        "directory-ldap",
        Section.DATA_CENTRE,
        (
            "Enterprise identity management",
            "Example: Active Directory ports",
            "389 TCP (LDAP)",
        ),
        "TCP (LDAP)",
        ports(389),
        _DIRECTORY,
        note="Example: Active Directory ports",
    ),
    PortRow(
        "directory-ldaps",
        Section.DATA_CENTRE,
        ("636", "TCP (LDAP SSL)"),
        "TCP (LDAP SSL)",
        ports(636),
        _DIRECTORY,
    ),
    PortRow(
        "directory-catalogue",
        Section.DATA_CENTRE,
        ("3268", "TCP (LDAP Global controller)"),
        "TCP (LDAP Global controller)",
        ports(3268),
        _DIRECTORY,
    ),
    PortRow(
        "directory-catalogue-tls",
        Section.DATA_CENTRE,
        ("3269", "TCP (LDAP Global controller SSL)"),
        "TCP (LDAP Global controller SSL)",
        ports(3269),
        _DIRECTORY,
    ),
    PortRow(
        "directory-kerberos",
        Section.DATA_CENTRE,
        ("88", "TCP and UDP (Kerberos)"),
        "TCP and UDP (Kerberos)",
        ports(88),
        _DIRECTORY,
    ),
    PortRow(
        "subversion-https",
        Section.DATA_CENTRE,
        ("Subversion server 443 HTTPS and web socket Change default from Control Room Settings page.",),
        _HTTPS,
        ports(443),
        _SVN,
        note=_SVN_NOTE,
    ),
    PortRow("subversion-http", Section.DATA_CENTRE, ("80", "HTTP"), "HTTP", ports(80), _SVN),
    PortRow(
        "file-share",
        Section.DATA_CENTRE,
        ("Microsoft SMB file share 445 TCP",),
        "TCP",
        ports(445),
        "Microsoft SMB file share",
    ),
    PortRow(
        "postgresql",
        Section.DATA_CENTRE,
        (f"Postgre SQL 5432 TCP {_OVERRIDE}",),
        "TCP",
        ports(5432),
        "Postgre SQL",
        note=_OVERRIDE,
    ),
    PortRow(
        "sql-server",
        Section.DATA_CENTRE,
        (f"Microsoft SQL database server 1433 TCP {_OVERRIDE}",),
        "TCP",
        ports(1433),
        "Microsoft SQL database server",
        note=_OVERRIDE,
    ),
    PortRow(
        "oracle",
        Section.DATA_CENTRE,
        (f"Oracle database server 1521 TCP {_OVERRIDE}",),
        "TCP",
        ports(1521),
        "Oracle database server",
        note=_OVERRIDE,
    ),
)

_AZURE = Section.AZURE_PORTS
AZURE_PORT_ROWS = (
    PortRow(
        "azure-control-room", _AZURE, ("Control Room 80, 443 Any",), "Any", ports(80, 443), "Control Room"
    ),
    PortRow(
        "azure-directory",
        _AZURE,
        ("Azure Active Directory 53, 389 Any",),
        "Any",
        ports(53, 389),
        "Azure Active Directory",
    ),
    PortRow("azure-ldap", _AZURE, ("LDAP 3268, 3269 Any",), "Any", ports(3268, 3269), "LDAP"),
    PortRow("azure-smtp", _AZURE, ("email SMTP 587 Any",), "Any", ports(587), "email SMTP"),
    PortRow("azure-ssh", _AZURE, ("SSH 22 Any",), "Any", ports(22), "SSH"),
    PortRow("azure-rdp", _AZURE, ("RDP 3389 TCP",), "TCP", ports(3389), "RDP"),
)

PORT_ROWS = (*CLIENT_ROWS, *CONTROL_ROOM_ROWS, *SEARCH_ROWS, *DATA_CENTRE_ROWS, *AZURE_PORT_ROWS)
