"""Renders firewalld (0.9 and newer): a policy for each filtered direction, asked before every zone, and ipsets.

A policy from ANY to HOST, or from HOST to ANY, of the lowest priority comes before all zones and before firewalld's
own policy for IPv6, and drops what it does not accept: whatever the zones open, nothing else passes. Sets are named
after their content, so that a set never changes under the rules that use it.
"""

import hashlib
import re
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
from controlroom.network.projection import Direction, Projection, Scope
from controlroom.network.renderers.firewalld_steps import firewalld_script
from controlroom.network.renderers.interface import TAG, RenderedFile, Rendering, refuse_symbolic

# A policy's name has at most 18 characters, and what is asked first has the lowest number (firewalld.policies(5)).
_POLICIES = {
    Direction.INBOUND: (f"{TAG}-in", "ANY", "HOST"),
    Direction.OUTBOUND: (f"{TAG}-out", "HOST", "ANY"),
    Direction.FORWARD: (f"{TAG}-fwd", "ANY", "ANY"),
}
_FIRST = -32768
# Each rule goes through firewalld's Python; beyond this a reload takes minutes.
MOST_RULES = 10_000
_DEFAULT_MAXELEM = 65_536
_NOT_XML = re.compile("[^\t\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_DECLARATION = '<?xml version="1.0" encoding="utf-8"?>'


class FirewalldRenderer:
    """Policies and ipsets as files of firewalld's own, and one script that puts them in place."""

    name = "firewalld"
    title = "firewalld 0.9 and newer on Red Hat, SUSE, Fedora and others"
    scopes = frozenset(Scope)
    parser = "firewalld"

    def render(self, projection: Projection) -> Rendering:
        """Return the files; raise `CannotExpress` where they would be too many rules for firewalld."""
        refuse_symbolic(projection, self.name)
        count = sum(len(permit.ports) for permits in projection.permits.values() for permit in permits)
        if count > MOST_RULES:
            raise CannotExpress(
                f"firewalld has one range of ports a rule: {projection.name} would need {count} rules, more than "
                f"{MOST_RULES}; take nftables"
            )
        folder = f"{projection.name}-firewalld"
        sets = _Sets()
        policies = [
            RenderedFile(
                f"{folder}/policies/{_POLICIES[direction][0]}.xml",
                "".join(f"{line}\n" for line in _policy(projection, direction, sets)),
            )
            for direction in projection.filtered
        ]
        ipsets = [RenderedFile(f"{folder}/ipsets/{name}.xml", text) for name, text in sets.files()]
        script = RenderedFile(f"{folder}.sh", firewalld_script(folder), is_rules=False, executable=True)
        return Rendering(self.name, (*policies, *ipsets, script))


RENDERER = FirewalldRenderer()


class _Sets:
    def __init__(self) -> None:
        self._files: dict[str, str] = {}

    def refer(self, family: Family, addresses: IntervalSet, side: str) -> str:
        """Return the element of one side: nothing for every address, a prefix in place, or a set."""
        if addresses == family.everything:
            return ""
        prefixes = format_prefixes(family, addresses)
        if len(prefixes) == 1:
            return f'<{side} address="{prefixes[0]}"/>'
        return f'<{side} ipset="{self.add(family, "hash:net", prefixes)}"/>'

    def add(self, family: Family, kind: str, entries: list[str]) -> str:
        content = hashlib.sha256("\n".join(entries).encode()).hexdigest()[:16]
        name = f"{TAG}{family.value}-{content}"
        options = [("family", "inet6")] if family is Family.IPV6 else []
        if len(entries) > _DEFAULT_MAXELEM:
            options.append(("maxelem", str(len(entries))))
        lines = [
            _DECLARATION,
            f'<ipset type="{kind}">',
            *(f'  <option name="{option}" value="{value}"/>' for option, value in options),
            *(f"  <entry>{entry}</entry>" for entry in entries),
            "</ipset>",
        ]
        self._files[name] = "".join(f"{line}\n" for line in lines)
        return name

    def files(self) -> Iterator[tuple[str, str]]:
        yield from sorted(self._files.items())


def _policy(projection: Projection, direction: Direction, sets: _Sets) -> Iterator[str]:
    _, ingress, egress = _POLICIES[direction]
    what = "host" if projection.scope is Scope.HOST else "border"
    yield _DECLARATION
    yield f'<policy priority="{_FIRST}" target="DROP">'
    yield f"  <short>{TAG}</short>"
    yield f"  <description>{direction} of {what} {projection.name} in site {projection.site}; default deny</description>"
    yield f'  <ingress-zone name="{ingress}"/>'
    yield f'  <egress-zone name="{egress}"/>'
    if needs_neighbour_discovery(projection):
        yield _comment(f"{NEIGHBOUR_DISCOVERY_NAME}: {NEIGHBOUR_DISCOVERY_PURPOSE}")
        types = sets.add(Family.IPV6, "hash:net,port", list(_icmpv6_entries()))
        yield _rule(Family.IPV6, f'<source ipset="{types}"/>')
    told = ""
    for permit in projection.permits[direction]:
        if permit.flow != told:
            yield _comment(f"{permit.flow}: {permit.purpose}")
            told = permit.flow
        yield from _rules(permit, sets)
    yield "</policy>"


def _rules(permit: Permit, sets: _Sets) -> Iterator[str]:
    sides = sets.refer(permit.family, permit.sources, "source") + sets.refer(
        permit.family, permit.destinations, "destination"
    )
    for low, high in permit.ports:
        port = str(low) if low == high else f"{low}-{high}"
        yield _rule(permit.family, f'{sides}<port port="{port}" protocol="{permit.transport}"/>')


def _rule(family: Family, body: str) -> str:
    return f'  <rule family="ipv{family.value}">{body}<accept/></rule>'


def _icmpv6_entries() -> Iterator[str]:
    """Yield neighbour discovery as entries of a set, because firewalld before 2.1 has no names for MLD.

    Where a port would stand, ICMPv6 has its type and code, type first, and that is how the kernel's sets see it.
    ipset takes no prefix of length 0, hence the two halves. 58 is ICMPv6, whose name firewalld takes with type names only.
    """
    for low, high in NEIGHBOUR_DISCOVERY:
        ports: Interval = (low << 8, (high << 8) + 255)
        for half in ("::/1", "8000::/1"):
            yield f"{half},58:{ports[0]}-{ports[1]}"


def _comment(text: str) -> str:
    """Return a comment; two hyphens would end it, and some characters are none of XML."""
    kept = _NOT_XML.sub("?", text).replace("--", "- -").replace("--", "- -")
    return f"  <!-- {kept} -->"
