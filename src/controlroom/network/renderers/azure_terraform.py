"""Renders an Azure network security group for Terraform (provider azurerm), in Terraform's JSON syntax.

The JSON syntax is as native as HCL, can be read back with nothing but the standard library, and so can be proved.
"""

from controlroom.network.projection import Projection
from controlroom.network.renderers.azure_rules import SCOPES, SecurityRule, group_name, security_rules, tags
from controlroom.network.renderers.cloud_documents import (
    summary,
    terraform_file,
    terraform_name,
    terraform_text,
    terraform_variables,
)
from controlroom.network.renderers.cloud_steps import terraform_rendering
from controlroom.network.renderers.interface import Rendering


class AzureTerraformRenderer:
    """One resource that owns all rules of its group, and the variables that all hosts of a folder share."""

    name = "azure-terraform"
    title = "Azure network security group for Terraform (.tf.json)"
    scopes = SCOPES
    parser = "azure"

    def render(self, projection: Projection) -> Rendering:
        """Return the resource, the variables, and the script that checks, applies, confirms and rolls back."""
        name = group_name(projection)
        body = {
            "name": name,
            "location": "${var.location}",
            "resource_group_name": "${var.resource_group_name}",
            "tags": tags(projection),
            "security_rule": [_block(rule) for rule in security_rules(projection)],
        }
        resource = {terraform_name(projection): body}
        text = terraform_file(summary(projection), "azurerm_network_security_group", resource)
        return terraform_rendering(self.name, "azure", projection.name, name, text, _VARIABLES)


RENDERER = AzureTerraformRenderer()

_VARIABLES = terraform_variables(
    "azurerm",
    "hashicorp/azurerm",
    ">= 4.0",
    {"location": "The region of the groups", "resource_group_name": "The resource group of the groups"},
)


def _block(rule: SecurityRule) -> dict[str, object]:
    """Return a rule with every attribute: in JSON the provider takes rules as values, of which none may lack one."""
    return {
        "name": rule.name,
        "description": terraform_text(rule.description),
        "priority": rule.priority,
        "direction": rule.direction,
        "access": rule.access,
        "protocol": rule.protocol,
        **_one_or_many("source_address_prefix", "source_address_prefixes", rule.sources),
        "source_port_range": "*",
        "source_port_ranges": None,
        **_one_or_many("destination_address_prefix", "destination_address_prefixes", rule.destinations),
        **_one_or_many("destination_port_range", "destination_port_ranges", rule.ports),
        "source_application_security_group_ids": None,
        "destination_application_security_group_ids": None,
    }


def _one_or_many(one: str, many: str, values: tuple[str, ...]) -> dict[str, object]:
    return {one: values[0], many: None} if len(values) == 1 else {one: None, many: list(values)}
