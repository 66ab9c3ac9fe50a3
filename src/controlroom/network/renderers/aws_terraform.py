"""Renders a host's AWS security groups for Terraform (provider aws), in Terraform's JSON syntax, as for Azure."""

from controlroom.network.addresses import Family
from controlroom.network.projection import Direction, Projection
from controlroom.network.renderers.aws_groups import SCOPES, Permission, security_groups, tags
from controlroom.network.renderers.cloud_documents import (
    summary,
    terraform_file,
    terraform_name,
    terraform_text,
    terraform_variables,
)
from controlroom.network.renderers.cloud_steps import terraform_rendering
from controlroom.network.renderers.interface import Rendering


class AwsTerraformRenderer:
    """One resource a group, which owns all rules of its group; other groups are not touched."""

    name = "aws-terraform"
    title = "AWS security groups for Terraform (.tf.json)"
    scopes = SCOPES
    parser = "aws"

    def render(self, projection: Projection) -> Rendering:
        """Return the resources, the variables, and the script that checks, applies, confirms and rolls back."""
        name = terraform_name(projection)
        resources: dict[str, object] = {}
        for number, group in enumerate(security_groups(projection, self.name), start=1):
            resources[f"{name}_{number}"] = {
                "name": group.name,
                "description": terraform_text(group.description),
                "vpc_id": "${var.vpc_id}",
                "tags": tags(projection),
                "ingress": _blocks(group.permissions[Direction.INBOUND]),
                "egress": _blocks(group.permissions[Direction.OUTBOUND]),
            }
        text = terraform_file(summary(projection), "aws_security_group", resources)
        return terraform_rendering(self.name, "aws", projection.name, name, text, _VARIABLES)


RENDERER = AwsTerraformRenderer()

_VARIABLES = terraform_variables(
    "aws", "hashicorp/aws", ">= 5.0", {"vpc_id": "The VPC of the groups, such as vpc-0abc"}
)


def _blocks(permissions: list[Permission]) -> list[dict[str, object]]:
    """Return rules with every attribute, the prefixes of one port range together; the platform counts them one by one."""
    together: dict[tuple[str, Family, str, int, int], list[str]] = {}
    for one in permissions:
        key = (one.description, one.family, one.protocol, max(one.low, 0), max(one.high, 0))
        together.setdefault(key, []).append(one.prefix)
    return [
        {
            "description": terraform_text(text),
            "protocol": protocol,
            "from_port": low,
            "to_port": high,
            "cidr_blocks": prefixes if family is Family.IPV4 else [],
            "ipv6_cidr_blocks": prefixes if family is Family.IPV6 else [],
            "prefix_list_ids": [],
            "security_groups": [],
            "self": False,
        }
        for (text, family, protocol, low, high), prefixes in together.items()
    ]
