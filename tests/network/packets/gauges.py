"""Many copies of one host at once, each under its own rules: what passes through a hundred firewalls in one go.

A copy has a world of its own at the other end of its link, which answers from every address there is. Nothing listens
anywhere, so that a packet that arrives is answered by a reset or by port unreachable.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from controlroom.network.addresses import Addresses, Family, format_address

PROBER = Path(__file__).with_name("gauge_prober.py")
_QUIET = (
    "net.ipv4.icmp_ratelimit=0 net.ipv6.icmp.ratelimit=0 net.ipv4.icmp_msgs_per_sec=100000 net.ipv4.icmp_msgs_burst=100000 "
    "net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.default.rp_filter=0 net.ipv6.conf.all.accept_dad=0 "
    "net.ipv6.conf.default.accept_dad=0 net.ipv6.conf.all.forwarding=0"
)
_HERE, _THERE = "02:00:00:00:00:01", "02:00:00:00:00:02"
_GATEWAYS = {Family.IPV4: "169.254.7.1", Family.IPV6: "fe80::7:1"}


@dataclass(frozen=True, slots=True)
class Shot:
    """One packet: sent by the world to the host, or by the host where ``outwards``. Source port 0 is any."""

    transport: str
    source: str
    source_port: int
    destination: str
    port: int
    outwards: bool = False


class Gauges:
    """Copies of a host with its addresses."""

    def __init__(self, addresses: Addresses, count: int) -> None:
        self._own = [
            (family, format_address(family, low)) for family in Family for low, _ in addresses.of(family)
        ]
        mark = f"crg{os.getpid()}"
        self.names = [(f"{mark}-h{number}", f"{mark}-w{number}") for number in range(count)]

    def build(self) -> None:
        """Make the namespaces, all by one program."""
        every = [name for pair in self.names for name in pair]
        _run("ip", "-batch", "-", text="".join(f"netns add {name}\n" for name in every))
        for host, world in self.names:
            self._build(host, world)

    def _build(self, host: str, world: str) -> None:
        here = [
            "link set lo up",
            f"link add eth0 address {_HERE} type veth peer name eth0 address {_THERE} netns {world}",
        ]
        here.append("link set eth0 up")
        there = ["link set lo up", "link set eth0 up"]
        for family, text in self._own:
            bits = family.bits
            flag = " nodad" if family is Family.IPV6 else ""
            here += [f"addr add {text}/{bits} dev eth0{flag}"]
            there += [f"route add {text}/{bits} dev eth0", f"neigh add {text} lladdr {_HERE} dev eth0"]
        for family, gateway in _GATEWAYS.items():
            here += [f"neigh add {gateway} lladdr {_THERE} dev eth0"]
            here += [f"route add default via {gateway} dev eth0 onlink"]
            there += [f"route add local {'0.0.0.0/0' if family is Family.IPV4 else '::/0'} dev lo table main"]
        for name in (host, world):
            _run("ip", "netns", "exec", name, "sysctl", "-qw", *_QUIET.split())
        for name, lines in ((host, here), (world, there)):
            _run("ip", "-n", name, "-batch", "-", text="".join(f"{line}\n" for line in lines))

    def tear_down(self) -> None:
        """Remove the namespaces."""
        text = "".join(f"netns del {name}\n" for pair in self.names for name in pair)
        subprocess.run(
            ["ip", "-force", "-batch", "-"], input=text, text=True, check=False, capture_output=True
        )

    def run(self, number: int, *command: str, text: str | None = None) -> str | None:
        """Run a command in one host; return what it printed, or None where it failed."""
        done = subprocess.run(
            ["ip", "netns", "exec", self.names[number][0], *command],
            input=text,
            text=True,
            capture_output=True,
            check=False,
        )
        return done.stdout if done.returncode == 0 else None

    def shoot(self, shots: Sequence[Sequence[Shot]]) -> list[list[bool]]:
        """Send each host's packets, all at once, and say which were answered."""
        plan = [
            (
                self.names[number][0 if one.outwards else 1],
                one.transport,
                one.source,
                one.source_port,
                one.destination,
                one.port,
            )
            for number, group in enumerate(shots)
            for one in group
        ]
        done = subprocess.run(
            [sys.executable, str(PROBER)], input=json.dumps(plan), text=True, capture_output=True, check=True
        )
        answers = iter(json.loads(done.stdout))
        return [[next(answers) for _ in group] for group in shots]


@contextmanager
def gauges(addresses: Addresses, count: int) -> Iterator[Gauges]:
    """Build gauges and take them down whatever happens."""
    one = Gauges(addresses, count)
    try:
        one.build()
        yield one
    finally:
        one.tear_down()


def _run(*command: str, text: str | None = None) -> None:
    subprocess.run(command, check=True, input=text, text=True, capture_output=True)
