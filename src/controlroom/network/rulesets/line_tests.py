"""What a line of a Linux firewall asks of a packet beside addresses and ports: interface, kind of address, TCP flags.

Each test answers with the packets for which it holds where the line looks at them. What cannot be told from the
ruleset and the site is a doubt and never a guess. A test that rests on more than it was given names its assumption.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Protocol

from controlroom.network.addresses import EVERY_ADDRESS, Addresses, join, parse_addresses
from controlroom.network.analysis import Match

_LOOPBACK = parse_addresses(["127.0.0.0/8", "::1"])
_MULTICAST = parse_addresses(["224.0.0.0/4", "ff00::/8"])
_BROADCAST = parse_addresses(["255.255.255.255"])

_COMING, _GOING = frozenset({"prerouting", "input"}), frozenset({"output"})


@dataclass(frozen=True, slots=True)
class Place:
    """Where packets of which phase look at a line, by hook and phase as `netfilter` names them.

    ``own`` are the host's addresses and ``interfaces`` the addresses behind each of its interfaces, as far as the site
    says them.
    """

    hook: str = ""
    phase: str = "opening"
    own: Addresses = Addresses()  # noqa: RUF009  # immutable
    interfaces: Mapping[str, Addresses] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Answer:
    """The packets for which a test holds, or None where there are none; with a doubt, for which it may hold."""

    within: Match | None = Match()  # noqa: RUF009  # immutable
    doubt: str = ""


NEVER, ALWAYS = Answer(None), Answer()


class LineTest(Protocol):
    """One question of a line."""

    def holds(self, place: Place) -> Answer:
        """Return for which packets it holds."""
        ...

    def assumption(self, place: Place) -> str:
        """Return the sentence that an answer rests on, or nothing."""
        ...


@dataclass(frozen=True, slots=True)
class ByInterface:
    """The packet comes in by one of some interfaces, or goes out by it; a name may end in ``*``."""

    names: frozenset[str]
    goes_out: bool
    negated: bool = False

    def holds(self, place: Place) -> Answer:
        """Tell by the address at the far end, where the site says what lies behind each interface."""
        if place.hook in (_COMING if self.goes_out else _GOING):
            # There is no such interface yet; its name compares as empty.
            return ALWAYS if self.negated else NEVER
        names = "/".join(sorted(self.names))
        if place.hook == "postrouting" and not self.goes_out:
            return Answer(doubt=f"by which interface a packet came in is not told behind routing ({names})")
        found = {one for one in place.interfaces if any(fnmatchcase(one, name) for name in self.names)}
        unknown = [
            name
            for name in self.names
            if name not in found and not any(fnmatchcase(one, name) for one in found)
        ]
        if unknown:
            way = "go out" if self.goes_out else "come in"
            return Answer(
                doubt=f"which packets {way} by {'/'.join(sorted(unknown))} is not known; say it in the site "
                "as interfaces of the host, or of [border]"
            )
        behind = join(place.interfaces[one] for one in found)
        return _far(EVERY_ADDRESS - behind if self.negated else behind, destination=self.goes_out)

    def assumption(self, place: Place) -> str:
        """Say that the site is believed."""
        return "Packets come and go by the interfaces that the site declares." if place.interfaces else ""


@dataclass(frozen=True, slots=True)
class ByAddressKind:
    """The source or destination is local, multicast or broadcast, as routing tables say."""

    kinds: frozenset[str]
    of_source: bool
    negated: bool = False

    def holds(self, place: Place) -> Answer:
        """Tell by the host's declared addresses, or by the way that the packet is on."""
        regions = [self._region(kind, place) for kind in sorted(self.kinds)]
        known = [one for one in regions if one is not None]
        if len(known) < len(regions):
            return Answer(doubt=f"which addresses are {'/'.join(sorted(self.kinds))} is not known")
        found = join(known)
        return _far(EVERY_ADDRESS - found if self.negated else found, destination=not self.of_source)

    def _region(self, kind: str, place: Place) -> Addresses | None:
        if kind == "multicast":
            return _MULTICAST
        if kind == "broadcast":
            return _BROADCAST
        if kind != "local":
            return None
        if place.hook == "input" and not self.of_source:
            return EVERY_ADDRESS - _MULTICAST - _BROADCAST
        return place.own | _LOOPBACK if place.own else None

    def assumption(self, place: Place) -> str:
        """Say which addresses count as local."""
        if "local" in self.kinds or "broadcast" in self.kinds:
            return (
                "A host's own addresses are those that the site declares, and what arrives for it and is no multicast "
                "is for one of these."
            )
        return ""


FLAGS = {"FIN": 1, "SYN": 2, "RST": 4, "PSH": 8, "ACK": 16, "URG": 32, "ECN": 64, "ECE": 64, "CWR": 128}
_SYN, _ACK, _PSH, _FIN = FLAGS["SYN"], FLAGS["ACK"], FLAGS["PSH"], FLAGS["FIN"]
_WITH_ECN = FLAGS["ECE"] | FLAGS["CWR"]
# What a connection needs in each phase (RFC 9293; RFC 3168, 6.1.1, of explicit congestion notification).
_SENT = {
    "opening": (_SYN, _SYN | _WITH_ECN),
    "reply": (_SYN | _ACK, _SYN | _ACK | FLAGS["ECE"], _ACK, _PSH | _ACK, _FIN | _ACK),
    "sequel": (_ACK, _PSH | _ACK, _FIN | _ACK),
}


@dataclass(frozen=True, slots=True)
class ByFlags:
    """Of the TCP flags in ``mask`` exactly those ``wanted`` are set, or any of them where ``any_of``."""

    mask: int
    wanted: int
    negated: bool = False
    any_of: bool = False

    def holds(self, place: Place) -> Answer:
        """Tell by the flags that the packets of a connection carry in this phase."""
        said = {self._is_true(flags) for flags in _SENT[place.phase]}
        if len(said) > 1:
            return Answer(doubt="only some packets of a connection carry these TCP flags")
        return ALWAYS if said.pop() else NEVER

    def _is_true(self, flags: int) -> bool:
        found = bool(flags & self.wanted) if self.any_of else flags & self.mask == self.wanted
        return found is not self.negated

    def assumption(self, place: Place) -> str:
        """Say how a connection begins."""
        return "A TCP connection begins with SYN and without FIN, RST and ACK; what else passes opens none."


@dataclass(frozen=True, slots=True)
class ByReversePath:
    """There is no way back to the source by the interface that the packet came in by."""

    negated: bool = False

    def holds(self, place: Place) -> Answer:
        """Hold for nothing, since addresses are taken to be true."""
        return ALWAYS if self.negated else NEVER

    def assumption(self, place: Place) -> str:
        """Say what reverse-path filtering would stop."""
        return "Packets come in where their source lies, so that reverse-path filters stop none of them."


@dataclass(frozen=True, slots=True)
class ByRoutingHeader:
    """The packet carries an IPv6 routing header of type 0, which no host may heed (RFC 5095)."""

    negated: bool = False

    def holds(self, place: Place) -> Answer:
        """Hold for nothing."""
        return ALWAYS if self.negated else NEVER

    def assumption(self, place: Place) -> str:
        """Say that there is none."""
        return "IPv6 packets carry no type 0 routing header."


def _far(region: Addresses, *, destination: bool) -> Answer:
    if not region:
        return NEVER
    return Answer(Match(destinations=region) if destination else Match(sources=region))


def flags_of(text: str) -> int:
    """Return the bits of TCP flags by name, such as ``SYN,ACK``; raise `ValueError`."""
    names = [name.strip().upper() for name in text.split(",")]
    if names in (["NONE"], ["ALL"]):
        return 0 if names == ["NONE"] else 63
    if unknown := set(names) - set(FLAGS):
        raise ValueError(", ".join(sorted(unknown)))
    found = 0
    for name in names:
        found |= FLAGS[name]
    return found
