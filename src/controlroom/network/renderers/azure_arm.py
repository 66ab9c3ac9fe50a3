"""Renders an Azure network security group as an ARM template (JSON), for a host's interface or a subnet of its own."""

from controlroom.network.projection import Projection
from controlroom.network.renderers.azure_rules import (
    API_VERSION,
    SCOPES,
    SecurityRule,
    deployment_script,
    group_name,
    security_rules,
    tags,
)
from controlroom.network.renderers.cloud_documents import summary, write_json
from controlroom.network.renderers.interface import RenderedFile, Rendering

_SCHEMA = "https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#"


class AzureArmRenderer:
    """One template that holds one group; deploying it replaces that group's rules and touches nothing else."""

    name = "azure-arm"
    title = "Azure network security group as an ARM template"
    scopes = SCOPES
    parser = "azure"

    def render(self, projection: Projection) -> Rendering:
        """Return the template and the script that checks, applies, confirms and rolls back."""
        template = {
            "$schema": _SCHEMA,
            "contentVersion": "1.0.0.0",
            "metadata": {"comments": summary(projection)},
            "parameters": {"location": {"type": "string", "defaultValue": "[resourceGroup().location]"}},
            "resources": [
                {
                    "type": "Microsoft.Network/networkSecurityGroups",
                    "apiVersion": API_VERSION,
                    "name": group_name(projection),
                    "location": "[parameters('location')]",
                    "tags": tags(projection),
                    "properties": {
                        "securityRules": [
                            {"name": rule.name, "properties": rule_properties(rule)}
                            for rule in security_rules(projection)
                        ]
                    },
                }
            ],
        }
        file = f"{projection.name}-azure.json"
        return Rendering(
            self.name,
            (
                RenderedFile(file, write_json(template) + "\n"),
                RenderedFile(
                    f"{projection.name}-azure-arm.sh",
                    deployment_script(projection, file),
                    is_rules=False,
                    executable=True,
                ),
            ),
        )


RENDERER = AzureArmRenderer()


def rule_properties(rule: SecurityRule) -> dict[str, object]:
    """Return a rule's properties by their names in the resource manager; one value and many have keys of their own."""
    return {
        "description": rule.description,
        "priority": rule.priority,
        "direction": rule.direction,
        "access": rule.access,
        "protocol": rule.protocol,
        **_one_or_many("sourceAddressPrefix", "sourceAddressPrefixes", rule.sources),
        "sourcePortRange": "*",
        **_one_or_many("destinationAddressPrefix", "destinationAddressPrefixes", rule.destinations),
        **_one_or_many("destinationPortRange", "destinationPortRanges", rule.ports),
    }


def _one_or_many(one: str, many: str, values: tuple[str, ...]) -> dict[str, object]:
    return {one: values[0]} if len(values) == 1 else {many: list(values)}
