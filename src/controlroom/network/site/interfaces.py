"""Reads which addresses lie behind each interface of a host, or of the border."""

from collections.abc import Mapping

from controlroom.network.addresses import EVERY_ADDRESS, Addresses, format_address, join
from controlroom.network.site.toml import Table

# What lies behind no other interface, as the default route has it.
ELSEWHERE = "elsewhere"


def read_interfaces(table: Table) -> Mapping[str, Addresses]:
    """Return the interfaces of ``interfaces = { eth0 = "elsewhere", docker0 = ["172.17.0.0/16"] }``; refuse doubles."""
    own = table.table("interfaces")
    found: dict[str, Addresses] = {}
    rest = ""
    for name, value in own.values.items():
        own.check_name(name, name)
        if value == ELSEWHERE and rest:
            own.refuse(name, f"{rest!r} leads elsewhere too; one interface can")
        if value == ELSEWHERE:
            rest = name
            continue
        behind = own.addresses(name)
        if not behind:
            own.refuse(name, f'{name!r} needs what lies behind it: ["10.0.0.0/8"], or "{ELSEWHERE}"')
        for other, taken in found.items():
            if shared := taken & behind:
                address = format_address(shared.families[0], shared.of(shared.families[0]).intervals[0][0])
                own.refuse(name, f"{address} lies behind {other!r} too; one of them leads there")
        found[name] = behind
    return {**found, rest: EVERY_ADDRESS - join(found.values())} if rest else found
