"""Sites and projections that these tests share."""

from pathlib import Path

from controlroom.network.policy import derive_policy
from controlroom.network.projection import Projection, Projector
from controlroom.network.renderers import Rendering, renderer
from controlroom.network.rulesets import RulesetText
from controlroom.network.site import parse_site, read_site

EXAMPLES = Path(__file__).resolve().parents[3] / "examples" / "network"
TARGETS = ("ufw", "firewalld", "windows", "netsh")


def projector(name: str = "five-nodes") -> Projector:
    """Return the projector of one of the example sites."""
    return Projector(derive_policy(read_site(EXAMPLES / f"{name}.toml")))


def hostile(purpose: str, egress: str = "contract") -> Projector:
    """Return a site of two hosts, one flow with that purpose, and odd ports and prefixes."""
    quoted = '"' + purpose.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return Projector(
        derive_policy(
            parse_site(
                f'[options]\nmanagement = "console"\negress = "{egress}"\nidentity = "local"\n'
                '[zone.z]\nprefixes = ["10.0.0.0/8", "fd00::/8"]\n'
                '[zone.all]\nprefixes = ["0.0.0.0/5", "192.0.0.0/3"]\n'
                '[host.a]\nzone = "z"\naddresses = ["10.0.0.1", "fd00::1"]\nroles = ["file-share"]\n'
                '[host.b]\nzone = "z"\naddresses = ["10.0.0.2", "fd00::2"]\nroles = ["control-room"]\n'
                '[flow.odd]\nfrom = ["b", "all"]\nto = ["a"]\nprotocol = "udp"\n'
                'ports = "1, 3, 5-6, 8, 10, 12, 14, 16, 18, 20-30, 40, 50, 60, 70, 80, 90, 65535"\n'
                f"purpose = {quoted}\n"
            )
        )
    )


def texts_of(rendering: Rendering) -> tuple[RulesetText, ...]:
    """Return the files of a rendering that are read back."""
    return tuple(RulesetText(file.name, file.text) for file in rendering.files if file.is_rules)


def rendered(target: str, projection: Projection) -> tuple[RulesetText, ...]:
    """Render and return the files that are read back."""
    return texts_of(renderer(target).render(projection))
