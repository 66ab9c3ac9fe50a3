"""Renders FortiGate (FortiOS 6.4 and newer): addresses, services and policies of ours, each policy of one family.

Policies name no interfaces, as the contract speaks of addresses. They have numbers of their own, far from those that
the device gives, so that loading them twice is loading them once; the last one denies all else.
"""

from collections.abc import Iterator

from controlroom.network.addresses import Family, format_address, prefixes
from controlroom.network.intervals import IntervalSet
from controlroom.network.policy import Permit
from controlroom.network.projection import Projection
from controlroom.network.renderers.border_objects import (
    BORDER,
    MEND,
    Sets,
    about,
    crossings,
    device_rendering,
    generation,
    netmask,
    remark,
)
from controlroom.network.renderers.cloud_documents import chunks, refuse_more_than
from controlroom.network.renderers.fortigate_steps import fortigate_removal, fortigate_steps
from controlroom.network.renderers.interface import TAG, Rendering, refuse_symbolic

# Members of a group on the smallest models, cautious and not confirmed. Policies: what our numbers hold.
MOST_MEMBERS = 300
MOST_POLICIES = 99_998
# "config firewall policy": the longest comment, not confirmed. Our names stay below the 63 signs of FortiOS 6.0.
LONGEST_COMMENT = 1023
# Policy numbers go to 4,294,967,294; a generation has a hundred thousand of its own, from a million on.
_NUMBERS, _FIRST, _GENERATIONS = 100_000, 1_000_000, 42_900
_SIDES = {Family.IPV4: ("srcaddr", "dstaddr"), Family.IPV6: ("srcaddr6", "dstaddr6")}


class FortigateRenderer:
    """Objects and policies under names and numbers of their own."""

    name = "fortigate"
    title = "FortiGate policies (borders)"
    scopes = BORDER
    parser = "fortigate"

    def render(self, projection: Projection) -> Rendering:
        """Return the configuration, the one that removes exactly what it sets, and the steps."""
        refuse_symbolic(projection, self.name)
        permits = crossings(projection)
        refuse_more_than(MOST_POLICIES, len(permits) + 1, "policies", MEND)
        sets = Sets(generation(permits))
        base = _FIRST + int(sets.mark.rpartition("-")[2], 16) % _GENERATIONS * _NUMBERS
        policies = [
            line for number, one in enumerate(permits, start=1) for line in _policy(base, number, one, sets)
        ]
        policies += _denial(base + len(permits) + 1, sets)
        tables = [
            *_groups(sets),
            *_table("firewall service custom", [line for one in _services(sets) for line in one]),
        ]
        text = "\n".join(
            [
                f"# {TAG}: firewall of border {projection.name} in site {projection.site}. Default deny.",
                *_addresses(sets),
                *tables,
                *_table("firewall policy", policies),
                "",
            ]
        )
        return device_rendering(
            self.name,
            projection,
            "conf",
            rules=text,
            removal=fortigate_removal(text),
            steps=lambda stem: fortigate_steps(stem, sets.mark),
        )


RENDERER = FortigateRenderer()


def _table(path: str, lines: list[str]) -> list[str]:
    return [f"config {path}", *lines, "end"] if lines else []


def _edit(name: str, *settings: str) -> list[str]:
    return [f"    edit {name}", *(f"        set {one}" for one in settings), "    next"]


def _policy(base: int, number: int, permit: Permit, sets: Sets) -> list[str]:
    sources, destinations = _SIDES[permit.family]
    return _edit(
        str(base + number),
        f'name "{sets.mark}-{number}"',
        'srcintf "any"',
        'dstintf "any"',
        "action accept",
        f'{sources} "{_side(permit.family, permit.sources, sets)}"',
        f'{destinations} "{_side(permit.family, permit.destinations, sets)}"',
        'schedule "always"',
        f'service "{sets.refer(f"{permit.transport}-", permit.ports)}"',
        f'comments "{remark(about(permit), LONGEST_COMMENT)}"',
    )


def _denial(number: int, sets: Sets) -> list[str]:
    return _edit(
        str(number),
        f'name "{sets.mark}-deny"',
        'srcintf "any"',
        'dstintf "any"',
        "action deny",
        'srcaddr "all"',
        'dstaddr "all"',
        'srcaddr6 "all"',
        'dstaddr6 "all"',
        'schedule "always"',
        'service "ALL"',
        f'comments "{TAG}: default deny"',
    )


def _side(family: Family, addresses: IntervalSet, sets: Sets) -> str:
    if len(addresses) == 1:
        return sets.refer(f"address{family.value}-", addresses)
    return sets.refer(f"group{family.value}-", addresses)


def _groups(sets: Sets) -> Iterator[str]:
    for family in Family:
        lines: list[str] = []
        for name, addresses in sets.of_kind(f"group{family.value}-"):
            members = [sets.refer(f"address{family.value}-", IntervalSet((one,))) for one in addresses]
            parts = list(chunks(members, MOST_MEMBERS))
            # A group of more members than one takes is a group of groups.
            names = [name] if len(parts) == 1 else [f"{name}-{number}" for number in range(1, len(parts) + 1)]
            for part_name, part in zip(names, parts, strict=True):
                lines += _group(part_name, list(part))
            if len(parts) > 1:
                lines += _group(name, names)
        yield from _table("firewall addrgrp" if family is Family.IPV4 else "firewall addrgrp6", lines)


def _group(name: str, members: list[str]) -> list[str]:
    return _edit(f'"{name}"', "member " + " ".join(f'"{one}"' for one in members), f'comment "{TAG}"')


def _addresses(sets: Sets) -> Iterator[str]:
    # Groups are read for their members before the addresses are written.
    list(_groups(sets))
    for family in Family:
        lines: list[str] = []
        for name, addresses in sets.of_kind(f"address{family.value}-"):
            lines += _edit(f'"{name}"', *_address(family, addresses), f'comment "{TAG}"')
        yield from _table("firewall address" if family is Family.IPV4 else "firewall address6", lines)


def _address(family: Family, addresses: IntervalSet) -> list[str]:
    found = list(prefixes(family, addresses))
    low, high = (format_address(family, one) for one in addresses.intervals[0])
    if len(found) > 1:
        return ["type iprange", f"start-ip {low}", f"end-ip {high}"]
    if family is Family.IPV4:
        return ["type ipmask", f"subnet {low} {netmask(found[0][1])}"]
    return ["type ipprefix", f"ip6 {low}/{found[0][1]}"]


def _services(sets: Sets) -> Iterator[list[str]]:
    for transport in ("tcp", "udp"):
        for name, ports in sets.of_kind(f"{transport}-"):
            ranges = " ".join(str(low) if low == high else f"{low}-{high}" for low, high in ports)
            yield _edit(
                f'"{name}"',
                "protocol TCP/UDP/SCTP",
                f"{transport}-portrange {ranges}",
                f'comment "{TAG}"',
            )
