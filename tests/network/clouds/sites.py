"""Small sites and shortcuts that the tests of clouds share."""

from pathlib import Path

from controlroom.network.policy import derive_policy
from controlroom.network.projection import Projection, Projector
from controlroom.network.renderers import renderer
from controlroom.network.rulesets import Ruleset, RulesetText, parse_ruleset
from controlroom.network.site import parse_site, read_site

TARGETS = [
    "aws-cloudformation",
    "aws-terraform",
    "azure-arm",
    "azure-bicep",
    "azure-terraform",
    "gcp-terraform",
    "kubernetes",
    "kubernetes-single-ports",
]
AZURE = [target for target in TARGETS if target.startswith("azure")]

HEAD = """\
[options]
identity = "local"
database = "sqlite"
messaging = "memory"
cache = "memory"
search = "sql"
management = "console"
#
[zone.z]
prefixes = ["10.0.0.0/8", "2001:db8::/32"]
"""


# Every site has one; it stands apart from the host that a test looks at.
CONTROL_ROOM = '[host.cr]\nzone = "z"\naddresses = ["10.255.0.1"]\nroles = ["control-room"]\n'


def projector_of(path: Path) -> Projector:
    return Projector(derive_policy(read_site(path)))


def projection_of(body: str, host: str = "h", *, options: str = "", identity: str = "local") -> Projection:
    """Return what a host of a small site sees; the body declares hosts and flows in zone ``z``."""
    if '"control-room"' not in body:
        body += CONTROL_ROOM
    return Projector(
        derive_policy(parse_site(HEAD.replace("#", options).replace('"local"', f'"{identity}"') + body))
    ).host(host)


def host(name: str, addresses: str, roles: str = "") -> str:
    quoted = ", ".join(f'"{one}"' for one in addresses.split())
    return f'[host.{name}]\nzone = "z"\naddresses = [{quoted}]\nroles = [{roles}]\n'


def flow(name: str, source: str, destination: str, ports: str, purpose: str = "a purpose") -> str:
    return f'[flow.{name}]\nfrom = ["{source}"]\nto = ["{destination}"]\nports = "{ports}"\npurpose = \'{purpose}\'\n'


def rules_text(target: str, projection: Projection) -> str:
    return next(file.text for file in renderer(target).render(projection).files if file.is_rules)


def read(text: str, format_name: str = "") -> Ruleset:
    return parse_ruleset((RulesetText("held", text),), format_name=format_name)
