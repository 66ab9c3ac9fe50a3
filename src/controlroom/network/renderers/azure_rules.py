"""The rules of one Azure network security group, which the ARM, Bicep and Terraform renderings write down.

Allowing rules stand in the contract's order from priority 100; the last priority of each direction denies all else,
because the platform's own default rules would let in the virtual network and the load balancer, and let out everything.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from controlroom.network.addresses import Addresses, Family, format_prefixes
from controlroom.network.catalogue import Transport
from controlroom.network.errors import CannotExpress
from controlroom.network.intervals import IntervalSet
from controlroom.network.policy import Symbolic
from controlroom.network.projection import Direction, Projection, Scope
from controlroom.network.renderers.cloud_documents import (
    description,
    family_word,
    grouped,
    port_ranges,
    refuse_more_than,
    safe_name,
)
from controlroom.network.renderers.cloud_steps import cloud_script
from controlroom.network.renderers.interface import TAG
from controlroom.network.site import Party

# "Azure subscription and service limits", networking: rules a group, and addresses and ranges in a group, of which
# "the limit applies separately to source and destination".
MOST_RULES = 1000
MOST_PREFIXES = 4000
# "The value can be between 100 and 4096" (SecurityRulePropertiesFormat); the last one is ours for the denial.
FIRST_PRIORITY, LAST_PRIORITY = 100, 4096
# "The name can be up to 80 characters long": word characters, ".", "-" and "_" ("Network security groups").
LONGEST_NAME = 80
# "Restricted to 140 chars" (SecurityRulePropertiesFormat).
LONGEST_DESCRIPTION = 140
API_VERSION = "2024-05-01"
# A group lies on an interface, or on a subnet, where it also sees what machines of the subnet say to each other.
SCOPES = frozenset({Scope.HOST, Scope.SUBNET})

_ANY = ("*",)
_WORDS = {Direction.INBOUND: ("Inbound", "in"), Direction.OUTBOUND: ("Outbound", "out")}
_PROTOCOLS = {Transport.TCP: "Tcp", Transport.UDP: "Udp"}
_ODD_IN_NAMES = r"[^a-z0-9_.-]"
_ODD_IN_DESCRIPTIONS = r"[\x00-\x1f\x7f-\x9f\u2028\u2029]"


@dataclass(frozen=True, slots=True)
class SecurityRule:
    """One rule as Azure has it; each side is prefixes of one family, one service tag, or ``*``."""

    name: str
    description: str
    priority: int
    direction: str
    access: str
    protocol: str
    sources: tuple[str, ...]
    destinations: tuple[str, ...]
    ports: tuple[str, ...]


def group_name(projection: Projection) -> str:
    """Return the group's name, which Azure compares without regard to case."""
    return f"{TAG}-{safe_name(projection.name, odd=_ODD_IN_NAMES, longest=LONGEST_NAME - len(TAG) - 1)}"


def tags(projection: Projection) -> dict[str, str]:
    """Return the tags by which a group is known as ours, and as whose."""
    return {TAG: projection.name, f"{TAG}-site": projection.site}


def security_rules(projection: Projection) -> tuple[SecurityRule, ...]:
    """Return the group's rules; raise `CannotExpress` for names without a service tag and for passed limits."""
    rules: list[SecurityRule] = []
    used: dict[str, int] = {}
    for direction in projection.filtered:
        wanted = [*_permitted(projection, direction), *_symbolic(projection, direction)]
        for number, (flow, purpose, protocol, family, sources, destinations, ports) in enumerate(wanted):
            rules.append(
                SecurityRule(
                    _name(_WORDS[direction][1], flow, family, used),
                    _described(f"{TAG}: {flow}: {purpose}"),
                    FIRST_PRIORITY + number,
                    _WORDS[direction][0],
                    "Allow",
                    protocol,
                    sources,
                    destinations,
                    ports,
                )
            )
        rules.append(_denial(direction))
    _refuse_passed_limits(rules)
    return tuple(rules)


_Wanted = tuple[str, str, str, Family, tuple[str, ...], tuple[str, ...], tuple[str, ...]]


def _permitted(projection: Projection, direction: Direction) -> Iterator[_Wanted]:
    for permit in grouped(projection, direction):
        yield (
            permit.flow,
            permit.purpose,
            _PROTOCOLS[permit.transport],
            permit.family,
            tuple(format_prefixes(permit.family, permit.sources)),
            tuple(format_prefixes(permit.family, permit.destinations)),
            _ports(permit.ports),
        )


def _symbolic(projection: Projection, direction: Direction) -> Iterator[_Wanted]:
    for one in projection.symbolic:
        near = projection.near_side(one, direction)
        for party in _named(one, direction):
            if near and not party.service_tag:
                raise CannotExpress(
                    f"Azure groups know addresses and service tags, and flow {one.flow!r} needs {party.name!r}, which "
                    f"is known only as {', '.join(party.names)}; give [external.{party.name}] prefixes or a service_tag"
                )
            for family in near.families:
                mine, tag = _prefixes(near, family), (party.service_tag,)
                sides = (mine, tag) if direction is Direction.OUTBOUND else (tag, mine)
                yield (one.flow, one.purpose, _PROTOCOLS[one.transport], family, *sides, _ports(one.ports))


def _named(one: Symbolic, direction: Direction) -> Iterator[Party]:
    parties = one.destinations if direction is Direction.OUTBOUND else one.sources
    return (party for party in parties if party.symbolic)


def _prefixes(addresses: Addresses, family: Family) -> tuple[str, ...]:
    return tuple(format_prefixes(family, addresses.of(family)))


def _ports(ports: IntervalSet) -> tuple[str, ...]:
    return tuple(port_ranges(one) for one in ports)


def _denial(direction: Direction) -> SecurityRule:
    word, short = _WORDS[direction]
    text = f"{TAG}: default deny: the platform's own default rules allow more than the contract"
    name = f"{TAG}-{short}-default-deny"
    return SecurityRule(name, text, LAST_PRIORITY, word, "Deny", "*", _ANY, _ANY, _ANY)


def _name(direction: str, flow: str, family: Family, used: dict[str, int]) -> str:
    # The site's own flows may be called as they like; "default-deny" is ours because a family follows every flow.
    name = f"{TAG}-{direction}-{safe_name(flow, odd=_ODD_IN_NAMES, longest=48)}-{family_word(family)}"
    used[name] = used.get(name, 0) + 1
    return name if used[name] == 1 else f"{name}-{used[name]}"


def _described(text: str) -> str:
    return description(text, odd=_ODD_IN_DESCRIPTIONS, longest=LONGEST_DESCRIPTION)


def _refuse_passed_limits(rules: list[SecurityRule]) -> None:
    mend = "divide the host's roles, or declare wider prefixes in the site"
    refuse_more_than(MOST_RULES, len(rules), "rules in one network security group", mend)
    for side in ("sources", "destinations"):
        found = sum(len(getattr(rule, side)) for rule in rules)
        refuse_more_than(MOST_PREFIXES, found, f"addresses and ranges as {side} in one group", mend)


def deployment_script(projection: Projection, file: str) -> str:
    """Return the steps by which ``az`` checks, applies and rolls back a template."""
    name = group_name(projection)
    group = '--resource-group "$RESOURCE_GROUP"'
    template = f'{group} --name {name} --template-file "$folder/{file}"'
    url = (
        '"/subscriptions/{subscriptionId}/resourceGroups/$RESOURCE_GROUP/providers/Microsoft.Network/'
        f'networkSecurityGroups/{name}?api-version={API_VERSION}"'
    )
    return cloud_script(
        name,
        needs="az, signed in; Bicep templates need az bicep too",
        required=(("RESOURCE_GROUP", "the resource group of the network"),),
        check=(
            f"az deployment group validate --output none {template}",
            f"az deployment group what-if {template}",
        ),
        present=f"az network nsg list {group} --output tsv --query \"[?name=='{name}'].id\"",
        save=f"az rest --method get --url {url}",
        apply=(f"az deployment group create --mode Incremental --output none {template}",),
        restore=(f'az rest --method put --url {url} --body "@$saved"',),
        remove=(f"az network nsg delete {group} --name {name}",),
    )
