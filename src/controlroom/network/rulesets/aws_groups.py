"""Finds security groups in what AWS's tools write: ``describe-security-groups``, CloudFormation, Terraform."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from controlroom.network.errors import BadRuleset
from controlroom.network.projection import Direction
from controlroom.network.rulesets.cloud_files import (
    JsonObject,
    listed,
    mappings,
    objects,
    read_documents,
    terraform_resources,
)
from controlroom.network.rulesets.cloud_rules import own_tag
from controlroom.network.rulesets.interface import RulesetText

_GROUP = "AWS::EC2::SecurityGroup"
_LOOSE_RULES = {
    "AWS::EC2::SecurityGroupIngress",
    "AWS::EC2::SecurityGroupEgress",
    "aws_security_group_rule",
    "aws_vpc_security_group_ingress_rule",
    "aws_vpc_security_group_egress_rule",
}
_BOTH = (Direction.INBOUND, Direction.OUTBOUND)


@dataclass(frozen=True, slots=True)
class Entry:
    """One rule: its protocol and ports as they are written, prefixes, and other ends that are not addresses."""

    protocol: object
    low: object
    high: object
    prefixes: tuple[object, ...] = ()
    others: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SecurityGroup:
    """One group. ``doubts`` say, for a direction, what the group may do beyond the rules that are given."""

    name: str
    host: str
    entries: Mapping[Direction, tuple[Entry, ...]]
    doubts: Mapping[Direction, str]


def groups_of(file: RulesetText) -> list[SecurityGroup]:
    """Return the groups of a file, which may have none, as a file of variables has; raise `BadRuleset`."""
    return [group for document in read_documents(file) for group in _groups(document, file.name)]


def _groups(document: object, file: str) -> Iterator[SecurityGroup]:
    if isinstance(document, list):
        for one in document:
            yield from _groups(one, file)
    elif not isinstance(document, Mapping):
        return
    elif "SecurityGroups" in document:
        for one in mappings(document["SecurityGroups"], file):
            yield _described(one)
    elif "IpPermissions" in document:
        yield _described(document)
    elif "Resources" in document:
        yield from _of_template(document, file)
    else:
        yield from _of_terraform(document, file)


def _described(one: JsonObject) -> SecurityGroup:
    keys = zip(_BOTH, ("IpPermissions", "IpPermissionsEgress"), strict=True)
    name = str(one.get("GroupName") or one.get("GroupId"))
    entries = {
        direction: tuple(_permission(entry) for entry in mappings(one.get(key), f"{name}: {key}"))
        for direction, key in keys
    }
    missing = {
        direction: f"the group's {key} are not in the file"
        for direction, key in zip(_BOTH, ("IpPermissions", "IpPermissionsEgress"), strict=True)
        if key not in one
    }
    return SecurityGroup(name, own_tag(one.get("Tags")), entries, missing)


def _permission(entry: JsonObject) -> Entry:
    prefixes = [
        one.get(key)
        for ranges, key in (("IpRanges", "CidrIp"), ("Ipv6Ranges", "CidrIpv6"))
        for one in mappings(entry.get(ranges), ranges)
    ]
    others = [
        f"{word} {_first(one, keys)}"
        for member, word, keys in (
            ("UserIdGroupPairs", "security group", ("GroupId", "GroupName")),
            ("PrefixListIds", "prefix list", ("PrefixListId",)),
        )
        for one in mappings(entry.get(member), member)
    ]
    return Entry(
        entry.get("IpProtocol"), entry.get("FromPort"), entry.get("ToPort"), tuple(prefixes), tuple(others)
    )


def _of_template(document: JsonObject, file: str) -> Iterator[SecurityGroup]:
    for name, resource in objects(document.get("Resources")):
        kind = resource.get("Type") if isinstance(resource, Mapping) else None
        if not isinstance(resource, Mapping) or not isinstance(kind, str):
            raise BadRuleset(f"{file}: resource {name!r} has no type; Fn::ForEach and such are not followed")
        if kind in _LOOSE_RULES:
            raise BadRuleset(
                f"{file}: {name} is a rule of its own; give aws ec2 describe-security-groups instead"
            )
        if kind != _GROUP:
            continue
        if "Condition" in resource:
            raise BadRuleset(f"{file}: {name} has a condition; give aws ec2 describe-security-groups instead")
        properties = resource.get("Properties")
        yield _declared(name, properties if isinstance(properties, Mapping) else {})


def _declared(name: str, properties: JsonObject) -> SecurityGroup:
    entries: dict[Direction, tuple[Entry, ...]] = {}
    doubts: dict[Direction, str] = {}
    for direction, key in zip(_BOTH, ("SecurityGroupIngress", "SecurityGroupEgress"), strict=True):
        raw = properties.get(key)
        kept = [one for one in listed(raw) if isinstance(one, Mapping) and "IpProtocol" in one]
        entries[direction] = tuple(_template_entry(one) for one in kept)
        if len(kept) != len(listed(raw)):
            doubts[direction] = f"{key} has entries that are no plain rules"
        elif direction is Direction.OUTBOUND and not kept:
            # "AWS::EC2::SecurityGroup": without an egress rule the group gets one that allows everything.
            doubts[direction] = "without an outbound rule the platform adds one that allows everything"
    name_of = properties.get("GroupName")
    shown = name_of if isinstance(name_of, str) else name
    return SecurityGroup(shown, own_tag(properties.get("Tags")), entries, doubts)


def _template_entry(one: JsonObject) -> Entry:
    known = {"IpProtocol", "FromPort", "ToPort", "CidrIp", "CidrIpv6", "Description"}
    prefixes = tuple(one[key] for key in ("CidrIp", "CidrIpv6") if key in one)
    others = tuple(f"{key} {str(value)[:60]}" for key, value in one.items() if key not in known)
    return Entry(one.get("IpProtocol"), one.get("FromPort"), one.get("ToPort"), prefixes, others)


def _of_terraform(document: JsonObject, file: str) -> Iterator[SecurityGroup]:
    for one in terraform_resources(document, file):
        if one.type in _LOOSE_RULES:
            raise BadRuleset(
                f"{file}: {one.type}.{one.name} is a rule of its own; give aws ec2 describe-security-groups instead"
            )
        if one.type != "aws_security_group":
            continue
        entries: dict[Direction, tuple[Entry, ...]] = {}
        doubts: dict[Direction, str] = {}
        for direction, key in zip(_BOTH, ("ingress", "egress"), strict=True):
            raw = one.values.get(key)
            if raw is None:
                doubts[direction] = f"{key} is not given, so that rules made elsewhere stay"
            entries[direction] = tuple(_block(block) for block in mappings(raw, f"{one.name}: {key}"))
        name = str(one.values.get("name", one.name))
        yield SecurityGroup(name, own_tag(one.values.get("tags")), entries, doubts)


def _block(block: JsonObject) -> Entry:
    prefixes = [*listed(block.get("cidr_blocks")), *listed(block.get("ipv6_cidr_blocks"))]
    others = [
        f"{word} {str(one)[:60]}"
        for key, word in (("security_groups", "security group"), ("prefix_list_ids", "prefix list"))
        for one in listed(block.get(key))
    ]
    if block.get("self"):
        others.append("the group itself")
    return Entry(
        block.get("protocol"), block.get("from_port"), block.get("to_port"), tuple(prefixes), tuple(others)
    )


def _first(one: JsonObject, keys: Iterable[str]) -> object:
    return next((one[key] for key in keys if one.get(key)), "of no name")
