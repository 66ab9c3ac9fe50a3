"""Renders an Azure network security group as Bicep."""

from collections.abc import Iterator, Mapping

from controlroom.network.projection import Projection
from controlroom.network.renderers.azure_arm import rule_properties
from controlroom.network.renderers.azure_rules import (
    API_VERSION,
    SCOPES,
    deployment_script,
    group_name,
    security_rules,
    tags,
)
from controlroom.network.renderers.cloud_documents import summary
from controlroom.network.renderers.interface import RenderedFile, Rendering


class AzureBicepRenderer:
    """The same group as the ARM template, in the language that people review."""

    name = "azure-bicep"
    title = "Azure network security group as Bicep"
    scopes = SCOPES
    parser = "azure"

    def render(self, projection: Projection) -> Rendering:
        """Return the file and the script that checks, applies, confirms and rolls back."""
        file = f"{projection.name}.bicep"
        return Rendering(
            self.name,
            (
                RenderedFile(file, "\n".join(_lines(projection)) + "\n"),
                RenderedFile(
                    f"{projection.name}-azure-bicep.sh",
                    deployment_script(projection, file),
                    is_rules=False,
                    executable=True,
                ),
            ),
        )


RENDERER = AzureBicepRenderer()


def _lines(projection: Projection) -> Iterator[str]:
    yield f"// {summary(projection)}"
    yield "param location string = resourceGroup().location"
    yield ""
    yield f"resource group 'Microsoft.Network/networkSecurityGroups@{API_VERSION}' = {{"
    yield f"  name: {_text(group_name(projection))}"
    yield "  location: location"
    yield "  tags: {"
    for key, value in tags(projection).items():
        yield f"    {_text(key)}: {_text(value)}"
    yield "  }"
    yield "  properties: {"
    yield "    securityRules: ["
    for rule in security_rules(projection):
        yield "      {"
        yield f"        name: {_text(rule.name)}"
        yield "        properties: {"
        yield from (f"          {line}" for line in _properties(rule_properties(rule)))
        yield "        }"
        yield "      }"
    yield "    ]"
    yield "  }"
    yield "}"


def _properties(properties: Mapping[str, object]) -> Iterator[str]:
    for key, value in properties.items():
        if isinstance(value, list):
            yield f"{key}: ["
            yield from (f"  {_text(str(one))}" for one in value)
            yield "]"
        else:
            yield f"{key}: {value if isinstance(value, int) else _text(str(value))}"


def _text(text: str) -> str:
    """Quote a text so that Bicep reads it as it is: no escape, no end of text and no interpolation in it."""
    escaped = text.replace("\\", "\\\\").replace("'", "\\'").replace("${", "\\${")
    return f"'{escaped}'"
