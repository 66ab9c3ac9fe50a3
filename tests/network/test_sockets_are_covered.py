"""Every door is in the contract: no port stands outside the catalogue, and no socket is opened that no flow names."""

import re
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence, Set
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import psutil
import pytest

import controlroom
from controlroom.network.catalogue import FLOWS, LOCAL_SOCKETS, SERVICES, flow, service
from controlroom.network.catalogue.model import Component
from network.port_literals import port_literals
from network.socket_openers import opening_calls
from serving import RunningServer, running_server, script, wait_for

SOURCE = Path(controlroom.__file__).parent
CATALOGUE = SOURCE / "network" / "catalogue"
KNOWN_PORTS = frozenset(
    number
    for ports in (*(one.ports for one in SERVICES), *(one.ports for one in LOCAL_SOCKETS))
    for low, high in (ports.intervals if ports else ())
    for number in range(low, high + 1)
)

NO_PORTS = {
    ("network/analysis/model.py", "SOURCE_PORT"),  # which field of a packet it is
    ("network/checks/comparing.py", "_ANY_CLIENT_PORT"),  # stands for the ports that systems give to clients
    ("network/probes/sockets.py", "_IP_BIND_ADDRESS_NO_PORT"),  # an option's number in linux/in.h
    ("network/renderers/palo_alto.py", "LONGEST_PORTS"),  # how many characters a list of ports may have
}
"""Names that speak of ports and hold another kind of number."""

VOCABULARIES = {
    "network/rulesets/cisco_words.py",  # the words for ports in Cisco's configurations
    "network/rulesets/palo_alto_objects.py",  # the services that PAN-OS defines itself
}
"""Modules that say what another product's words for ports mean."""

_HUB = ("runner-link", "runner-http")
_CONTROL_ROOM = ("browser-http", "browser-https", "api-https", "balancer-web", "metrics", *_HUB)
DOORS: Mapping[str, Sequence[str]] = {
    "audit/syslog/connection.py": ("audit-syslog",),
    "cli/client/rest.py": ("api-https",),
    "cli/local/examples.py": ("api-https",),
    "cli/server.py": (*_CONTROL_ROOM, "creator-http", "creator-https", "iq-https"),
    "cli/up.py": ("metrics",),
    "foundation/database.py": ("database-postgresql",),
    "network/checks/here.py": tuple(one.name for one in FLOWS),
    "network/checks/listening.py": tuple(one.name for one in FLOWS),
    "network/preflight.py": ("time",),
    "network/probes/probing.py": tuple(one.name for one in FLOWS),
    "network/probes/sockets.py": tuple(one.name for one in FLOWS),
    "runner/link/address.py": _HUB,
    "runner/link/socks.py": _HUB,
    "runner/link/websocket.py": _HUB,
    "runner/platform/posix.py": (),
    "runner/warm/hosts.py": (),
    "runner/warm/inside/host.py": (),
}
"""By module that opens sockets: the flows that cover them. None for pairs of sockets inside of one machine."""


# (a) No port number stands anywhere else.


def _modules() -> Iterator[tuple[str, str]]:
    for path in sorted(SOURCE.rglob("*.py")):
        name = path.relative_to(SOURCE).as_posix()
        if not path.is_relative_to(CATALOGUE) and name not in VOCABULARIES:
            yield name, path.read_text()


def test_no_port_number_stands_outside_of_the_catalogue() -> None:
    found = [
        f"{name}:{each.line}: {each.number} {each.why}"
        for name, source in _modules()
        for each in port_literals(source, KNOWN_PORTS)
        if not any(name == module and f"'{word}'" in each.why for module, word in NO_PORTS)
    ]
    assert found == [], "take it from catalogue.default_port"


def test_no_port_number_stands_in_templates_and_scripts() -> None:
    web = SOURCE / "web"
    distinctive = "|".join(str(port) for port in sorted(KNOWN_PORTS) if port >= 1000)
    port = re.compile(rf"(?<![\w.#-])(?:{distinctive})(?![\w.])|[a-z\d]:(?:80|443|{distinctive})\b")
    found = [
        f"{path.relative_to(web)}: {match[0]}"
        for kind in ("*.html", "*.js", "*.css")
        for path in sorted(web.rglob(kind))
        if "vendor" not in path.parts
        for match in port.finditer(path.read_text())
    ]
    assert found == []


@pytest.mark.parametrize(
    "source",
    [
        "port = 7",
        "def listen(host: str, port: int = 9443) -> None: ...",
        "connect(host='x', port=25)",
        "settings = {'port': 389}",
        "DEFAULT_PORTS = {'http': 80}",
        "if port == 443: pass",
        "address = ('localhost', 443)",
        "url = 'http://127.0.0.1:8080/x'",
        "url = f'http://{host}:9999'",
        "text = 'the database is at 5432 there'",
        "bind(1433)",
        "sides.port = 88",
    ],
)
def test_a_port_that_is_written_down_is_found(source: str) -> None:
    assert port_literals(source, KNOWN_PORTS)


@pytest.mark.parametrize(
    "source",
    [
        '"""Listens on 8080."""',
        "port = default_port('control-room-web')",
        "if not 0 < port <= 65_535: pass",
        "status = 443",
        "time = '12:30:00+00:00'",
        "width, height = 80, 25",
        "reported = 80",
        "_MOST_PORTS = 256",
    ],
)
def test_what_is_no_port_is_let_be(source: str) -> None:
    assert not port_literals(source, KNOWN_PORTS)


# (b) No socket is opened that no flow names: in the source, and as the product runs.


def test_every_module_that_opens_a_socket_names_its_flows() -> None:
    opening = {name: calls for name, source in _modules() if (calls := opening_calls(source))}
    unknown = {name: calls for name, calls in opening.items() if name not in DOORS}
    assert unknown == {}, "name the flows of these doors, in the catalogue where they are new"
    assert DOORS.keys() - opening.keys() == set(), "these open nothing any more"
    for names in DOORS.values():
        for name in names:
            assert flow(name).name == name


@pytest.mark.parametrize(
    "source",
    [
        "import socket\nsocket.socket()",
        "from socket import create_connection as connect\nconnect(('x', 1))",
        "import asyncio\nasync def f():\n    await asyncio.start_server(f, 'x', 1)",
        "import httpx\nwith httpx.Client() as client: pass",
        "def f(loop):\n    loop.create_datagram_endpoint(f)",
        "import smtplib\nsmtplib.SMTP('x')",
        "def f():\n    import redis.asyncio\n    redis.asyncio.Redis()",
    ],
)
def test_a_call_that_opens_a_socket_is_found(source: str) -> None:
    assert opening_calls(source)


@dataclass(frozen=True, slots=True)
class Places:
    """Where the services of one running data centre are: ports by the service's name."""

    ports: Mapping[str, Set[int]]

    def covers_listener(self, component: Component, port: int) -> bool:
        """Say whether a service of the component listens there."""
        return any(
            port in ports for name, ports in self.ports.items() if service(name).component is component
        )

    def covers_connection(self, component: Component, port: int) -> bool:
        """Say whether a flow leads from the component to a service there."""
        return any(port in self.ports.get(one.service.name, ()) for one in FLOWS if one.source is component)


def uncovered(processes: Mapping[Component, Sequence[psutil.Process]], places: Places) -> list[str]:
    """Return each internet socket of the processes that no service or flow of their component covers."""
    found: list[str] = []
    for component, roots in processes.items():
        for process in [each for root in roots for each in (root, *root.children(recursive=True))]:
            sockets = process.net_connections("inet")
            listening = {one.laddr.port for one in sockets if one.status == psutil.CONN_LISTEN}
            for one in sockets:
                if one.status == psutil.CONN_LISTEN:
                    if not places.covers_listener(component, one.laddr.port):
                        found.append(f"{component}: {process.name()} listens on {one.laddr.port}")
                elif (
                    one.raddr
                    and one.laddr.port not in listening
                    and not places.covers_connection(component, one.raddr.port)
                ):
                    found.append(f"{component}: {process.name()} speaks with port {one.raddr.port}")
    return found


def _places(room: RunningServer, database_url: str) -> Places:
    # Nothing stands before the one node, so what runners reach as the entrance is the node itself.
    ports: dict[str, Set[int]] = {name: {room.port} for name in ("control-room-web", "control-room-http")}
    if "postgresql" in database_url:
        ports["postgresql"] = {urlsplit(database_url).port or 0}
    return Places(ports)


@pytest.mark.timeout(150)
def test_every_socket_of_a_running_server_and_runner_is_covered(tmp_path: Path, database_url: str) -> None:
    with running_server(tmp_path, runners=1, database_url=database_url) as room, room.client() as client:
        waiting = script("import time\nprint('here', flush=True)\ntime.sleep(600)")
        room.publish(waiting, "waiting")
        run = client.post("/api/v1/runs", json={"bot": "waiting"}).raise_for_status().json()["id"]
        wait_for(
            lambda: client.get(f"/api/v1/runs/{run}").json()["state"] == "running", "it runs", seconds=60
        )
        assert room.server is not None
        server, runner = psutil.Process(room.server.pid), psutil.Process(room.runners[0].pid)
        places = _places(room, database_url)
        running = {Component.CONTROL_ROOM: [server], Component.BOT_RUNNER: [runner]}
        assert uncovered(running, places) == []
        seen = [*server.net_connections("inet"), *runner.net_connections("inet")]
        assert len(seen) >= 3, "a listener and both ends of the runner's link are there to be seen"

        with _stranger(room.port) as stranger:
            port = next(one.laddr.port for one in stranger.net_connections("inet") if not one.raddr)
            with_stranger = {**running, Component.CONTROL_ROOM: [server, stranger]}
            told = uncovered(with_stranger, places)
            assert any(f"listens on {port}" in each for each in told)
            assert any(f"speaks with port {port}" in each for each in told)
        client.post(f"/api/v1/runs/{run}/cancel", json={}).raise_for_status()


_STRANGER = """
import socket, sys
listener = socket.create_server(("127.0.0.1", 0))
outgoing = socket.create_connection(listener.getsockname())
accepted, _ = listener.accept()
other = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
keeper = socket.create_connection(listener.getsockname())
print("open", flush=True)
sys.stdin.read()
"""


@contextmanager
def _stranger(port: int) -> Iterator[psutil.Process]:
    """Start a process with sockets that nobody declared: a listener, and a connection to it from another process."""
    with subprocess.Popen(
        [sys.executable, "-c", _STRANGER, str(port)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stdout.readline() == b"open\n"
        try:
            yield psutil.Process(process.pid)
        finally:
            process.stdin.close()
