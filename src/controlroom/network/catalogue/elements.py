"""The document's tables of Azure elements and mail providers, and the sentences that are policy."""

from controlroom.network.catalogue.model import (
    Component,
    ElementRow,
    MailRow,
    Placement,
    PolicySentence,
)
from controlroom.network.ports import HIGHEST_PORT, LOWEST_PORT, ports

_WINDOWS = ("Windows Server 2016", "Windows Server 2019", "Windows Server 2012 R2")
_AZURE_SQL = "Azure SQL Database (Microsoft SQL Azure (RTM) - 12.0.2000.8) (PaaS)"
_AZURE_SQL_KINDS = (
    "Azure SQL database includes both single databases and databases deployed to an elastic pool."
)
_AZURE_SQL_IAAS = "Microsoft SQL Server 2016 or 2017 supports (IaaS)"

ELEMENT_ROWS = (
    ElementRow(
        "azure-control-room-system",
        ("Control Room operating system", *_WINDOWS, "IaaS"),
        "Control Room operating system",
        _WINDOWS,
        (Placement.IAAS,),
        Component.CONTROL_ROOM,
    ),
    ElementRow(
        "azure-client-system",
        ("Enterprise Client operating system", *_WINDOWS, "IaaS"),
        "Enterprise Client operating system",
        _WINDOWS,
        (Placement.IAAS,),
        Component.BOT_RUNNER,
    ),
    ElementRow(
        "azure-identity",
        (
            "Identity management: Azure Active Directory",
            "Azure Active Directory",
            "IDaaS",
            "Windows 2016 for IaaS",
        ),
        "Identity management: Azure Active Directory",
        ("Azure Active Directory", "Windows 2016 for IaaS"),
        (Placement.IDAAS, Placement.IAAS),
        Component.DIRECTORY,
    ),
    ElementRow(
        "azure-file-share",
        ("SMB File Share Azure File Share PaaS or IaaS",),
        "SMB File Share",
        ("Azure File Share",),
        (Placement.PAAS, Placement.IAAS),
        Component.FILE_SHARE,
    ),
    ElementRow(
        "azure-balancer",
        ("Load Balancer Azure Load Balancer PaaS",),
        "Load Balancer",
        ("Azure Load Balancer",),
        (Placement.PAAS,),
        Component.LOAD_BALANCER,
    ),
    ElementRow(
        "azure-postgresql",
        ("PostgreSQL Server Azure PostgreSQL (9.5.14 and SSL Disabled) PaaS or IaaS",),
        "PostgreSQL Server",
        ("Azure PostgreSQL (9.5.14 and SSL Disabled)",),
        (Placement.PAAS, Placement.IAAS),
        Component.POSTGRESQL,
    ),
    ElementRow(
        "azure-sql-server",
        ("Microsoft SQL Server", _AZURE_SQL, f"• {_AZURE_SQL_KINDS}", f"• {_AZURE_SQL_IAAS}", "PaaS"),
        "Microsoft SQL Server",
        (_AZURE_SQL, _AZURE_SQL_KINDS, _AZURE_SQL_IAAS),
        (Placement.PAAS, Placement.IAAS),
        Component.SQL_SERVER,
    ),
    ElementRow(
        "azure-subversion",
        ("Subversion server Bitnami Subversion 1.10.0-0 (Linux) IaaS",),
        "Subversion server",
        ("Bitnami Subversion 1.10.0-0 (Linux)",),
        (Placement.IAAS,),
        Component.SUBVERSION,
    ),
)

MAIL_ROWS = (
    MailRow(
        "mail-outlook",
        ("Outlook/Office 365 smtp-mail.outlook.com 25, 587",),
        "Outlook/Office 365",
        "smtp-mail.outlook.com",
        ports(25, 587),
    ),
    MailRow("mail-gmail", ("Gmail smtp.gmail.com 465, 587",), "Gmail", "smtp.gmail.com", ports(465, 587)),
    MailRow(
        "mail-yahoo", ("Yahoo smtp.mail.yahoo.com 25, 465",), "Yahoo", "smtp.mail.yahoo.com", ports(25, 465)
    ),
    MailRow("mail-hotmail", ("Hotmail smtp.live.com 587",), "Hotmail", "smtp.live.com", ports(587)),
    MailRow(
        "mail-client",
        ("Enterprise Client client_host_name 1 - 65535",),
        "Enterprise Client",
        "client_host_name",
        ports((LOWEST_PORT, HIGHEST_PORT)),
    ),
)

CLUSTER_SENTENCE = PolicySentence(
    "cluster-only-between-control-rooms",
    "Therefore, excepting the Control Room servers, block all other network hosts from accessing the listed "
    "Automation Anywhere cluster communication ports.",
    "Cluster ports are open only from one Control Room server to another; every other host is refused.",
)
LOCAL_SENTENCE = PolicySentence(
    "local-ports-stay-local",
    "The open ports listed here do not include ports that are inaccessible to remote hosts, as they are bound to "
    "the local host and typically dynamically assigned.",
    "What is bound to the local host is listed apart and never opened in any firewall.",
)
POLICY_SENTENCES = (CLUSTER_SENTENCE, LOCAL_SENTENCE)
