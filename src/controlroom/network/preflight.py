"""Looks at this machine before an installation: reserved ports, ports in use, names, and the clock."""

import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from controlroom.network import catalogue
from controlroom.network.addresses import Family, format_address
from controlroom.network.catalogue import Component, Transport
from controlroom.network.intervals import IntervalSet, union
from controlroom.network.ports import format_ports, parse_ports
from controlroom.network.projection import MANAGEMENT_FLOWS, Direction, Projection
from controlroom.network.renderers.sysctl import RESERVED_PORTS_KEY
from controlroom.network.site import Site

# Kerberos refuses more than five minutes; leases begin to look odd long before.
LARGEST_SKEW_SECONDS = 2.0
_ANSWER_SECONDS = 3.0
# Seconds between the epochs of NTP, 1900, and of Unix, 1970 (RFC 5905, section 6).
_NTP_EPOCH = 2_208_988_800
_LISTENING = "0A"
# Whose ports must be free before an installation: the parts that we install.
_OUR_PARTS = frozenset({Component.CONTROL_ROOM, Component.BOT_INSIGHT, Component.IQ_BOT})


@dataclass(frozen=True, slots=True)
class Trap:
    """One thing that would go wrong, and what to do."""

    check: str
    message: str


def look(site: Site, projection: Projection, *, proc: Path = Path("/proc"), ask: bool = True) -> list[Trap]:
    """Return what would go wrong on this machine as the given host; ``ask`` also asks name and time servers."""
    traps = [*_reserved(projection, proc), *_in_use(projection, proc)]
    if ask:
        traps += [*_names(site), *_clock(site)]
    return traps


def _reserved(projection: Projection, proc: Path) -> Iterator[Trap]:
    wanted = union(permit.ports for permit in projection.cluster)
    lent = proc / "sys/net/ipv4/ip_local_port_range"
    if not wanted or not lent.exists():
        return
    low, high = (int(part) for part in lent.read_text().split())
    text = (proc / "sys/net/ipv4/ip_local_reserved_ports").read_text().strip()
    bare = (wanted & IntervalSet(((low, high),))) - (parse_ports(text) if text else IntervalSet())
    if bare:
        yield Trap(
            "reserved ports",
            f"cluster ports {format_ports(bare)} lie in the range {low}-{high} that outgoing connections are lent "
            f"from; reserve them: {RESERVED_PORTS_KEY} (controlroom network render --target sysctl)",
        )


def _in_use(projection: Projection, proc: Path) -> Iterator[Trap]:
    wanted = _own_ports(projection)
    for name in ("tcp", "tcp6"):
        table = proc / "net" / name
        for line in table.read_text().splitlines()[1:] if table.exists() else ():
            fields = line.split()
            port = int(fields[1].rpartition(":")[2], 16)
            if port in wanted:
                what = "is listened on already" if fields[3] == _LISTENING else "is lent to a connection"
                yield Trap(
                    "ports in use", f"port {port} ({name}) {what}; whatever holds it must go, or see ss -tnap"
                )


def _own_ports(projection: Projection) -> IntervalSet:
    """Return what our own parts listen on here; what manages the host or serves others may run already."""
    ours = {
        flow.name
        for flow in catalogue.FLOWS
        if flow.destination in _OUR_PARTS and flow.name not in MANAGEMENT_FLOWS
    }
    inbound = projection.permits[Direction.INBOUND]
    return union(
        permit.ports
        for permit in inbound
        if permit.transport is Transport.TCP and (permit.cluster or permit.flow in ours)
    )


def _names(site: Site) -> Iterator[Trap]:
    for party in site.parties:
        for name in party.names:
            try:
                socket.getaddrinfo(name, None)
            except OSError as error:
                yield Trap(
                    "name resolution", f"{name} of external {party.name!r} does not resolve: {error.strerror}"
                )


def _clock(site: Site) -> Iterator[Trap]:
    for party in site.parties:
        if Component.TIME_SERVER not in party.roles or not party.addresses:
            continue
        family = party.addresses.families[0]
        address = format_address(family, party.addresses.of(family).intervals[0][0])
        try:
            skew = clock_skew_seconds(family, address)
        except OSError:
            yield Trap("clock", f"time server {party.name!r} at {address} does not answer")
            continue
        if abs(skew) > LARGEST_SKEW_SECONDS:
            yield Trap(
                "clock", f"this clock is {skew:+.1f} s off that of {party.name!r}; set it before installing"
            )


def clock_skew_seconds(family: Family, address: str, *, port: int | None = None) -> float:
    """Ask a time server once by SNTP (RFC 4330); return how far this clock is ahead. Raise `OSError`."""
    kind = socket.AF_INET if family is Family.IPV4 else socket.AF_INET6
    with socket.socket(kind, socket.SOCK_DGRAM) as asker:
        asker.settimeout(_ANSWER_SECONDS)
        asker.connect((address, port or catalogue.default_port("ntp")))
        sent = time.time()
        asker.send(b"\x23" + bytes(47))
        answer = asker.recv(512)
        received = time.time()
    if len(answer) < 48:
        raise OSError("the answer is too short for NTP")
    seconds = int.from_bytes(answer[40:44], "big")
    fraction = int.from_bytes(answer[44:48], "big")
    return (sent + received) / 2 - (seconds - _NTP_EPOCH + fraction / 2**32)
