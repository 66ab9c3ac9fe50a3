"""Finds network security groups in what Azure's tools write: templates, ``az`` output, effective rules, Terraform."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from controlroom.network.errors import BadRuleset
from controlroom.network.projection import Direction
from controlroom.network.rulesets.azure_bicep_text import looks_like_bicep, resources_of_bicep
from controlroom.network.rulesets.cloud_files import (
    JsonObject,
    mappings,
    read_json,
    terraform_resources,
)
from controlroom.network.rulesets.cloud_rules import own_tag
from controlroom.network.rulesets.interface import RulesetText

_TYPE = "microsoft.network/networksecuritygroups"
_LOWEST_DEFAULT = 65_000


@dataclass(frozen=True, slots=True)
class SecurityGroup:
    """One group: its rules as objects with the resource manager's keys, default rules among them where they are given."""

    name: str
    host: str
    rules: tuple[JsonObject, ...]


# "Azure network security groups overview": the rules that every group ends with.
DEFAULT_RULES: tuple[JsonObject, ...] = tuple(
    {
        "name": name,
        "priority": priority,
        "direction": direction,
        "access": access,
        "protocol": "*",
        "sourceAddressPrefix": source,
        "sourcePortRange": "*",
        "destinationAddressPrefix": destination,
        "destinationPortRange": "*",
    }
    for name, priority, direction, access, source, destination in (
        ("AllowVnetInBound", 65000, "Inbound", "Allow", "VirtualNetwork", "VirtualNetwork"),
        ("AllowAzureLoadBalancerInBound", 65001, "Inbound", "Allow", "AzureLoadBalancer", "*"),
        ("DenyAllInBound", 65500, "Inbound", "Deny", "*", "*"),
        ("AllowVnetOutBound", 65000, "Outbound", "Allow", "VirtualNetwork", "VirtualNetwork"),
        ("AllowInternetOutBound", 65001, "Outbound", "Allow", "*", "Internet"),
        ("DenyAllOutBound", 65500, "Outbound", "Deny", "*", "*"),
    )
)


def groups_of(file: RulesetText) -> list[SecurityGroup]:
    """Return the groups of a file, which may have none, as a file of variables has; raise `BadRuleset`."""
    document = resources_of_bicep(file) if looks_like_bicep(file.text) else read_json(file)
    return [_completed(one) for one in _groups(document, file.name)]


def _groups(document: object, file: str) -> Iterator[SecurityGroup]:
    if isinstance(document, list):
        entries = mappings(document, file)
        # az network nsg rule list: rules without their group.
        if entries and all("priority" in _flat(one) for one in entries):
            yield SecurityGroup(file, "", tuple(_flat(one) for one in entries))
        else:
            for one in entries:
                yield from _groups(one, file)
        return
    if not isinstance(document, Mapping):
        return
    resources = document.get("resources")
    if "resource" in document or "planned_values" in document or "values" in document:
        yield from _of_terraform(document, file)
    elif resources is not None:
        # Templates of language version 2.0 name their resources in an object.
        named = list(resources.values()) if isinstance(resources, Mapping) else resources
        yield from _of_template(mappings(named, file), file)
    elif isinstance(found := document.get("value"), list):
        for one in found:
            yield from _groups(one, file)
    elif isinstance(effective := document.get("effectiveSecurityRules"), list):
        rules = tuple(mappings(effective, file))
        link = document.get("networkSecurityGroup")
        identity = str(link.get("id", "")) if isinstance(link, Mapping) else ""
        yield SecurityGroup(identity.rpartition("/")[2] or "effective rules", "", rules)
    elif (
        "securityRules" in document
        or "defaultSecurityRules" in _properties(document)
        or "securityRules" in _properties(document)
    ):
        yield _group(document, file)


def _of_template(resources: list[JsonObject], file: str) -> Iterator[SecurityGroup]:
    for one in resources:
        kind = str(one.get("type", "")).lower()
        if kind == _TYPE and ({"copy", "condition"} & one.keys() or one.get("existing")):
            raise BadRuleset(
                f"{file}: a group with copy, condition or existing is not followed; give az network nsg show"
            )
        if kind == _TYPE:
            if one.get("resources"):
                raise BadRuleset(
                    f"{file}: rules in nested resources are not followed; give az network nsg show"
                )
            yield _group(one, file)
        elif kind == f"{_TYPE}/securityrules":
            raise BadRuleset(
                f"{file}: rules as resources of their own are not followed; give az network nsg show"
            )
        elif kind == "microsoft.resources/deployments":
            raise BadRuleset(f"{file}: nested deployments are not followed; give az network nsg show")


def _of_terraform(document: JsonObject, file: str) -> Iterator[SecurityGroup]:
    for one in terraform_resources(document, file):
        if one.type == "azurerm_network_security_rule":
            raise BadRuleset(
                f"{file}: {one.type}.{one.name}: rules as resources are not followed; give the group"
            )
        if one.type == "azurerm_network_security_group":
            rules = tuple(_from_snake(rule) for rule in mappings(one.values.get("security_rule"), one.name))
            yield SecurityGroup(str(one.values.get("name", one.name)), own_tag(one.values.get("tags")), rules)


def _group(one: JsonObject, file: str) -> SecurityGroup:
    properties = _properties(one)
    rules = [
        _flat(rule)
        for key in ("securityRules", "defaultSecurityRules")
        for rule in mappings(properties.get(key), f"{file}: {key}")
    ]
    return SecurityGroup(str(one.get("name", file)), own_tag(one.get("tags")), tuple(rules))


def _properties(one: JsonObject) -> JsonObject:
    inner = one.get("properties")
    return inner if isinstance(inner, Mapping) else one


def _flat(rule: JsonObject) -> JsonObject:
    inner = rule.get("properties")
    return {"name": rule.get("name"), **inner} if isinstance(inner, Mapping) else rule


def _from_snake(rule: JsonObject) -> JsonObject:
    """Return a rule of Terraform's with the resource manager's keys."""
    renamed: dict[str, object] = {}
    for key, value in rule.items():
        first, *rest = key.removesuffix("_ids").split("_")
        renamed[
            first + "".join(word.capitalize() for word in rest) + ("s" if key.endswith("_ids") else "")
        ] = value
    return renamed


def _completed(group: SecurityGroup) -> SecurityGroup:
    """Add the default rules in a direction where the file does not give them."""
    given = {
        str(rule.get("direction", "")).lower()
        for rule in group.rules
        if isinstance(priority := rule.get("priority"), int) and priority >= _LOWEST_DEFAULT
    }
    missing = [rule for rule in DEFAULT_RULES if str(rule["direction"]).lower() not in given]
    return SecurityGroup(group.name, group.host, (*group.rules, *missing))


DIRECTIONS = {"inbound": Direction.INBOUND, "outbound": Direction.OUTBOUND}
