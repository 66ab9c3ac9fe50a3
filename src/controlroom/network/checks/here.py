"""Which host of a site this machine is, and as whom it probes."""

import socket
from collections.abc import Iterable

from controlroom.network.addresses import Addresses, Family, format_address
from controlroom.network.catalogue import Component
from controlroom.network.errors import NetworkError, UnknownName
from controlroom.network.site import Party, Site


def is_local(family: Family, value: int) -> bool:
    """Say whether this machine has an address: only then can a socket be bound to it."""
    kind = socket.AF_INET6 if family is Family.IPV6 else socket.AF_INET
    try:
        with socket.socket(kind, socket.SOCK_DGRAM) as one:
            one.bind((format_address(family, value), 0))
    except OSError:
        return False
    return True


def parties_here(site: Site) -> list[Party]:
    """Return the hosts of the site whose addresses this machine has."""
    return [host for host in site.hosts if any(True for _ in local_addresses(host.addresses))]


def local_addresses(addresses: Addresses) -> Iterable[tuple[Family, str]]:
    """Yield those single addresses that this machine has."""
    for family in Family:
        for low, high in addresses.of(family):
            if low == high and is_local(family, low):
                yield family, format_address(family, low)


def source_of(site: Site, *, host: str = "", role: str = "") -> Party:
    """Return as whom to probe: the named host, a party of the role (this machine if it has it), else this machine.

    Raise `UnknownName`, or `NetworkError` where it cannot be told which host this machine is.
    """
    if host and role:
        raise NetworkError("give --host or --from, not both")
    if host:
        return site.party(host)
    here = parties_here(site)
    if role:
        if role not in set(Component):
            raise UnknownName("role", role)
        playing = [party for party in site.parties if role in party.roles]
        if not playing:
            raise NetworkError(f"nothing in the site has the role {role}")
        return next((party for party in here if party in playing), playing[0])
    if len(here) != 1:
        found = ", ".join(party.name for party in here) or "none"
        raise NetworkError(
            f"cannot tell which host of the site this machine is (found {found}); give --host NAME or --from ROLE"
        )
    return here[0]
