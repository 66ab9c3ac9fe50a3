"""A data centre of network namespaces: one router with a bridge a zone, one namespace a host."""

import ipaddress
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from controlroom.network.addresses import Family, format_address, prefixes
from controlroom.network.site import Site

PROBER = Path(__file__).with_name("prober.py")
_QUIET = (
    "net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1 net.ipv4.icmp_ratelimit=0 net.ipv6.icmp.ratelimit=0 "
    "net.ipv4.conf.all.rp_filter=0 net.ipv6.conf.all.accept_dad=0 net.ipv6.conf.default.accept_dad=0"
)


class Laboratory:
    """The namespaces of one site, named so that two test runs do not meet."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self._mark = f"cr{os.getpid()}"
        self.router = f"{self._mark}-router"
        self.names = {host.name: f"{self._mark}-{host.name}" for host in site.hosts}

    def build(self) -> None:
        """Make namespaces, links, addresses and routes in a few batches."""
        for name in (self.router, *self.names.values()):
            _run("ip", "netns", "add", name)
        router: list[str] = ["link set lo up"]
        for number, zone in enumerate(self.site.zones):
            router += [f"link add z{number} type bridge mcast_snooping 0", f"link set z{number} up"]
            for family in Family:
                for start, length in prefixes(family, zone.prefixes.of(family)):
                    flag = " nodad" if family is Family.IPV6 else ""
                    router.append(
                        f"addr add {format_address(family, start + 1)}/{length} dev z{number}{flag}"
                    )
        zones = [zone.name for zone in self.site.zones]
        for number, host in enumerate(self.site.hosts):
            peer = self.names[host.name]
            router += [
                f"link add h{number} type veth peer name eth0 netns {peer}",
                f"link set h{number} master z{zones.index(host.zone)} up",
            ]
        self._sysctl(self.router)
        self._batch(self.router, router)
        # Packets within a zone are switched, not routed: the border must not see them.
        bridge = [f"net.bridge.bridge-nf-call-{one}tables=0" for one in ("ip", "ip6")]
        subprocess.run(
            ["ip", "netns", "exec", self.router, "sysctl", "-qw", *bridge], check=False, capture_output=True
        )
        for host in self.site.hosts:
            zone = self.site.zones[zones.index(host.zone)]
            lines = ["link set lo up", "link set eth0 up"]
            routes = []
            for family in host.addresses.families:
                (start, length), *_ = prefixes(family, zone.prefixes.of(family))
                flag = " nodad" if family is Family.IPV6 else ""
                low = host.addresses.of(family).intervals[0][0]
                lines.append(f"addr add {format_address(family, low)}/{length} dev eth0{flag}")
                routes.append(f"route add default via {format_address(family, start + 1)}")
            self._sysctl(self.names[host.name])
            self._batch(self.names[host.name], lines + routes)

    def tear_down(self) -> None:
        """Remove every namespace that was made."""
        for name in (self.router, *self.names.values()):
            subprocess.run(["ip", "netns", "del", name], check=False, capture_output=True)

    def load(self, name: str, command: list[str], text: str) -> None:
        """Give a text to a command in a host, or in the router for an empty name."""
        _run("ip", "netns", "exec", self.names.get(name, self.router), *command, text=text)

    def probe(self, questions: dict[str, list[tuple[str, str, int]]]) -> dict[str, list[bool]]:
        """Send from each host one packet to each (transport, address, port), all hosts at once; say which arrived."""
        running = {
            name: subprocess.Popen(
                ["ip", "netns", "exec", self.names[name], sys.executable, str(PROBER)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
            for name in questions
        }
        for name, process in running.items():
            assert process.stdin is not None
            process.stdin.write(json.dumps(questions[name]))
            process.stdin.close()
        answers: dict[str, list[bool]] = {}
        for name, process in running.items():
            assert process.stdout is not None
            answers[name] = json.loads(process.stdout.read())
            process.wait()
        return answers

    def _batch(self, namespace: str, lines: list[str]) -> None:
        _run("ip", "-n", namespace, "-batch", "-", text="\n".join(lines) + "\n")

    def _sysctl(self, namespace: str) -> None:
        _run("ip", "netns", "exec", namespace, "sysctl", "-qw", *_QUIET.split())


@contextmanager
def laboratory(site: Site) -> Iterator[Laboratory]:
    """Build a laboratory and take it down whatever happens."""
    one = Laboratory(site)
    try:
        one.build()
        yield one
    finally:
        one.tear_down()


def address_numbers(text: str) -> tuple[Family, int]:
    """Return the family and the number of an address."""
    address = ipaddress.ip_address(text)
    return Family(address.version), int(address)


def _run(*command: str, text: str | None = None) -> None:
    subprocess.run(command, check=True, input=text, text=True, capture_output=True)
