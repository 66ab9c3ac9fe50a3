"""What firewalls do to packets, seen by probes: two hosts and a router between, each in a network namespace."""

import asyncio
import os
import subprocess
from collections.abc import Iterator

import pytest

from controlroom.network.probes import Limits, Outcome, Target, Verdict, probe, run_probe

from .namespace import inside

LIMITS = Limits(connect_seconds=1.2, answer_seconds=1.2)
CLIENT_V4, SERVER_V4, ROUTER_V4 = "10.98.1.2", "10.98.2.2", "10.98.1.1"
SERVER_V6, ROUTER_V6 = "fd98:2::2", "fd98:1::1"
PORT = 4000


def run(*command: str, text: str | None = None) -> None:
    subprocess.run(command, check=True, input=text, text=True, capture_output=True)


class Ground:
    """Client, router and server; the router's and the server's rules are what a test loads."""

    def __init__(self) -> None:
        mark = f"crp{os.getpid()}"
        self.client, self.router, self.server = f"{mark}-client", f"{mark}-router", f"{mark}-server"

    def build(self) -> None:
        for name in (self.client, self.router, self.server):
            run("ip", "netns", "add", name)
            at_once = "net.ipv6.conf.all.accept_dad=0 net.ipv6.conf.default.accept_dad=0"
            run("ip", "netns", "exec", name, "sysctl", "-qw", *at_once.split())
        quiet = "net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1 net.ipv4.icmp_ratelimit=0 net.ipv6.icmp.ratelimit=0"
        run("ip", "netns", "exec", self.router, "sysctl", "-qw", *quiet.split())
        for number, name in ((1, self.client), (2, self.server)):
            self._batch(self.router, f"link add v{number} type veth peer name eth0 netns {name}")
            self._batch(
                self.router,
                f"addr add 10.98.{number}.1/24 dev v{number}\naddr add fd98:{number}::1/64 dev v{number} nodad\n"
                f"link set v{number} up\nlink set lo up",
            )
            self._batch(
                name,
                f"addr add 10.98.{number}.2/24 dev eth0\naddr add fd98:{number}::2/64 dev eth0 nodad\n"
                f"link set eth0 up\nlink set lo up\nroute add default via 10.98.{number}.1\n"
                f"route add default via fd98:{number}::1",
            )

    def tear_down(self) -> None:
        for name in (self.client, self.router, self.server):
            subprocess.run(["ip", "netns", "del", name], check=False, capture_output=True)

    def rule(self, where: str, hook: str, action: str) -> None:
        """Give a namespace one rule for the port, and none else."""
        table = (
            "table inet probes\ndelete table inet probes\ntable inet probes {\nchain c {\n"
            f"type filter hook {hook} priority 0; policy accept;\n"
            f"meta l4proto {{ tcp, udp }} th dport {PORT} {action}\n}}\n}}\n"
        )
        run("ip", "netns", "exec", where, "nft", "-f", "-", text=table if action else "flush ruleset")

    def _batch(self, namespace: str, lines: str) -> None:
        run("ip", "-n", namespace, "-batch", "-", text=lines + "\n")


@pytest.fixture(scope="module")
def ground(namespaces: str, nft: str) -> Iterator[Ground]:
    one = Ground()
    try:
        one.build()
        yield one
    finally:
        one.tear_down()


def ask(ground: Ground, name: str, address: str) -> Outcome:
    return inside(ground.client, lambda: asyncio.run(run_probe(probe(name), Target(address, PORT), LIMITS)))


REJECTS_V4 = ["icmp type admin-prohibited", "icmp type host-prohibited", "icmp type net-prohibited", ""]
ADDRESSES = [(SERVER_V4, ROUTER_V4), (SERVER_V6, ROUTER_V6)]


@pytest.mark.parametrize(("address", "_router"), ADDRESSES)
def test_nothing_listening_is_refused(ground: Ground, address: str, _router: str) -> None:
    ground.rule(ground.router, "forward", "")
    ground.rule(ground.server, "input", "")

    outcome = ask(ground, "http", address)
    assert (outcome.verdict, outcome.evidence) == (Verdict.REFUSED, f"{address} answered with a reset")
    over_udp = ask(ground, "dns-udp", address)
    assert over_udp.verdict is Verdict.REFUSED, over_udp
    assert "port unreachable" in over_udp.evidence


@pytest.mark.parametrize(("address", "_router"), ADDRESSES)
def test_dropped_packets_are_filtered_and_over_udp_unanswered(
    ground: Ground, address: str, _router: str
) -> None:
    ground.rule(ground.router, "forward", "drop")

    assert ask(ground, "http", address).verdict is Verdict.FILTERED
    assert ask(ground, "dns-udp", address).verdict is Verdict.NO_UDP_ANSWER


@pytest.mark.parametrize("kind", REJECTS_V4)
@pytest.mark.parametrize("name", ["http", "dns-udp"])
def test_rejection_by_a_router_is_prohibited_and_names_the_router(
    ground: Ground, kind: str, name: str
) -> None:
    ground.rule(ground.server, "input", "")
    ground.rule(ground.router, "forward", f"meta nfproto ipv4 reject with {kind}" if kind else "reject")

    outcome = ask(ground, name, SERVER_V4)
    assert outcome.verdict is Verdict.PROHIBITED, outcome
    assert ROUTER_V4 in outcome.evidence


@pytest.mark.parametrize("name", ["http", "dns-udp"])
def test_rejection_over_ipv6_is_prohibited_and_names_the_router(ground: Ground, name: str) -> None:
    ground.rule(ground.router, "forward", "meta nfproto ipv6 reject with icmpv6 type admin-prohibited")

    outcome = ask(ground, name, SERVER_V6)
    assert outcome.verdict is Verdict.PROHIBITED, outcome
    assert ROUTER_V6 in outcome.evidence


def test_rejection_by_the_host_itself_is_told_from_a_closed_port(ground: Ground) -> None:
    ground.rule(ground.router, "forward", "")
    ground.rule(ground.server, "input", "reject")
    rejected = ask(ground, "http", SERVER_V4)
    assert rejected.verdict is Verdict.PROHIBITED
    assert f"{SERVER_V4} answered 'port unreachable'" in rejected.evidence

    ground.rule(ground.server, "input", "meta l4proto tcp reject with tcp reset")
    assert ask(ground, "http", SERVER_V4).verdict is Verdict.REFUSED, "a reset is a reset, whoever sends it"
    ground.rule(ground.server, "input", "")


def test_address_of_nobody_and_network_without_route_are_unreachable(ground: Ground) -> None:
    ground.rule(ground.router, "forward", "")
    far = Limits(connect_seconds=6, answer_seconds=1)

    def ask_far(address: str) -> Outcome:
        return inside(
            ground.client, lambda: asyncio.run(run_probe(probe("http"), Target(address, PORT), far))
        )

    assert ask_far("10.98.2.77").verdict is Verdict.UNREACHABLE
    nowhere = ask_far("198.51.100.1")
    assert nowhere.verdict is Verdict.UNREACHABLE
    assert ROUTER_V4 in nowhere.evidence
