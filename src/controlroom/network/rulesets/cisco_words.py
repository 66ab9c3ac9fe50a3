"""Words of Cisco's command lines: lines and the lines under them, addresses and masks, ports, protocols, ICMP types."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import product

from controlroom.network.addresses import Addresses, Family, only, parse_range
from controlroom.network.errors import BadRuleset
from controlroom.network.intervals import IntervalSet
from controlroom.network.ports import ALL_PORTS, HIGHEST_PORT
from controlroom.network.rulesets.interface import RulesetText

# Command lines of these devices end far below; longer is a wrong file.
_LONGEST_LINE = 4096
_MOST_LINES = 2_000_000
# A mask with this many separate "any" bits stands for a thousand ranges; beyond, the set is taken as unknown.
_MOST_FREE_BITS = 10

# Names by which `show running-config` writes ports ("IP Services" and "TCP and UDP Ports" in the references). A name
# whose number the references give differently, such as kerberos, is left out: it makes a line uncertain.
PORTS = {
    "bgp": 179, "biff": 512, "bootpc": 68, "bootps": 67, "chargen": 19, "cifs": 3020, "citrix-ica": 1494, "cmd": 514,
    "ctiqbe": 2748, "daytime": 13, "discard": 9, "domain": 53, "echo": 7, "exec": 512, "finger": 79, "ftp": 21,
    "ftp-data": 20, "gopher": 70, "h323": 1720, "hostname": 101, "http": 80, "https": 443, "ident": 113, "imap4": 143,
    "irc": 194, "isakmp": 500, "klogin": 543, "kshell": 544, "ldap": 389, "ldaps": 636, "login": 513,
    "lotusnotes": 1352, "lpd": 515, "mobile-ip": 434, "nameserver": 42, "netbios-dgm": 138, "netbios-ns": 137,
    "netbios-ss": 139, "netbios-ssn": 139, "nfs": 2049, "nntp": 119, "non500-isakmp": 4500, "ntp": 123,
    "pcanywhere-data": 5631, "pim-auto-rp": 496, "pop2": 109, "pop3": 110, "pptp": 1723, "radius": 1645,
    "radius-acct": 1646, "rip": 520, "rsh": 514, "rtsp": 554, "sip": 5060, "smtp": 25, "snmp": 161, "snmptrap": 162,
    "sqlnet": 1521, "ssh": 22, "sunrpc": 111, "syslog": 514, "tacacs": 49, "talk": 517, "telnet": 23, "tftp": 69,
    "time": 37, "uucp": 540, "who": 513, "whois": 43, "www": 80, "xdmcp": 177,
}  # fmt: skip
PROTOCOLS = {
    "icmp": 1, "igmp": 2, "ipinip": 4, "tcp": 6, "igrp": 9, "udp": 17, "gre": 47, "esp": 50, "ah": 51, "ahp": 51,
    "icmp6": 58, "eigrp": 88, "ospf": 89, "nos": 94, "pim": 103, "pcp": 108, "snp": 109, "sctp": 132,
}  # fmt: skip
ICMP_TYPES = {
    "echo-reply": 0, "unreachable": 3, "source-quench": 4, "redirect": 5, "echo": 8, "router-advertisement": 9,
    "router-solicitation": 10, "time-exceeded": 11, "parameter-problem": 12, "timestamp-request": 13,
    "timestamp-reply": 14, "information-request": 15, "information-reply": 16, "mask-request": 17, "mask-reply": 18,
    "traceroute": 30,
}  # fmt: skip
ICMPV6_TYPES = {
    "unreachable": 1, "packet-too-big": 2, "time-exceeded": 3, "parameter-problem": 4, "echo-request": 128, "echo": 128,
    "echo-reply": 129, "membership-query": 130, "mld-query": 130, "membership-report": 131, "mld-report": 131,
    "membership-reduction": 132, "mld-reduction": 132, "router-solicitation": 133, "router-advertisement": 134,
    "neighbor-solicitation": 135, "nd-ns": 135, "neighbor-advertisement": 136, "nd-na": 136, "neighbor-redirect": 137,
    "redirect": 137, "router-renumbering": 138,
}  # fmt: skip


class NotUnderstood(Exception):
    """A line of which some word is not understood; its text says which."""


@dataclass(frozen=True, slots=True)
class CommandLine:
    """A command with the commands of its mode that stand, indented, under it."""

    number: int
    words: tuple[str, ...]
    under: list["CommandLine"] = field(default_factory=list)

    @property
    def text(self) -> str:
        """The command with single spaces."""
        return " ".join(self.words)


def command_lines(file: RulesetText, comment: str, last: str) -> list[CommandLine]:
    """Return a configuration's commands; raise `BadRuleset` where it does not end in the words that end all of them."""
    found: list[CommandLine] = []
    ended = False
    banner = ""
    for number, raw in enumerate(file.text.removeprefix("\ufeff").split("\n"), start=1):
        line = raw.rstrip("\r\t ")
        if len(line) > _LONGEST_LINE or number > _MOST_LINES:
            raise BadRuleset(f"{file.name}:{number}: longer than any configuration of such a device")
        if "\x00" in line:
            raise BadRuleset(f"{file.name}:{number}: not a text")
        if banner:
            banner = "" if banner in line else banner
            continue
        banner = _banner(line)
        ended = ended or line == last
        if banner or not line.strip() or line.lstrip().startswith(comment):
            continue
        one = CommandLine(number, tuple(line.split()))
        if line[0].isspace() and found:
            found[-1].under.append(one)
        else:
            found.append(one)
    if not ended:
        raise BadRuleset(
            f"{file.name}: cut off, or not a whole configuration: the line {last!r} that ends it is missing "
            "(show running-config)"
        )
    return found


def _banner(line: str) -> str:
    """Return the sign at which a banner that begins in this line will end; empty where none begins, or it ends here."""
    words = line.split(maxsplit=2)
    if len(words) < 3 or words[0] != "banner":
        return ""
    sign = words[2][: 2 if words[2].startswith("^") else 1]
    return "" if sign in words[2][len(sign) :] else sign


class Words:
    """The words of a command, taken one by one."""

    def __init__(self, words: Sequence[str]) -> None:
        self._words = list(words)
        self._next = 0

    def take(self) -> str:
        """Return the next word; raise `NotUnderstood` at the end."""
        if self._next >= len(self._words):
            raise NotUnderstood("it ends too early")
        self._next += 1
        return self._words[self._next - 1]

    def peek(self) -> str:
        """Return the next word and leave it; empty at the end."""
        return self._words[self._next] if self._next < len(self._words) else ""

    def after(self) -> str:
        """Return the word behind the next one; empty where there is none."""
        return self._words[self._next + 1] if self._next + 1 < len(self._words) else ""

    def skip(self, *words: str) -> bool:
        """Take the next word if it is one of these, and say whether it was."""
        if self.peek() not in words:
            return False
        self._next += 1
        return True

    def end(self) -> None:
        """Raise `NotUnderstood` where words are left."""
        if self.peek():
            raise NotUnderstood(f"{self.peek()[:40]!r} is not understood")


@lru_cache(maxsize=65_536)
def address(text: str) -> tuple[Family, int]:
    """Read one address; raise `NotUnderstood`."""
    try:
        family, low, high = parse_range(text)
    except ValueError:
        raise NotUnderstood(f"{text[:40]!r} is no address") from None
    if low != high or "-" in text or "/" in text:
        raise NotUnderstood(f"{text[:40]!r} is more than one address")
    return family, low


@lru_cache(maxsize=65_536)
def prefix(text: str) -> Addresses:
    """Read ``2001:db8::/32``; bits behind the length count for nothing, as on the device. Raise `NotUnderstood`."""
    base, slash, length = text.partition("/")
    family, value = address(base)
    if not slash or not length.isascii() or not length.isdecimal() or int(length[:4]) > family.bits:
        raise NotUnderstood(f"{text[:60]!r} is no prefix")
    free = (1 << (family.bits - int(length))) - 1
    return only(family, IntervalSet(((value & ~free, value | free),)))


@lru_cache(maxsize=65_536)
def masked(base: str, mask: str, *, wildcard: bool) -> Addresses:
    """Read an IPv4 address with a net mask or a wildcard mask; raise `NotUnderstood` for one that is too scattered."""
    (family, value), (mask_family, bits) = address(base), address(mask)
    if family is not Family.IPV4 or mask_family is not Family.IPV4:
        raise NotUnderstood(f"{base} {mask} is no IPv4 address with a mask")
    free = bits if wildcard else bits ^ 0xFFFF_FFFF
    run = (~free & (free + 1)).bit_length() - 1
    scattered = [1 << bit for bit in range(run, 32) if free >> bit & 1]
    if len(scattered) > _MOST_FREE_BITS:
        raise NotUnderstood(f"the mask {mask} leaves {len(scattered)} separate bits open")
    low, width = value & ~free & 0xFFFF_FFFF, (1 << run) - 1
    starts = (low + sum(bits) for bits in product(*((0, bit) for bit in scattered)))
    return Addresses(v4=IntervalSet.of((start, start + width) for start in starts))


def span(first: str, last: str) -> Addresses:
    """Read the ends of a range; raise `NotUnderstood`."""
    (family, low), (other, high) = address(first), address(last)
    if family is not other or low > high:
        raise NotUnderstood(f"{first}-{last} is no range")
    return only(family, IntervalSet(((low, high),)))


def port(text: str) -> int:
    """Read a port by number or name; raise `NotUnderstood`."""
    if text.isascii() and text.isdecimal() and len(text) < 6 and int(text) <= HIGHEST_PORT:
        return int(text)
    if text not in PORTS:
        raise NotUnderstood(f"{text[:40]!r} is no port")
    return PORTS[text]


PORT_WORDS = ("eq", "neq", "lt", "gt", "range")


def take_ports(words: Words) -> IntervalSet | None:
    """Take ``eq``, ``neq``, ``lt``, ``gt`` or ``range`` with what follows; none where none of them stands there."""
    if words.peek() not in PORT_WORDS:
        return None
    operator, first = words.take(), port(words.take())
    if operator == "range":
        last = port(words.take())
        return IntervalSet.of([(min(first, last), max(first, last))])
    if operator == "lt":
        return IntervalSet(((0, first - 1),)) if first else IntervalSet()
    if operator == "gt":
        return IntervalSet(((first + 1, HIGHEST_PORT),)) if first < HIGHEST_PORT else IntervalSet()
    found = [first]
    # IOS takes up to ten ports behind one word.
    while words.peek() in PORTS or words.peek().isdecimal():
        found.append(port(words.take()))
    several = IntervalSet.of((one, one) for one in found)
    return several if operator == "eq" else ALL_PORTS - several


def protocol(text: str) -> IntervalSet:
    """Read a protocol by number or name; ``ip`` and ``ipv6`` are all of them. Raise `NotUnderstood`."""
    if text in {"ip", "ipv6"}:
        return IntervalSet(((0, 255),))
    if text.isascii() and text.isdecimal() and len(text) < 4 and int(text) < 256:
        return IntervalSet.single(int(text))
    if text not in PROTOCOLS:
        raise NotUnderstood(f"{text[:40]!r} is no protocol that is known")
    return IntervalSet.single(PROTOCOLS[text])


def icmp_type(text: str, names: dict[str, int]) -> IntervalSet:
    """Read an ICMP type by number or name; raise `NotUnderstood`."""
    if text.isascii() and text.isdecimal() and len(text) < 4 and int(text) < 256:
        return IntervalSet.single(int(text))
    if text not in names:
        raise NotUnderstood(f"ICMP {text[:40]!r} is not understood")
    return IntervalSet.single(names[text])


def sub_lines(lines: Sequence[CommandLine], *, ignored: frozenset[str]) -> Iterator[CommandLine]:
    """Yield the lines of a mode without those that say nothing about packets."""
    return (line for line in lines if line.words[0] not in ignored)
