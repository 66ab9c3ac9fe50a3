"""Addresses of both families as exact sets, kept apart: nothing here ever turns an empty set into "any"."""

import ipaddress
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import IntEnum

from controlroom.network.intervals import NOTHING, IntervalSet, union

# How a person writes "every address of this family".
ANYWHERE_V4 = "0.0.0.0/0"
ANYWHERE_V6 = "::/0"


class Family(IntEnum):
    """An address family; a packet has one, and so has a rule."""

    IPV4 = 4
    IPV6 = 6

    @property
    def bits(self) -> int:
        """How many bits an address has."""
        return 32 if self is Family.IPV4 else 128

    @property
    def everything(self) -> IntervalSet:
        """The set of all addresses of the family."""
        return IntervalSet(((0, (1 << self.bits) - 1),))

    @property
    def title(self) -> str:
        """The family as people write it."""
        return "IPv4" if self is Family.IPV4 else "IPv6"


@dataclass(frozen=True, slots=True)
class Addresses:
    """A set of addresses of each family."""

    v4: IntervalSet = NOTHING
    v6: IntervalSet = NOTHING

    def of(self, family: Family) -> IntervalSet:
        """Return the addresses of one family."""
        return self.v4 if family is Family.IPV4 else self.v6

    def __bool__(self) -> bool:
        return bool(self.v4) or bool(self.v6)

    def __or__(self, other: "Addresses") -> "Addresses":
        return Addresses(self.v4 | other.v4, self.v6 | other.v6)

    def __and__(self, other: "Addresses") -> "Addresses":
        return Addresses(self.v4 & other.v4, self.v6 & other.v6)

    def __sub__(self, other: "Addresses") -> "Addresses":
        return Addresses(self.v4 - other.v4, self.v6 - other.v6)

    def covers(self, other: "Addresses") -> bool:
        """Say whether every address of the other is in this one."""
        return self.v4.covers(other.v4) and self.v6.covers(other.v6)

    @property
    def families(self) -> tuple[Family, ...]:
        """The families in which the set is not empty."""
        return tuple(family for family in Family if self.of(family))


EVERY_ADDRESS = Addresses(Family.IPV4.everything, Family.IPV6.everything)


def only(family: Family, addresses: IntervalSet) -> Addresses:
    """Return a set that holds addresses of one family alone."""
    return Addresses(v4=addresses) if family is Family.IPV4 else Addresses(v6=addresses)


def parse_addresses(texts: Iterable[str]) -> Addresses:
    """Read addresses, prefixes and ``first-last`` ranges; raise `ValueError` with what cannot be read.

    A prefix with host bits set is refused: it is more often a typing error than meant.
    """
    found: dict[Family, list[tuple[int, int]]] = {family: [] for family in Family}
    for text in texts:
        family, low, high = parse_range(text)
        found[family].append((low, high))
    return Addresses(IntervalSet.of(found[Family.IPV4]), IntervalSet.of(found[Family.IPV6]))


def parse_range(text: str) -> tuple[Family, int, int]:
    """Read one address, prefix or range; return its family and its first and last address as numbers."""
    first, dash, last = text.strip().partition("-")
    if dash:
        low, high = _address(first), _address(last)
        if low.version != high.version:
            raise ValueError(f"{text!r} begins in one address family and ends in the other")
        if int(low) > int(high):
            raise ValueError(f"{text!r} is upside down")
        return Family(low.version), int(low), int(high)
    if "/" in text:
        try:
            network = ipaddress.ip_network(text.strip())
        except ValueError as error:
            raise ValueError(f"{text!r} is not a prefix: {_mend(text, error)}") from None
        return Family(network.version), int(network.network_address), int(network.broadcast_address)
    address = _address(text)
    return Family(address.version), int(address), int(address)


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    try:
        address = ipaddress.ip_address(text.strip())
    except ValueError:
        raise ValueError(f"{text.strip()!r} is not an IPv4 or IPv6 address") from None
    if isinstance(address, ipaddress.IPv6Address) and address.scope_id:
        raise ValueError(f"{text.strip()!r} has a scope; only addresses that routers carry can be declared")
    return address


def _mend(text: str, error: ValueError) -> str:
    try:
        return f"it has host bits set; did you mean {ipaddress.ip_network(text.strip(), strict=False)}?"
    except ValueError:
        return str(error)


def format_address(family: Family, value: int) -> str:
    """Write one address."""
    return str(ipaddress.IPv4Address(value) if family is Family.IPV4 else ipaddress.IPv6Address(value))


def format_prefixes(family: Family, addresses: IntervalSet) -> list[str]:
    """Write a set as the fewest prefixes, single addresses without a length, in order."""
    return [
        format_address(family, low) if length == family.bits else f"{format_address(family, low)}/{length}"
        for low, length in prefixes(family, addresses)
    ]


def prefixes(family: Family, addresses: IntervalSet) -> Iterator[tuple[int, int]]:
    """Cut a set into the fewest prefixes, as first address and prefix length, in order."""
    for low, high in addresses:
        start = low
        while start <= high:
            aligned = (start & -start).bit_length() - 1 if start else family.bits
            fitting = (high - start + 1).bit_length() - 1
            width = min(aligned, fitting)
            yield start, family.bits - width
            start += 1 << width


def join(sets: Iterable[Addresses]) -> Addresses:
    """Return the union of many sets, each family sorted once."""
    kept = list(sets)
    return Addresses(union(one.v4 for one in kept), union(one.v6 for one in kept))
