"""Reads Azure network security groups: rules by priority, with the default rules that every group ends with.

A group on the interface and one on its subnet stand behind one another. Service tags mean what the site says they mean,
application security groups are not known; both are uncertain otherwise.
"""

import re
from collections.abc import Iterable, Sequence

from controlroom.network.addresses import Family
from controlroom.network.analysis import Program, Rule
from controlroom.network.errors import BadRuleset
from controlroom.network.projection import Direction, Projection
from controlroom.network.rulesets.azure_bicep_text import looks_like_bicep
from controlroom.network.rulesets.azure_groups import DIRECTIONS, SecurityGroup, groups_of
from controlroom.network.rulesets.azure_rule import NamedFlow, Reading
from controlroom.network.rulesets.cloud_files import JsonObject
from controlroom.network.rulesets.cloud_rules import (
    FIRST_PACKET,
    NEIGHBOURS,
    elsewhere,
    no_border,
    of_host_or_subnet,
    program,
    stack,
)
from controlroom.network.rulesets.interface import Ruleset, RulesetText

# An interface has at most its own group and its subnet's.
_MOST_GROUPS = 2
_SIGNS = re.compile(
    r'networkSecurityGroups|"(securityRules|effectiveSecurityRules)"|azurerm_network_security_group', re.I
)
_RULE_LIST = re.compile(r'"(source|destination)AddressPrefix(es)?"')
_ASSUMPTIONS = (
    FIRST_PACKET,
    NEIGHBOURS,
    "Traffic with the platform itself (168.63.129.16 and 169.254.169.254) passes unless a rule denies its service tag.",
)


class AzureParser:
    """Reads ARM templates, our Bicep, Terraform's JSON, and the output of ``az network nsg`` and ``list-effective-nsg``."""

    name = "azure"

    def recognises(self, file: RulesetText) -> bool:
        """Say whether a file speaks of network security groups."""
        if looks_like_bicep(file.text):
            return True
        is_json = file.text.lstrip("\ufeff \t\r\n").startswith(("{", "["))
        return is_json and any(sign.search(file.text) for sign in (_SIGNS, _RULE_LIST))

    def parse(self, files: tuple[RulesetText, ...]) -> Ruleset:
        """Read the groups that one host stands behind; raise `BadRuleset`."""
        groups = [group for file in files for group in groups_of(file)]
        if not groups:
            raise BadRuleset(f"{', '.join(file.name for file in files)}: no network security group is in it")
        return _read(self.name, groups, None)


PARSER = AzureParser()


def _read(name: str, groups: Sequence[SecurityGroup], projection: Projection | None) -> Ruleset:
    chosen, notes = _choose(groups, projection)
    named = list(_named_flows(projection)) if projection else []
    served: set[tuple[Direction, str, str, Family]] = set()
    programs = {Direction.FORWARD: no_border("a network security group")}
    for direction in (Direction.INBOUND, Direction.OUTBOUND):
        programs[direction] = _program(chosen, direction, projection, named, served)
    missing = tuple(
        (
            one.direction,
            one.flow.flow,
            f"flow {one.flow.flow} needs service tag {one.tag!r} ({family.title}), and no rule allows it",
        )
        for one in named
        if projection
        for family in projection.near_side(one.flow, one.direction).families
        if (one.direction, one.flow.flow, one.tag, family) not in served
    )
    notes += [f"What addresses service tag {one.tag!r} stands for is the platform's to say." for one in named]
    return Ruleset(
        name,
        programs,
        (*_ASSUMPTIONS, *dict.fromkeys(notes)),
        seen_from=lambda seen: _read(name, groups, of_host_or_subnet(seen)),
        missing=missing,
        knows_service_tags=True,
    )


def _choose(
    groups: Sequence[SecurityGroup], projection: Projection | None
) -> tuple[list[SecurityGroup], list[str]]:
    """Return the groups that one host stands behind: those with its tag, else the one or two that are given."""
    if projection is None:
        return list(groups), []
    what = f"{projection.scope} {projection.name}"
    mine = [group for group in groups if group.host == projection.name]
    if mine:
        subnets = [group for group in groups if projection.party and group.host == projection.party.zone]
        others = [group.name for group in groups if group not in (*mine, *subnets)]
        notes = [
            f"Group {one.name} lies on the subnet of {what}, and stands before it too." for one in subnets
        ]
        if others:
            notes.append(f"Groups without the tag of {what} do not lie on it: {', '.join(others)}.")
        return [*mine, *subnets], notes
    free = [group for group in groups if not group.host]
    if not 1 <= len(free) <= _MOST_GROUPS:
        names = ", ".join(group.name for group in groups)
        raise BadRuleset(
            f"which of these groups does {projection.scope} {projection.name!r} stand behind: {names}? Give the one of "
            "its interface and the one of its subnet alone (az network nsg show)"
        )
    if len(free) == _MOST_GROUPS:
        return free, [
            f"Groups {free[0].name} and {free[1].name} both stand before {what}: interface and subnet."
        ]
    return free, []


def _named_flows(projection: Projection) -> Iterable[NamedFlow]:
    for one in projection.symbolic:
        for direction in (Direction.INBOUND, Direction.OUTBOUND):
            parties = one.destinations if direction is Direction.OUTBOUND else one.sources
            for party in parties:
                if party.symbolic and party.service_tag and direction in projection.permits:
                    yield NamedFlow(direction, one, party.service_tag)


def _program(
    groups: Sequence[SecurityGroup],
    direction: Direction,
    projection: Projection | None,
    named: Sequence[NamedFlow],
    served: set[tuple[Direction, str, str, Family]],
) -> Program:
    stacked: list[tuple[str, list[Rule]]] = []
    for group in groups:
        rules: list[Rule] = []
        for raw in sorted(_of_direction(group, direction), key=_priority):
            rule = Reading(group, raw, projection)
            if not rule.serves(direction, projection, named, served):
                rules.extend(rule.rules())
        stacked.append((group.name, rules))
    first = elsewhere(projection, direction)
    return program(stack(stacked), projection, first=first, name="end of the group")


def _of_direction(group: SecurityGroup, direction: Direction) -> Iterable[JsonObject]:
    for rule in group.rules:
        word = str(rule.get("direction", "")).lower()
        if word not in DIRECTIONS:
            raise BadRuleset(f"{group.name}: rule {rule.get('name')!r} has no direction")
        if DIRECTIONS[word] is direction:
            yield rule


def _priority(rule: JsonObject) -> int:
    priority = rule.get("priority")
    if not isinstance(priority, int) or isinstance(priority, bool):
        raise BadRuleset(f"rule {rule.get('name')!r} has no priority that is a number")
    return priority
