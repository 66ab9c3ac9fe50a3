"""The security groups of one host on AWS, which the CloudFormation and Terraform renderings write down.

A group can only allow, and says who is on the other side; the host's interface carries all its groups, whose rules add
up. Every pair of a prefix and a port range counts as a rule, so that rules are spread over groups by that count.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

from controlroom.network.addresses import Family, format_address, prefixes
from controlroom.network.errors import CannotExpress
from controlroom.network.intervals import IntervalSet
from controlroom.network.projection import Direction, Projection, Scope
from controlroom.network.renderers.cloud_documents import description, grouped, safe_name
from controlroom.network.renderers.interface import TAG, refuse_symbolic

# "Amazon VPC quotas", defaults: rules a group, for each direction and family apart, and groups an interface. Both may be
# raised, to 1,000 rules times groups at the most.
RULES_A_GROUP = 60
GROUPS_AN_INTERFACE = 5
SCOPES = frozenset({Scope.HOST})

_LONGEST_NAME = 255
_LONGEST_DESCRIPTION = 255
# What descriptions may hold (EC2 API, AuthorizeSecurityGroupIngress): a-z, A-Z, 0-9, spaces and these.
_ODD_IN_DESCRIPTIONS = r"[^A-Za-z0-9 ._\-:/()#,@\[\]+=&;{}!$*]"
_EVERY_PROTOCOL = "-1"


@dataclass(frozen=True, slots=True)
class Permission:
    """One protocol and port range for one prefix; ports are -1 where the protocol has none."""

    description: str
    family: Family
    protocol: str
    low: int
    high: int
    prefix: str


@dataclass(slots=True)
class Group:
    """One security group."""

    name: str
    description: str
    permissions: dict[Direction, list[Permission]] = field(
        default_factory=lambda: {Direction.INBOUND: [], Direction.OUTBOUND: []}
    )


def security_groups(projection: Projection, target: str) -> tuple[Group, ...]:
    """Return the host's groups; raise `CannotExpress` where an interface cannot carry so many."""
    refuse_symbolic(projection, target)
    wanted = {
        direction: _everything()
        if direction not in projection.permits
        else list(_permissions(projection, direction))
        for direction in (Direction.INBOUND, Direction.OUTBOUND)
    }
    groups: list[Group] = [_group(projection, 1)]
    for direction, permissions in wanted.items():
        for family in Family:
            mine = [one for one in permissions if one.family is family]
            _refuse_too_many(projection, direction, family, len(mine))
            for number, start in enumerate(range(0, len(mine), RULES_A_GROUP)):
                if number == len(groups):
                    groups.append(_group(projection, number + 1))
                groups[number].permissions[direction].extend(mine[start : start + RULES_A_GROUP])
    return tuple(groups)


def tags(projection: Projection) -> dict[str, str]:
    """Return the tags by which a group is known as ours, and as whose."""
    return {TAG: projection.name, f"{TAG}-site": projection.site}


def _group(projection: Projection, number: int) -> Group:
    name = f"{TAG}-{safe_name(projection.name, odd=r'[^a-z0-9_.-]', longest=_LONGEST_NAME - 20)}"
    text = f"{TAG}: host {projection.name} in site {projection.site}, group {number}"
    return Group(name if number == 1 else f"{name}-{number}", _described(text))


def _permissions(projection: Projection, direction: Direction) -> Iterator[Permission]:
    for permit in grouped(projection, direction):
        far = permit.sources if direction is Direction.INBOUND else permit.destinations
        text = _described(f"{TAG}: {permit.flow}: {permit.purpose}")
        for low, high in permit.ports:
            for prefix in _written(permit.family, far):
                yield Permission(text, permit.family, str(permit.transport), low, high, prefix)


def _everything() -> list[Permission]:
    text = f"{TAG}: the site does not filter this direction"
    return [
        Permission(text, family, _EVERY_PROTOCOL, -1, -1, _written(family, family.everything)[0])
        for family in Family
    ]


def _written(family: Family, addresses: IntervalSet) -> list[str]:
    # AWS wants a length on every prefix, single addresses too.
    return [f"{format_address(family, low)}/{length}" for low, length in prefixes(family, addresses)]


def _described(text: str) -> str:
    return description(text, odd=_ODD_IN_DESCRIPTIONS, longest=_LONGEST_DESCRIPTION)


def _refuse_too_many(projection: Projection, direction: Direction, family: Family, found: int) -> None:
    most = RULES_A_GROUP * GROUPS_AN_INTERFACE
    if found > most:
        raise CannotExpress(
            f"host {projection.name!r} needs {found:,} {direction} rules of {family.title} (prefixes times port ranges), "
            f"and {GROUPS_AN_INTERFACE} security groups of {RULES_A_GROUP} rules hold {most}; declare wider prefixes "
            "in the site, or divide the host's roles"
        )
