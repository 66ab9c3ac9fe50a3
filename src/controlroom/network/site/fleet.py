"""Spells a fleet, many like hosts written as address ranges, out into its hosts."""

from collections.abc import Iterator
from dataclasses import replace

from controlroom.network.addresses import Addresses, Family
from controlroom.network.intervals import IntervalSet
from controlroom.network.site.model import Party
from controlroom.network.site.toml import Table

# A fleet beyond this is more likely a prefix that was meant for a zone.
LARGEST_FLEET = 100_000


def spell_out(whole: Party, table: Table) -> Iterator[Party]:
    """Yield the fleet's hosts, numbered from 1; each takes the next address of each family.

    Both families, where both are given, must hold equally many addresses.
    """
    sizes = {family.title: whole.addresses.of(family).size for family in whole.addresses.families}
    if len(set(sizes.values())) > 1:
        counted = " and ".join(f"{size} {title}" for title, size in sizes.items())
        table.refuse("addresses", f"the fleet has {counted} addresses; each host needs one of each")
    size = next(iter(sizes.values()))
    if size > LARGEST_FLEET:
        table.refuse(
            "addresses", f"{size} hosts are more than a fleet's {LARGEST_FLEET}; is this a zone's prefix?"
        )
    width = len(str(size))
    columns = [_one_by_one(whole.addresses.of(family)) for family in Family]
    for number in range(1, size + 1):
        v4, v6 = (next(column, IntervalSet()) for column in columns)
        yield replace(
            whole, name=f"{whole.name}-{number:0{width}}", addresses=Addresses(v4, v6), fleet=whole.name
        )


def _one_by_one(addresses: IntervalSet) -> Iterator[IntervalSet]:
    for low, high in addresses:
        for value in range(low, high + 1):
            yield IntervalSet.single(value)
