"""Renders ufw: rules that ``ufw status`` lists with their flow, and one block that makes them all there is.

The rules go into ``user.rules`` and ``user6.rules`` in the very words in which ufw writes them itself, each with a
comment that begins with our tag. What ufw's own ``before.rules`` opens besides (echo, DHCP, mDNS, SSDP) is no part of
a contract, so that a marked block in ``before.rules`` and ``before6.rules`` asks the user's rules first and then drops.
"""

from collections.abc import Iterator

from controlroom.network.addresses import ANYWHERE_V4, ANYWHERE_V6, Family, format_prefixes
from controlroom.network.baseline import (
    NEIGHBOUR_DISCOVERY,
    NEIGHBOUR_DISCOVERY_NAME,
    NEIGHBOUR_DISCOVERY_PURPOSE,
    needs_neighbour_discovery,
)
from controlroom.network.errors import CannotExpress
from controlroom.network.intervals import Interval, IntervalSet
from controlroom.network.policy import Permit
from controlroom.network.ports import single_ports
from controlroom.network.projection import Direction, Projection, Scope
from controlroom.network.renderers.interface import TAG, RenderedFile, Rendering, refuse_symbolic
from controlroom.network.renderers.ufw_steps import ufw_script

BLOCK_BEGIN = f"# BEGIN {TAG}"
BLOCK_END = f"# END {TAG}"
# ufw's chains, the interface option that loopback is known by there, and how a tuple names the direction.
_CHAINS = {
    Direction.INBOUND: ("input", "-i lo", "in"),
    Direction.OUTBOUND: ("output", "-o lo", "out"),
    Direction.FORWARD: ("forward", "", "in"),
}
# The user's chains exist before before.rules is read only where it makes them; ufw makes all or none.
_USER_CHAINS = (
    "input",
    "output",
    "forward",
    "logging-input",
    "logging-output",
    "logging-forward",
    "limit",
    "limit-accept",
)
# ufw takes 15 ports a rule, a range counting as two (ufw.common.UFWRule.set_port).
_PORT_SLOTS = 15
# One rule has one source and one destination prefix; iptables tries them one by one, and ufw rewrites all of them
# with every command.
MOST_RULES = 20_000


class UfwRenderer:
    """Four fragments, for the user's rules and for the block before them in each family, and one script."""

    name = "ufw"
    title = "ufw on Debian and Ubuntu"
    scopes = frozenset(Scope)
    parser = "ufw"

    def render(self, projection: Projection) -> Rendering:
        """Return the files; raise `CannotExpress` where they would be too many rules for ufw."""
        refuse_symbolic(projection, self.name)
        _refuse_too_many(projection)
        files = []
        for family in Family:
            six = "6" if family is Family.IPV6 else ""
            user = "".join(f"{line}\n" for line in _user_file(projection, family))
            before = "".join(f"{line}\n" for line in _before_file(projection, family))
            files += [
                RenderedFile(f"{projection.name}-user{six}.rules", user),
                RenderedFile(f"{projection.name}-before{six}.rules", before),
            ]
        script = RenderedFile(
            f"{projection.name}-ufw.sh", ufw_script(projection.name), is_rules=False, executable=True
        )
        return Rendering(self.name, (*files, script))


RENDERER = UfwRenderer()


def _refuse_too_many(projection: Projection) -> None:
    count = 0
    for permits in projection.permits.values():
        for permit in permits:
            sources, destinations = (
                sum(1 for _ in format_prefixes(permit.family, side))
                for side in (permit.sources, permit.destinations)
            )
            count += sources * destinations * sum(1 for _ in _port_groups(permit.ports))
    if count > MOST_RULES:
        raise CannotExpress(
            f"ufw has one source and one destination a rule: {projection.name} would need {count} rules, "
            f"more than {MOST_RULES}; take nftables or iptables, which have sets"
        )


def _prefix(family: Family) -> str:
    return "ufw" if family is Family.IPV4 else "ufw6"


def _head(projection: Projection, family: Family, what: str) -> Iterator[str]:
    kind = "host" if projection.scope is Scope.HOST else "border"
    yield f"# {TAG}: {family.title} {what} of {kind} {projection.name} in site {projection.site}"
    yield "# Put in place by the script beside it, which checks, applies with a timed roll-back, and rolls back."


def _user_file(projection: Projection, family: Family) -> Iterator[str]:
    yield from _head(projection, family, "rules for ufw")
    yield "*filter"
    for direction in projection.filtered:
        yield f":{_prefix(family)}-user-{_CHAINS[direction][0]} - [0:0]"
    yield "### RULES ###"
    yield ""
    for direction in projection.filtered:
        for permit in projection.permits[direction]:
            if permit.family is family:
                yield from _rules(permit, direction)
    yield "### END RULES ###"
    yield "COMMIT"


def _rules(permit: Permit, direction: Direction) -> Iterator[str]:
    """Yield a permit's rules: ufw's own record of each, the line that is loaded, and an empty line."""
    chain, _, way = _CHAINS[direction]
    action = "route:allow" if direction is Direction.FORWARD else "allow"
    comment = f"{TAG}: {permit.flow}".encode().hex()
    anywhere = ANYWHERE_V4 if permit.family is Family.IPV4 else ANYWHERE_V6
    for destination in format_prefixes(permit.family, permit.destinations):
        for source in format_prefixes(permit.family, permit.sources):
            to = "" if destination == anywhere else f" -d {destination}"
            from_ = "" if source == anywhere else f" -s {source}"
            for ports, several in _port_groups(permit.ports):
                many = f" -m multiport --dports {ports}" if several else ""
                one = "" if several else f" --dport {ports}"
                tuple_ = f"{action} {permit.transport} {ports} {destination} any {source} {way}"
                yield f"### tuple ### {tuple_} comment={comment}"
                head = f"-A {_prefix(permit.family)}-user-{chain} -p {permit.transport}"
                yield f"{head}{many}{to}{one}{from_} -j ACCEPT"
                yield ""


def _port_groups(ports: IntervalSet) -> Iterator[tuple[str, bool]]:
    """Yield the ports of each rule as ufw writes them, and whether they are more than one port."""
    group: list[str] = []
    slots = 0
    for interval in ports:
        wanted = 1 if interval[0] == interval[1] else 2
        if slots + wanted > _PORT_SLOTS:
            yield ",".join(group), True
            group, slots = [], 0
        group.append(_written(interval))
        slots += wanted
    yield ",".join(group), slots > 1


def _written(interval: Interval) -> str:
    low, high = interval
    return str(low) if low == high else f"{low}:{high}"


def _before_file(projection: Projection, family: Family) -> Iterator[str]:
    prefix = _prefix(family)
    yield from _head(projection, family, "block before ufw's own rules")
    yield "*filter"
    for direction in _passing(projection):
        yield f":{prefix}-before-{_CHAINS[direction][0]} - [0:0]"
    yield BLOCK_BEGIN
    yield "# The user's rules decide, and what none of them lets pass is dropped."
    for chain in _USER_CHAINS:
        yield f":{prefix}-user-{chain} - [0:0]"
    for direction in _passing(projection):
        chain, loopback, _ = _CHAINS[direction]
        add = f"-A {prefix}-before-{chain}"
        if loopback:
            yield f"{add} {loopback} {_comment('local')} -j ACCEPT"
        yield f"{add} -m conntrack --ctstate RELATED,ESTABLISHED {_comment('replies')} -j ACCEPT"
        if direction not in projection.permits:
            continue
        if family is Family.IPV6 and needs_neighbour_discovery(projection):
            yield f"# {NEIGHBOUR_DISCOVERY_NAME}: {NEIGHBOUR_DISCOVERY_PURPOSE}"
            for kind in single_ports(NEIGHBOUR_DISCOVERY):
                match = f"-p icmpv6 --icmpv6-type {kind}"
                yield f"{add} {match} {_comment(NEIGHBOUR_DISCOVERY_NAME)} -j ACCEPT"
        yield f"{add} {_comment('listed by ufw status')} -j {prefix}-user-{chain}"
        yield f"{add} {_comment('default deny')} -j DROP"
    yield BLOCK_END
    yield "COMMIT"


def _passing(projection: Projection) -> tuple[Direction, ...]:
    """Return the directions in which packets pass: replies go the other way, filtered or not."""
    if projection.scope is Scope.BORDER:
        return (Direction.FORWARD,)
    return (Direction.INBOUND, Direction.OUTBOUND)


def _comment(text: str) -> str:
    return f'-m comment --comment "{TAG}: {text}"'
