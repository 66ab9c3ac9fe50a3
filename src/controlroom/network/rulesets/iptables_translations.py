"""Reads what the targets of iptables' nat table put in place of addresses and ports (iptables-extensions(8))."""

from collections.abc import Mapping
from typing import NoReturn

from controlroom.network.addresses import Family, parse_range
from controlroom.network.analysis import Match, Rewrite
from controlroom.network.intervals import NOTHING, IntervalSet
from controlroom.network.ports import ALL_PORTS

TRANSLATIONS = frozenset({"DNAT", "SNAT", "REDIRECT", "MASQUERADE", "NETMAP"})


def read_translation(target: str, options: Mapping[str, str], family: Family, match: Match) -> Rewrite:
    """Return what a target puts in place; raise `ValueError` for what is not understood."""
    if target == "REDIRECT":
        ports = options.get("--to-ports")
        return Rewrite(
            family, destinations=NOTHING, destination_ports=_ports(ports) if ports else None, local=True
        )
    if target == "MASQUERADE":
        return Rewrite(family, sources=NOTHING, source_ports=ALL_PORTS, local=True)
    if target == "NETMAP":
        return _netmap(options["--to"], family, match) if "--to" in options else _unknown(target)
    name = "--to-destination" if target == "DNAT" else "--to-source"
    addresses, wanted = _addresses_and_ports(options[name] if name in options else _unknown(target), family)
    if target == "DNAT":
        return Rewrite(family, destinations=addresses, destination_ports=wanted)
    # The kernel changes the source port by itself where two connections would become one.
    return Rewrite(family, sources=addresses, source_ports=wanted or ALL_PORTS)


def _unknown(target: str) -> NoReturn:
    raise ValueError(f"{target} without its option")


def _addresses_and_ports(text: str, family: Family) -> tuple[IntervalSet | None, IntervalSet | None]:
    if family is Family.IPV6 and text.startswith("["):
        address, _, ports = text[1:].partition("]")
        address, ports = address.replace("]", ""), ports.lstrip(":")
        if "-[" in text:
            raise ValueError(text)
    elif family is Family.IPV6:
        address, ports = text, ""
    else:
        address, _, ports = text.partition(":")
    return _range(address, family) if address else None, _ports(ports) if ports else None


def _range(text: str, family: Family) -> IntervalSet:
    found, low, high = parse_range(text)
    if found is not family:
        raise ValueError(text)
    return IntervalSet(((low, high),))


def _ports(text: str) -> IntervalSet:
    """Read ``80``, ``80-90`` and ``80-90/100``, whose offset only chooses another port of the same range."""
    low, _, high = text.partition("/")[0].partition("-")
    return IntervalSet.of([(int(low), int(high or low))]) & ALL_PORTS


def _netmap(text: str, family: Family, match: Match) -> Rewrite:
    """Return the shift from one prefix to another; any address of the new one where the old one is not clear."""
    new = _range(text, family)
    (low, high), *_ = new.intervals
    old = match.destinations.of(family)
    within = old.intervals and old.intervals[0][0] // (high - low + 1) == old.intervals[-1][1] // (
        high - low + 1
    )
    if not within:
        return Rewrite(family, destinations=new)
    start = old.intervals[0][0] // (high - low + 1) * (high - low + 1)
    return Rewrite(family, destination_shift=low - start)
