"""Renders iptables and ip6tables with ipset: chains of our own, loaded beside whatever else there is.

Sets are named after their content, so that a set never changes under the rules that use it, and loading the same
rendering twice changes nothing.
"""

import hashlib
from collections.abc import Iterator

from controlroom.network.addresses import Family, format_prefixes
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
from controlroom.network.renderers.iptables_steps import iptables_script

CHAINS = {
    Direction.INBOUND: ("CONTROLROOM-IN", "INPUT", "-i lo"),
    Direction.OUTBOUND: ("CONTROLROOM-OUT", "OUTPUT", "-o lo"),
    Direction.FORWARD: ("CONTROLROOM-FWD", "FORWARD", ""),
}
# The match extension multiport takes 15 ports, a range counting as two (iptables-extensions(8)).
_MULTIPORT_SLOTS = 15
# ipset's default is 65,536 elements a set (ipset(8), maxelem); a larger one is refused with the number.
_LARGEST_SET = 1_000_000


class IptablesRenderer:
    """Three files, for ipset, iptables and ip6tables, and one script that loads them in the right order."""

    name = "iptables"
    title = "iptables and ip6tables with ipset on Linux"
    scopes = frozenset(Scope)
    parser = "iptables"

    def render(self, projection: Projection) -> Rendering:
        """Return the files; raise `CannotExpress` for a set that ipset cannot hold."""
        refuse_symbolic(projection, self.name)
        sets = _Sets()
        name = projection.name
        rules = {family: "\n".join(_table(projection, family, sets)) + "\n" for family in Family}
        return Rendering(
            self.name,
            (
                RenderedFile(f"{name}.ipset", "".join(f"{line}\n" for line in sets.lines())),
                RenderedFile(f"{name}.rules4", rules[Family.IPV4]),
                RenderedFile(f"{name}.rules6", rules[Family.IPV6]),
                RenderedFile(
                    f"{name}-iptables.sh",
                    iptables_script(name, [CHAINS[one][:2] for one in projection.filtered]),
                    is_rules=False,
                    executable=True,
                ),
            ),
        )


RENDERER = IptablesRenderer()


class _Sets:
    def __init__(self) -> None:
        self._sets: dict[str, tuple[Family, list[str]]] = {}

    def refer(self, family: Family, addresses: IntervalSet, side: str) -> str:
        """Return the match on one side: a prefix in place, nothing for every address, or a set."""
        prefixes = format_prefixes(family, addresses)
        flag = "-s" if side == "src" else "-d"
        if len(prefixes) == 1:
            return f"{flag} {prefixes[0]}"
        if len(prefixes) > _LARGEST_SET:
            raise CannotExpress(
                f"a set of {len(prefixes)} prefixes is more than {_LARGEST_SET} that ipset is given"
            )
        content = hashlib.sha256("\n".join(prefixes).encode()).hexdigest()[:16]
        name = f"{TAG}{family.value}-{content}"
        self._sets[name] = (family, prefixes)
        return f"-m set --match-set {name} {side}"

    def lines(self) -> Iterator[str]:
        for name, (family, prefixes) in sorted(self._sets.items()):
            kind = "inet" if family is Family.IPV4 else "inet6"
            yield f"create {name} hash:net family {kind} maxelem {max(65_536, len(prefixes))} -exist"
            for prefix in prefixes:
                yield f"add {name} {prefix} -exist"


def _table(projection: Projection, family: Family, sets: _Sets) -> Iterator[str]:
    what = "host" if projection.scope is Scope.HOST else "border"
    yield f"# {TAG}: {family.title} firewall of {what} {projection.name} in site {projection.site}"
    yield "# Default deny. Load with the script beside it, which checks, applies with a timed roll-back, and rolls back."
    yield "*filter"
    for direction in projection.filtered:
        yield f":{CHAINS[direction][0]} - [0:0]"
    for direction in projection.filtered:
        yield f"-I {CHAINS[direction][1]} 1 -j {CHAINS[direction][0]}"
    for direction in projection.filtered:
        yield from _chain(projection, direction, family, sets)
    yield "COMMIT"


def _chain(projection: Projection, direction: Direction, family: Family, sets: _Sets) -> Iterator[str]:
    chain, _, loopback = CHAINS[direction]
    add = f"-A {chain}"
    if loopback:
        yield f"{add} {loopback} {_comment('local')} -j ACCEPT"
    yield f"{add} -m conntrack --ctstate RELATED,ESTABLISHED {_comment('replies')} -j ACCEPT"
    if family is Family.IPV6 and needs_neighbour_discovery(projection):
        yield f"# {NEIGHBOUR_DISCOVERY_NAME}: {NEIGHBOUR_DISCOVERY_PURPOSE}"
        for kind in single_ports(NEIGHBOUR_DISCOVERY):
            match = f"-p ipv6-icmp -m icmp6 --icmpv6-type {kind}"
            yield f"{add} {match} {_comment(NEIGHBOUR_DISCOVERY_NAME)} -j ACCEPT"
    told = ""
    for permit in projection.permits[direction]:
        if permit.family is not family:
            continue
        if permit.flow != told:
            yield f"# {permit.flow}: {permit.purpose}"
            told = permit.flow
        yield from (f"{add} {match} {_comment(permit.flow)} -j ACCEPT" for match in _matches(permit, sets))
    yield f"{add} {_comment('default deny')} -j DROP"


def _matches(permit: Permit, sets: _Sets) -> Iterator[str]:
    sources = sets.refer(permit.family, permit.sources, "src")
    destinations = sets.refer(permit.family, permit.destinations, "dst")
    for ports in _port_matches(permit):
        # iptables-save prints addresses before the protocol and extensions behind it; so do we.
        plain = [one for one in (sources, destinations) if not one.startswith("-m")]
        extended = [one for one in (sources, destinations) if one.startswith("-m")]
        yield " ".join([*plain, f"-p {permit.transport}", *extended, ports])


def _port_matches(permit: Permit) -> Iterator[str]:
    intervals = list(permit.ports)
    if len(intervals) == 1:
        yield f"-m {permit.transport} --dport {_written(intervals[0])}"
        return
    chunk: list[Interval] = []
    slots = 0
    for interval in intervals:
        wanted = 1 if interval[0] == interval[1] else 2
        if slots + wanted > _MULTIPORT_SLOTS:
            yield _multiport(chunk)
            chunk, slots = [], 0
        chunk.append(interval)
        slots += wanted
    yield _multiport(chunk)


def _multiport(intervals: list[Interval]) -> str:
    return f"-m multiport --dports {','.join(_written(interval) for interval in intervals)}"


def _written(interval: Interval) -> str:
    low, high = interval
    return str(low) if low == high else f"{low}:{high}"


def _comment(text: str) -> str:
    return f'-m comment --comment "{TAG}: {text}"'
