"""The rules of a host as Windows Firewall words them; PowerShell and netsh are two ways to write them down."""

from collections.abc import Iterator
from dataclasses import dataclass

from controlroom.network.addresses import Family, format_address, format_prefixes
from controlroom.network.baseline import (
    NEIGHBOUR_DISCOVERY,
    NEIGHBOUR_DISCOVERY_NAME,
    NEIGHBOUR_DISCOVERY_PURPOSE,
    needs_neighbour_discovery,
)
from controlroom.network.intervals import IntervalSet
from controlroom.network.ports import format_ports, single_ports
from controlroom.network.projection import Direction, Projection

EVERYWHERE = "Any"


@dataclass(frozen=True, slots=True)
class WrittenRule:
    """One allowing rule; an address list of ``Any`` is of the family of the other side."""

    flow: str
    purpose: str
    direction: Direction
    protocol: str
    local: tuple[str, ...] = (EVERYWHERE,)
    remote: tuple[str, ...] = (EVERYWHERE,)
    ports: tuple[str, ...] = ()
    icmp_types: tuple[int, ...] = ()


def written_rules(projection: Projection, most_addresses: int) -> Iterator[WrittenRule]:
    """Yield the rules of a host, none of them with more remote addresses than given."""
    for direction in projection.filtered:
        if needs_neighbour_discovery(projection):
            yield WrittenRule(
                NEIGHBOUR_DISCOVERY_NAME,
                NEIGHBOUR_DISCOVERY_PURPOSE,
                direction,
                "ICMPv6",
                icmp_types=tuple(single_ports(NEIGHBOUR_DISCOVERY)),
            )
        inbound = direction is Direction.INBOUND
        for permit in projection.permits[direction]:
            local, remote = (
                (permit.destinations, permit.sources) if inbound else (permit.sources, permit.destinations)
            )
            remotes = _addresses(permit.family, remote)
            ports = tuple(format_ports(permit.ports, separator=",").split(","))
            for start in range(0, len(remotes), most_addresses):
                yield WrittenRule(
                    permit.flow,
                    permit.purpose,
                    direction,
                    permit.transport.upper(),
                    tuple(_addresses(permit.family, local)),
                    tuple(remotes[start : start + most_addresses]),
                    ports,
                )


def _addresses(family: Family, addresses: IntervalSet) -> list[str]:
    """Write a set as Windows takes it: addresses, prefixes and ranges, and one word for every address."""
    if addresses == family.everything:
        return [EVERYWHERE]
    written: list[str] = []
    for low, high in addresses:
        prefixes = format_prefixes(family, IntervalSet(((low, high),)))
        if len(prefixes) == 1:
            written += prefixes
        else:
            written.append(f"{format_address(family, low)}-{format_address(family, high)}")
    return written


def plain(text: str) -> str:
    """Return a text that no shell, console or code page takes for more than words: printable ASCII without quotes."""
    return "".join(
        character if (character.isalnum() and character.isascii()) or character in " .,:;()/_+-" else "?"
        for character in text
    )
