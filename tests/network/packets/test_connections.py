"""The policy changes under two hundred living connections: wanted ones go on, stale ones are found and cut."""

import contextlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from controlroom.network.policy import derive_policy
from controlroom.network.projection import Projector
from controlroom.network.renderers import renderer
from controlroom.network.site import parse_site

from .gauge_prober import IP_FREEBIND, enter
from .gauges import Gauges, gauges

BEFORE = Path(__file__).with_name("proving-ground.toml").read_text(encoding="utf-8")
# Only the first sixteen addresses may administer any more, and nobody asks the domain server for the time.
AFTER = BEFORE.replace('prefixes = ["10.77.4.0/24"', 'prefixes = ["10.77.4.0/28"').replace(
    ', "time-server"', ""
)
NODE, DOMAIN = "10.77.2.11", "10.77.3.12"
LIMIT_SECONDS = 15.0
SILENT_SECONDS = 1.5


class World:
    """Sockets in both namespaces of a gauge, and servers that say back what they hear."""

    def __init__(self, ground: Gauges) -> None:
        self.host, self.world = ground.names[0]
        self._pools = {
            name: ThreadPoolExecutor(1, initializer=enter, initargs=(name,)) for name in ground.names[0]
        }
        self._heard = select.epoll()
        self._open: dict[int, socket.socket] = {}
        self._listeners: set[int] = set()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._serve)

    def inside(self, name: str, make: Callable[[], socket.socket]) -> socket.socket:
        """Make a socket in a namespace."""
        return self._pools[name].submit(make).result(LIMIT_SECONDS)

    def start(self) -> None:
        """Serve the node's shell port, and the domain server's names and time."""
        listener = self.inside(self.host, lambda: bound(socket.SOCK_STREAM, NODE, 22))
        listener.listen(300)
        self._listeners.add(listener.fileno())
        self._watch(listener)
        for port in (53, 123):
            self._watch(self.inside(self.world, lambda port=port: bound(socket.SOCK_DGRAM, DOMAIN, port)))  # type: ignore[misc]
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        self._thread.join(LIMIT_SECONDS)
        for one in self._open.values():
            one.close()
        for pool in self._pools.values():
            pool.shutdown()

    def _watch(self, one: socket.socket) -> None:
        one.setblocking(False)
        self._open[one.fileno()] = one
        self._heard.register(one, select.EPOLLIN)

    def _serve(self) -> None:
        while not self._stopping.is_set():
            for descriptor, _ in self._heard.poll(0.05):
                one = self._open[descriptor]
                with contextlib.suppress(OSError):
                    if descriptor in self._listeners:
                        self._watch(one.accept()[0])
                    else:
                        said, whence = one.recvfrom(100)
                        if said:
                            one.sendto(said, whence) if one.type == socket.SOCK_DGRAM else one.send(said)
                        elif one.type == socket.SOCK_STREAM:
                            self._heard.unregister(descriptor)


def bound(kind: int, address: str, port: int) -> socket.socket:
    one = socket.socket(socket.AF_INET, kind)
    one.setsockopt(socket.IPPROTO_IP, IP_FREEBIND, 1)
    one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    one.bind((address, port))
    return one


def shell_from(world: World, address: str) -> socket.socket:
    def make() -> socket.socket:
        one = bound(socket.SOCK_STREAM, address, 0)
        one.setblocking(False)
        one.connect_ex((NODE, 22))
        return one

    return world.inside(world.world, make)


def asking(world: World, port: int) -> socket.socket:
    def make() -> socket.socket:
        one = bound(socket.SOCK_DGRAM, NODE, 0)
        one.setblocking(False)
        one.connect((DOMAIN, port))
        return one

    return world.inside(world.host, make)


def connected(sockets: list[socket.socket], seconds: float) -> int:
    """Wait until all are connected, or the time is over; return how many are."""
    end = time.monotonic() + seconds
    waiting = set(sockets)
    while waiting and (left := end - time.monotonic()) > 0:
        _, ready, _ = select.select([], list(waiting), [], left)
        waiting -= {one for one in ready if one.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == 0}
    return len(sockets) - len(waiting)


def alive(sockets: list[socket.socket], word: bytes, seconds: float) -> int:
    """Say a word on all, and return how many hear it back in time."""
    for one in sockets:
        with contextlib.suppress(OSError):
            one.send(word)
    end = time.monotonic() + seconds
    waiting = set(sockets)
    while waiting and (left := end - time.monotonic()) > 0:
        ready, _, _ = select.select(list(waiting), [], [], left)
        for one in ready:
            with contextlib.suppress(OSError):
                if word in one.recv(100):
                    waiting.discard(one)
    return len(sockets) - len(waiting)


@pytest.fixture
def ground(namespaces: str, conntrack: str) -> Iterator[Gauges]:
    addresses = Projector(derive_policy(parse_site(BEFORE))).host("node-1").addresses
    with gauges(addresses, 1) as built:
        yield built
        # The script's timer for rolling back sleeps on in the background once its work is confirmed.
        pids = subprocess.run(
            ["ip", "netns", "pids", built.names[0][0]], capture_output=True, text=True, check=True
        )
        for pid in pids.stdout.split():
            if int(pid) != os.getpid():
                os.kill(int(pid), signal.SIGTERM)


@pytest.fixture
def world(ground: Gauges) -> Iterator[World]:
    one = World(ground)
    one.start()
    yield one
    one.stop()


def apply(ground: Gauges, target: str, text: str, folder: Path) -> None:
    """Take the steps that come with a rendering: check, apply, confirm."""
    folder.mkdir()
    for file in renderer(target).render(Projector(derive_policy(parse_site(text))).host("node-1")).files:
        (folder / file.name).write_text(file.text, encoding="utf-8")
    script = folder / f"node-1-{'nft' if target == 'nftables' else target}.sh"
    for step in ("check", "apply", "confirm"):
        state = f"CONTROLROOM_FIREWALL_STATE={folder}"
        assert ground.run(0, "env", state, "sh", str(script), step) is not None, step


def controlroom(ground: Gauges, site: Path, *more: str) -> tuple[int, dict[str, object]]:
    command = [sys.executable, "-m", "controlroom.cli", "network", "connections", "--site", str(site)]
    done = subprocess.run(
        ["ip", "netns", "exec", ground.names[0][0], *command, "--host", "node-1", "--json", *more],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    return done.returncode, json.loads(done.stdout or "{}")


@pytest.mark.timeout(110)
@pytest.mark.parametrize("target", ["nftables", "iptables"])
def test_a_new_policy_breaks_no_wanted_connection_and_stale_ones_are_listed_and_cut(
    target: str, nft: str, iptables_restore: str, ground: Gauges, world: World, tmp_path: Path
) -> None:
    site = tmp_path / "site.toml"
    site.write_text(AFTER, encoding="utf-8")
    apply(ground, target, BEFORE, tmp_path / "before")
    kept = [shell_from(world, f"10.77.4.{1 + number % 14}") for number in range(60)]
    ended = [shell_from(world, f"10.77.4.{100 + number}") for number in range(60)]
    names, times = ([asking(world, port) for _ in range(40)] for port in (53, 123))
    assert connected([*kept, *ended], LIMIT_SECONDS) == 120
    assert alive([*kept, *ended, *names, *times], b"before", LIMIT_SECONDS) == 200

    apply(ground, target, AFTER, tmp_path / "after")

    assert alive([*kept, *names], b"after", LIMIT_SECONDS) == 100
    late = [shell_from(world, f"10.77.4.{100 + number}") for number in range(10)]
    assert connected(late, SILENT_SECONDS) == 0
    assert connected([shell_from(world, "10.77.4.3")], LIMIT_SECONDS) == 1

    code, found = controlroom(ground, site)
    assert (code, found["stale"], found["wanted"]) == (1, 100, 101)
    assert {str(one).partition(" ")[0] for one in found["stale_connections"]} == {"tcp", "udp"}  # type: ignore[attr-defined]
    code, found = controlroom(ground, site, "--cut")
    assert (code, found["cut"]) == (0, 100)

    assert alive([*ended, *times], b"cut", SILENT_SECONDS) == 0
    assert alive([*kept, *names], b"still", LIMIT_SECONDS) == 100
    code, found = controlroom(ground, site)
    assert (code, found["stale"]) == (0, 0)
