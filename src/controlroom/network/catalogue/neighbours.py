"""The services of the data centre around the Control Room: databases, directory, stores, mail, names and time."""

from controlroom.network.catalogue.model import Component, Service, Transport
from controlroom.network.ports import HIGHEST_PORT, LOWEST_PORT, ports

TCP, UDP = Transport.TCP, Transport.UDP
_ANY_PORT = ports((LOWEST_PORT, HIGHEST_PORT))

_AT_INSTALLATION = "Control Room installation"
_SETTINGS_PAGE = "Control Room Settings page"
_THERE = "the server itself"
_FIXED = "nowhere: the protocol fixes it"

_DATABASES = (
    Service(
        "postgresql",
        Component.POSTGRESQL,
        TCP,
        ports(5432),
        "PostgreSQL",
        _AT_INSTALLATION,
        ("postgresql",),
        _ANY_PORT,
    ),
    Service(
        "sql-server",
        Component.SQL_SERVER,
        TCP,
        ports(1433),
        "TDS of Microsoft SQL Server",
        _AT_INSTALLATION,
        ("control-room-sql-server", "sql-server"),
        _ANY_PORT,
    ),
    Service(
        "oracle",
        Component.ORACLE,
        TCP,
        ports(1521),
        "Oracle TNS",
        _AT_INSTALLATION,
        ("oracle",),
        _ANY_PORT,
    ),
)

_DIRECTORY = (
    Service(
        "ldap",
        Component.DIRECTORY,
        TCP,
        ports(389),
        "LDAP",
        _THERE,
        ("directory-ldap", "azure-directory"),
        _ANY_PORT,
        plain=True,
    ),
    Service(
        "ldaps",
        Component.DIRECTORY,
        TCP,
        ports(636),
        "LDAP over TLS",
        _THERE,
        ("directory-ldaps",),
        _ANY_PORT,
    ),
    Service(
        "global-catalogue",
        Component.DIRECTORY,
        TCP,
        ports(3268),
        "LDAP global catalogue",
        _FIXED,
        ("directory-catalogue", "azure-ldap"),
        plain=True,
    ),
    Service(
        "global-catalogue-tls",
        Component.DIRECTORY,
        TCP,
        ports(3269),
        "LDAP global catalogue over TLS",
        _FIXED,
        ("directory-catalogue-tls", "azure-ldap"),
    ),
    Service("kerberos-tcp", Component.DIRECTORY, TCP, ports(88), "Kerberos", _FIXED, ("directory-kerberos",)),
    Service("kerberos-udp", Component.DIRECTORY, UDP, ports(88), "Kerberos", _FIXED, ("directory-kerberos",)),
    Service(
        "oidc",
        Component.IDENTITY_PROVIDER,
        TCP,
        ports(443),
        "HTTPS, OpenID Connect",
        _THERE,
        choices=_ANY_PORT,
    ),
)

_STORES = (
    Service(
        "subversion-https",
        Component.SUBVERSION,
        TCP,
        ports(443),
        "HTTPS and WebSocket",
        _SETTINGS_PAGE,
        ("subversion-https",),
        _ANY_PORT,
    ),
    Service(
        "subversion-http",
        Component.SUBVERSION,
        TCP,
        ports(80),
        "HTTP",
        _SETTINGS_PAGE,
        ("subversion-http",),
        _ANY_PORT,
        plain=True,
    ),
    Service(
        "svnserve", Component.SUBVERSION, TCP, ports(3690), "svnserve", _THERE, choices=_ANY_PORT, plain=True
    ),
    Service("git-https", Component.GIT, TCP, ports(443), "HTTPS, Git", _THERE, choices=_ANY_PORT),
    Service("smb", Component.FILE_SHARE, TCP, ports(445), "SMB", _FIXED, ("file-share",)),
    Service(
        "object-store",
        Component.OBJECT_STORE,
        TCP,
        ports(443),
        "HTTPS, object store",
        _THERE,
        choices=_ANY_PORT,
    ),
    Service(
        "package-index",
        Component.PACKAGE_INDEX,
        TCP,
        ports(443),
        "HTTPS, package index",
        _THERE,
        choices=_ANY_PORT,
    ),
)

_MAIL = (
    Service(
        "smtp",
        Component.MAIL_SERVER,
        TCP,
        ports(587),
        "SMTP",
        "settings of the Control Room and of the bot",
        ("client-smtp", "azure-smtp"),
        _ANY_PORT,
    ),
    Service(
        "imaps",
        Component.MAIL_SERVER,
        TCP,
        ports(993),
        "IMAP over TLS",
        "settings of the bot",
        choices=_ANY_PORT,
    ),
    Service(
        "webhook",
        Component.WEBHOOK_RECEIVER,
        TCP,
        ports(443),
        "HTTPS, webhook",
        "the address of the webhook",
        choices=_ANY_PORT,
    ),
)

_GROUND = (
    Service("dns-udp", Component.DNS_SERVER, UDP, ports(53), "DNS", _FIXED, ("azure-directory",)),
    Service("dns-tcp", Component.DNS_SERVER, TCP, ports(53), "DNS", _FIXED, ("azure-directory",)),
    Service("ntp", Component.TIME_SERVER, UDP, ports(123), "NTP", _FIXED),
    Service("ssh", Component.LINUX_HOST, TCP, ports(22), "SSH", _THERE, ("azure-ssh",), _ANY_PORT),
    Service(
        "remote-desktop", Component.WINDOWS_HOST, TCP, ports(3389), "RDP", _THERE, ("azure-rdp",), _ANY_PORT
    ),
    Service(
        "telemetry",
        Component.TELEMETRY_COLLECTOR,
        TCP,
        ports(4318),
        "OpenTelemetry over HTTP",
        "variable OTEL_EXPORTER_OTLP_ENDPOINT",
        choices=_ANY_PORT,
    ),
    Service(
        "syslog-tls",
        Component.LOG_COLLECTOR,
        TCP,
        ports(6514),
        "syslog over TLS (RFC 5425)",
        "setting CONTROLROOM_AUDIT_SYSLOG_PORT",
        choices=_ANY_PORT,
    ),
)

NEIGHBOUR_SERVICES = (*_DATABASES, *_DIRECTORY, *_STORES, *_MAIL, *_GROUND)
