"""Small sites and shortcuts that the tests of network devices share."""

import json
from pathlib import Path

from controlroom.network.analysis import Program
from controlroom.network.policy import derive_policy
from controlroom.network.projection import Direction, Projection, Projector
from controlroom.network.renderers import renderer
from controlroom.network.rulesets import Ruleset, RulesetText, parse_ruleset
from controlroom.network.site import parse_site, read_site

EXAMPLES = Path(__file__).resolve().parents[3] / "examples" / "network"
TARGETS = ("cisco-ios", "cisco-asa", "palo-alto", "fortigate")

HEAD = """\
[options]
identity = "local"
database = "sqlite"
messaging = "memory"
cache = "memory"
search = "sql"
management = "console"
[zone.a]
prefixes = ["10.1.0.0/16", "2001:db8:1::/48"]
[zone.b]
prefixes = ["10.2.0.0/16", "2001:db8:2::/48"]
[host.cr]
zone = "b"
addresses = ["10.2.255.1"]
roles = ["control-room"]
"""


def example(name: str = "five-nodes") -> Projector:
    """Return the projector of one of the example sites."""
    return Projector(derive_policy(read_site(EXAMPLES / f"{name}.toml")))


def border_of(body: str, first: str = "a", second: str = "b") -> Projection:
    """Return the border of a small site of two zones, ``a`` and ``b``; the body declares hosts and flows."""
    return Projector(derive_policy(parse_site(HEAD + body))).border(first, second)


def host(name: str, zone: str, addresses: str, roles: str = "") -> str:
    quoted = ", ".join(f'"{one}"' for one in addresses.split())
    return f'[host."{name}"]\nzone = "{zone}"\naddresses = [{quoted}]\nroles = [{roles}]\n'


def flow(
    name: str, source: str, destination: str, ports: str, protocol: str = "tcp", purpose: str = "a purpose"
) -> str:
    text = json.dumps(purpose, ensure_ascii=False)
    sides = f'from = ["{source}"]\nto = ["{destination}"]'
    return f'[flow."{name}"]\n{sides}\nprotocol = "{protocol}"\nports = "{ports}"\npurpose = {text}\n'


TWO = host("x", "a", "10.1.0.1 2001:db8:1::1") + host("y", "b", "10.2.0.1 2001:db8:2::1")


def rules_text(target: str, projection: Projection) -> str:
    (text,) = (file.text for file in renderer(target).render(projection).files if file.is_rules)
    return text


def beside(target: str, projection: Projection, ending: str) -> str:
    """Return a file beside the rules by how its name ends."""
    files = renderer(target).render(projection).files
    return next(file.text for file in files if not file.is_rules and ending in file.name)


def read(text: str, format_name: str = "") -> Ruleset:
    return parse_ruleset((RulesetText("held", text),), format_name=format_name)


def crossing(text: str, format_name: str = "") -> Program:
    """Return what a configuration does with packets that cross it."""
    return read(text, format_name).programs[Direction.FORWARD]
