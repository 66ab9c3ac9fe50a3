"""Renders Palo Alto PAN-OS: ``set`` commands for objects, services and security rules that carry our tag.

Rules name no zones, as the contract speaks of addresses. They come behind the rules that are there, and end in a
denial of all else, because the platform's own last rule lets everything pass within a zone.
"""

from collections.abc import Iterator

from controlroom.network.addresses import Family, format_address, prefixes
from controlroom.network.errors import CannotExpress
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
    remark,
)
from controlroom.network.renderers.cloud_documents import chunks, refuse_more_than
from controlroom.network.renderers.interface import TAG, Rendering, refuse_symbolic
from controlroom.network.renderers.palo_alto_steps import palo_alto_removal, palo_alto_steps

# Members of a static group and signs of a service's ports, cautious and not confirmed; of a description 1,023
# ("Addresses Fields", which also gives names 63 signs: letters, digits, spaces, hyphens, underscores).
MOST_MEMBERS = 2500
LONGEST_PORTS = 1023
LONGEST_DESCRIPTION = 1023
# The capacity of the largest devices ("Product Selection"); smaller ones say at the commit what they take.
MOST_RULES = 65_000
_INLINE = 4
_RULE = "set rulebase security rules"


class PaloAltoRenderer:
    """Objects and rules under names of their own, in the configuration mode's set format."""

    name = "palo-alto"
    title = "Palo Alto PAN-OS set commands (borders)"
    scopes = BORDER
    parser = "palo-alto"

    def render(self, projection: Projection) -> Rendering:
        """Return the commands, those that remove exactly what they set, and the steps."""
        refuse_symbolic(projection, self.name)
        permits = crossings(projection)
        refuse_more_than(MOST_RULES, len(permits) + 1, "security rules", MEND)
        sets = Sets(generation(permits))
        rules = [line for number, one in enumerate(permits, start=1) for line in _rule(number, one, sets)]
        groups = list(_groups(sets))
        objects = [*_addresses(sets), *groups, *_services(sets)]
        what = remark(f"{TAG}: border {projection.name} in site {projection.site}", LONGEST_DESCRIPTION)
        tag = f'set tag {sets.mark} comments "{what}"'
        text = "\n".join([tag, *objects, *rules, *_denial(sets), ""])
        return device_rendering(
            self.name,
            projection,
            "set",
            rules=text,
            removal=palo_alto_removal(text),
            steps=lambda stem: palo_alto_steps(stem, sets.mark),
        )


RENDERER = PaloAltoRenderer()


def _rule(number: int, permit: Permit, sets: Sets) -> Iterator[str]:
    sides = (_side(permit.family, one, sets) for one in (permit.sources, permit.destinations))
    source, destination = sides
    if len(_port_list(permit.ports)) > LONGEST_PORTS:
        raise CannotExpress(
            f"flow {permit.flow!r} has {len(permit.ports)} ranges of ports, more than the {LONGEST_PORTS} characters "
            "that a service takes; declare wider ranges"
        )
    service = sets.refer(f"{permit.transport}-", permit.ports)
    head = f"{_RULE} {sets.mark}-{number}"
    yield (
        f"{head} from any to any source {source} destination {destination} source-user any category any "
        f"application any service {service} action allow"
    )
    yield f"{head} tag {sets.mark}"
    yield f'{head} description "{remark(about(permit), LONGEST_DESCRIPTION)}"'


def _denial(sets: Sets) -> Iterator[str]:
    head = f"{_RULE} {sets.mark}-deny"
    yield (
        f"{head} from any to any source any destination any source-user any category any application any service any "
        "action deny"
    )
    yield f"{head} tag {sets.mark}"
    yield f'{head} description "{TAG}: default deny"'


def _side(family: Family, addresses: IntervalSet, sets: Sets) -> str:
    """Return a side as a name, or a list of names; never ``any``, which would mean both families."""
    parts = _parts(addresses)
    if len(parts) > _INLINE:
        return sets.refer(f"group{family.value}-", addresses)
    names = [sets.refer(f"address{family.value}-", part) for part in parts]
    return names[0] if len(names) == 1 else f"[ {' '.join(names)} ]"


def _parts(addresses: IntervalSet) -> list[IntervalSet]:
    """Cut a set into what one address object says: a prefix, or a range that is none."""
    return [IntervalSet((one,)) for one in addresses]


def _groups(sets: Sets) -> Iterator[str]:
    for family in Family:
        for name, addresses in sets.of_kind(f"group{family.value}-"):
            members = [sets.refer(f"address{family.value}-", part) for part in _parts(addresses)]
            parts = list(chunks(members, MOST_MEMBERS))
            # A group of more members than one takes is a group of groups.
            names = [name] if len(parts) == 1 else [f"{name}-{number}" for number in range(1, len(parts) + 1)]
            for part_name, part in zip(names, parts, strict=True):
                yield f"set address-group {part_name} static [ {' '.join(part)} ]"
            if len(parts) > 1:
                yield f"set address-group {name} static [ {' '.join(names)} ]"


def _addresses(sets: Sets) -> Iterator[str]:
    for family in Family:
        for name, addresses in sets.of_kind(f"address{family.value}-"):
            (low, high) = addresses.intervals[0]
            found = list(prefixes(family, addresses))
            if len(found) == 1:
                yield f"set address {name} ip-netmask {format_address(family, low)}/{found[0][1]}"
            else:
                ends = f"{format_address(family, low)}-{format_address(family, high)}"
                yield f"set address {name} ip-range {ends}"


def _services(sets: Sets) -> Iterator[str]:
    for transport in ("tcp", "udp"):
        for name, ports in sets.of_kind(f"{transport}-"):
            yield f"set service {name} protocol {transport} port {_port_list(ports)}"


def _port_list(ports: IntervalSet) -> str:
    return ",".join(str(low) if low == high else f"{low}-{high}" for low, high in ports)
