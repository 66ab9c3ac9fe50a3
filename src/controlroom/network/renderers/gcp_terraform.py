"""Renders GCP VPC firewall rules for Terraform (provider google), in Terraform's JSON syntax, as for Azure.

Rules say both sides and the host's network tag; those of a subnet lie on the whole network, and their addresses alone
keep them to the subnet. Allowing rules have priority 999 and denials 1000, where a denial wins:
what others allow at the default priority, 1000, does not open the host, and what they deny there does not close it.
"""

from collections.abc import Iterator

from controlroom.network.addresses import ANYWHERE_V4, ANYWHERE_V6, Family, format_address, prefixes
from controlroom.network.intervals import IntervalSet
from controlroom.network.policy import Permit
from controlroom.network.projection import Direction, Projection, Scope
from controlroom.network.renderers.cloud_documents import (
    chunks,
    description,
    family_word,
    grouped,
    port_ranges,
    refuse_more_than,
    safe_name,
    summary,
    terraform_file,
    terraform_name,
    terraform_text,
    terraform_variables,
)
from controlroom.network.renderers.cloud_steps import terraform_rendering
from controlroom.network.renderers.interface import TAG, Rendering, refuse_symbolic

ALLOW_PRIORITY, DENY_PRIORITY = 999, 1000
# Cautious, and not confirmed: "Cloud NGFW quotas" gives rules by project, and ranges of a rule on either side.
MOST_RULES = 100
MOST_RANGES = 256
# RFC 1035 labels, as every name and network tag of the platform.
LONGEST_NAME = 63
_ODD = r"[^a-z0-9-]"
_LONGEST_DESCRIPTION = 2048
_DIRECTIONS = {Direction.INBOUND: ("INGRESS", "in"), Direction.OUTBOUND: ("EGRESS", "out")}
_ANYWHERE = {Family.IPV4: ANYWHERE_V4, Family.IPV6: ANYWHERE_V6}


class GcpTerraformRenderer:
    """The rules of one host, bound to it by its network tag, or of one subnet; rules of other names are not touched."""

    name = "gcp-terraform"
    title = "GCP VPC firewall rules for Terraform (.tf.json)"
    scopes = frozenset({Scope.HOST, Scope.SUBNET})
    parser = "gcp"

    def render(self, projection: Projection) -> Rendering:
        """Return the rules, the variables, and the script that checks, applies, confirms and rolls back."""
        refuse_symbolic(projection, self.name)
        resources = dict(_resources(projection))
        mend = "declare wider prefixes in the site, or divide the host's roles"
        refuse_more_than(MOST_RULES, len(resources), f"firewall rules for one {projection.scope}", mend)
        text = terraform_file(summary(projection), "google_compute_firewall", resources)
        return terraform_rendering(
            self.name, "gcp", projection.name, terraform_name(projection), text, _VARIABLES
        )


RENDERER = GcpTerraformRenderer()

_VARIABLES = terraform_variables(
    "google", "hashicorp/google", ">= 5.0", {"network": "The name or link of the VPC network of the rules"}
)


def network_tag(host: str) -> str:
    """Return the network tag that a host's instance carries."""
    return safe_name(f"{TAG}-{host}", odd=_ODD, longest=LONGEST_NAME)


def _resources(projection: Projection) -> Iterator[tuple[str, dict[str, object]]]:
    used: dict[str, int] = {}
    for direction in projection.filtered:
        for permit in grouped(projection, direction):
            for sources in chunks(_written(permit.family, permit.sources), MOST_RANGES):
                for destinations in chunks(_written(permit.family, permit.destinations), MOST_RANGES):
                    name = _name(projection.name, direction, permit, used)
                    yield name, _allowing(name, projection, direction, permit, sources, destinations)
        for family in _denied(projection):
            name = safe_name(
                f"{TAG}-{projection.name}-{_DIRECTIONS[direction][1]}-default-deny-{family_word(family)}",
                odd=_ODD,
                longest=LONGEST_NAME,
            )
            yield name, _denying(name, projection, direction, family)


def _name(host: str, direction: Direction, permit: Permit, used: dict[str, int]) -> str:
    plain = f"{TAG}-{host}-{_DIRECTIONS[direction][1]}-{permit.flow}-{family_word(permit.family)}"
    used[plain] = used.get(plain, 0) + 1
    numbered = plain if used[plain] == 1 else f"{plain}-{used[plain]}"
    return safe_name(numbered, odd=_ODD, longest=LONGEST_NAME)


def _allowing(
    name: str,
    projection: Projection,
    direction: Direction,
    permit: Permit,
    sources: object,
    destinations: object,
) -> dict[str, object]:
    text = description(
        f"{TAG}: {permit.flow}: {permit.purpose}", odd=r"[\x00-\x1f\x7f]", longest=_LONGEST_DESCRIPTION
    )
    return {
        **_head(name, projection, direction, text, ALLOW_PRIORITY),
        "source_ranges": sources,
        "destination_ranges": destinations,
        "allow": [{"protocol": str(permit.transport), "ports": [port_ranges(one) for one in permit.ports]}],
    }


def _denying(name: str, projection: Projection, direction: Direction, family: Family) -> dict[str, object]:
    far, near = ("source_ranges", "destination_ranges")
    if direction is Direction.OUTBOUND:
        far, near = near, far
    text = f"{TAG}: default deny of {family.title}"
    return {
        **_head(name, projection, direction, text, DENY_PRIORITY),
        far: [_ANYWHERE[family]],
        **_near_ranges(projection, near, family),
        "deny": [{"protocol": "all"}],
    }


def _denied(projection: Projection) -> tuple[Family, ...]:
    """Return the families to deny: of a host both, of a subnet those in which it has addresses."""
    return projection.addresses.families if projection.scope is Scope.SUBNET else tuple(Family)


def _near_ranges(projection: Projection, side: str, family: Family) -> dict[str, object]:
    """Return what keeps a subnet's denial from the rest of the network, as a host's tag does."""
    if projection.scope is Scope.HOST:
        return {}
    return {side: _written(family, projection.addresses.of(family))}


def _head(
    name: str, projection: Projection, direction: Direction, text: str, priority: int
) -> dict[str, object]:
    return {
        "name": name,
        "description": terraform_text(text),
        "network": "${var.network}",
        "priority": priority,
        "direction": _DIRECTIONS[direction][0],
        **({"target_tags": [network_tag(projection.name)]} if projection.scope is Scope.HOST else {}),
    }


def _written(family: Family, addresses: IntervalSet) -> list[str]:
    return [f"{format_address(family, low)}/{length}" for low, length in prefixes(family, addresses)]
