"""Writes a first site from a few answers; it is checked by the parser before anybody sees it."""

import ipaddress
import json
from dataclasses import dataclass

from controlroom.network.errors import BadSite
from controlroom.network.site.parser import parse_site

DATABASES = ("sqlite", "postgresql", "sql-server", "oracle")
IDENTITIES = ("local", "directory", "active-directory", "oidc")
# A /20 holds four zones of a /22 each.
_ZONES = ("front", "nodes", "data", "runners")
_LONGEST_PREFIX = 20


@dataclass(frozen=True, slots=True)
class Answers:
    """What `init` asks for; ``prefix`` is cut into one zone each for balancer, nodes, data and runners."""

    name: str = "site"
    nodes: int = 1
    runners: int = 2
    database: str = "postgresql"
    identity: str = "local"
    prefix: str = "10.0.0.0/16"
    people: str = "192.168.0.0/16"
    administrators: str = "172.16.0.0/28"


def write_site(answers: Answers) -> str:
    """Return a ``site.toml``; raise `BadSite` where the answers do not fit together."""
    _refuse_unknown_choices(answers)
    zones = _zones(answers.prefix)
    lines = [
        f"name = {json.dumps(answers.name, ensure_ascii=False)}",
        "",
        "[options]",
        f'identity = "{answers.identity}"',
        "tls_only = true",
    ]
    if answers.database != "sqlite":
        lines.append(f'database = "{answers.database}"')
    lines += _zone("people", answers.people, "browser", "bot-creator")
    lines += _zone("administrators", answers.administrators, "administrator")
    for zone in _ZONES:
        lines += _zone(zone, str(zones[zone]))
    if answers.nodes > 1:
        entrance = zones["front"].network_address + 10
        lines += [
            "",
            "[balancer.entrance]",
            'zone = "front"',
            f'addresses = ["{entrance}"]',
            'members = ["node"]',
        ]
    lines += _fleet("node", "nodes", zones["nodes"], answers.nodes, "control-room")
    lines += _fleet("runner", "runners", zones["runners"], answers.runners, "bot-runner")
    if answers.database != "sqlite":
        lines += _host("database", zones["data"], 11, answers.database)
    if answers.identity in {"directory", "active-directory"}:
        lines += _host("directory-server", zones["data"], 12, "directory")
    if answers.identity == "oidc":
        lines += _host("sign-in", zones["data"], 12, "identity-provider")
    lines += _host("names", zones["data"], 13, "dns-server", "time-server")
    text = "\n".join(lines) + "\n"
    parse_site(text, file="the answers")
    return text


def _refuse_unknown_choices(answers: Answers) -> None:
    for option, value, choices in (
        ("database", answers.database, DATABASES),
        ("identity", answers.identity, IDENTITIES),
    ):
        if value not in choices:
            raise BadSite(f"{option} {value!r} is not one of {', '.join(choices)}", file="the answers")


def _zones(prefix: str) -> dict[str, ipaddress.IPv4Network]:
    try:
        whole = ipaddress.IPv4Network(prefix)
    except ValueError as error:
        raise BadSite(f"{prefix!r} is not an IPv4 prefix: {error}", file="the answers") from None
    if whole.prefixlen > _LONGEST_PREFIX:
        raise BadSite(f"{prefix} is too small; give a /{_LONGEST_PREFIX} or larger", file="the answers")
    return dict(zip(_ZONES, whole.subnets(prefixlen_diff=2), strict=True))


def _zone(name: str, prefix: str, *roles: str) -> list[str]:
    lines = ["", f"[zone.{name}]", f'prefixes = ["{prefix}"]']
    return [*lines, f"roles = [{_quoted(roles)}]"] if roles else lines


def _fleet(name: str, zone: str, network: ipaddress.IPv4Network, count: int, role: str) -> list[str]:
    first = network.network_address + 11
    address = f"{first}-{first + count - 1}" if count > 1 else f"{first}"
    return ["", f"[fleet.{name}]", f'zone = "{zone}"', f'addresses = ["{address}"]', f'roles = ["{role}"]']


def _host(name: str, network: ipaddress.IPv4Network, number: int, *roles: str) -> list[str]:
    address = network.network_address + number
    return [
        "",
        f"[host.{name}]",
        'zone = "data"',
        f'addresses = ["{address}"]',
        f"roles = [{_quoted(roles)}]",
    ]


def _quoted(roles: tuple[str, ...]) -> str:
    return ", ".join(f'"{role}"' for role in roles)
