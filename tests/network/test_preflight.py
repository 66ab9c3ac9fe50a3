"""Preflight on a made-up /proc, and the clock against a small time server."""

import socket
import threading
import time
from pathlib import Path

import pytest

from controlroom.network import preflight
from controlroom.network.addresses import Family
from controlroom.network.policy import derive_policy
from controlroom.network.preflight import clock_skew_seconds, look
from controlroom.network.projection import Projector
from controlroom.network.site import parse_site, read_site


def proc(folder: Path, *, reserved: str, sockets: tuple[str, ...] = ()) -> Path:
    settings = folder / "sys/net/ipv4"
    settings.mkdir(parents=True)
    (settings / "ip_local_port_range").write_text("32768\t60999\n")
    (settings / "ip_local_reserved_ports").write_text(reserved + "\n")
    (folder / "net").mkdir()
    (folder / "net/tcp").write_text("\n".join(["  sl  local_address", *sockets]) + "\n")
    return folder


def test_cluster_ports_in_the_ephemeral_range_are_a_trap_until_reserved(
    five_nodes: Path, tmp_path: Path
) -> None:
    site = read_site(five_nodes)
    node = Projector(derive_policy(site)).host("node-1")

    bare = look(site, node, proc=proc(tmp_path / "a", reserved=""), ask=False)
    mended = look(site, node, proc=proc(tmp_path / "b", reserved="47100-47200,47500-47600"), ask=False)

    assert [trap.check for trap in bare] == ["reserved ports"]
    assert "47100-47200, 47500-47600" in bare[0].message
    assert mended == []


def test_a_cluster_port_that_was_lent_to_a_connection_is_found(five_nodes: Path, tmp_path: Path) -> None:
    site = read_site(five_nodes)
    node = Projector(derive_policy(site)).host("node-1")
    lent = f"   0: 0100007F:{47105:04X} 0100007F:1F90 01 00000000:00000000"
    root = proc(tmp_path, reserved="47100-47200,47500-47600", sockets=(lent,))

    (trap,) = look(site, node, proc=root, ask=False)

    assert "port 47105 (tcp) is lent to a connection" in trap.message


def test_clock_skew_is_read_from_a_time_server() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))
        server.settimeout(5)

        def answer() -> None:
            _, peer = server.recvfrom(512)
            moment = int(time.time()) - 100 + 2_208_988_800
            server.sendto(bytes(40) + moment.to_bytes(4, "big") + bytes(4), peer)

        thread = threading.Thread(target=answer)
        thread.start()
        skew = clock_skew_seconds(Family.IPV4, "127.0.0.1", port=server.getsockname()[1])
        thread.join()

    assert 99 <= skew <= 102


@pytest.mark.parametrize(
    ("port", "found"), [(5672, True), (8080, True), (47500, True), (22, False), (40000, False)]
)
def test_a_port_of_ours_that_somebody_listens_on_is_found_and_ssh_may_stay(
    five_nodes: Path, tmp_path: Path, port: int, found: bool
) -> None:
    site = read_site(five_nodes)
    node = Projector(derive_policy(site)).host("node-1")
    listening = f"   0: 00000000:{port:04X} 00000000:0000 0A 00000000:00000000"
    root = proc(tmp_path, reserved="47100-47200,47500-47600", sockets=(listening,))

    messages = [trap.message for trap in look(site, node, proc=root, ask=False)]

    assert len(messages) == found
    assert all(f"port {port} (tcp) is listened on already" in message for message in messages)


SMALL = """\
[options]
management = "console"
identity = "local"
[zone.z]
prefixes = ["127.0.0.0/8"]
[host.cr]
zone = "z"
addresses = ["127.0.0.9"]
roles = ["control-room"]
"""


def test_a_name_that_does_not_resolve_and_a_time_server_that_is_silent_are_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = parse_site(
        SMALL
        + '[external.post]\nnames = ["post.invalid"]\nroles = ["mail-server"]\n'
        + '[external.clock]\nprefixes = ["127.0.0.8"]\nroles = ["time-server"]\n'
    )
    refused: list[str] = []

    def refuse(family: Family, address: str) -> float:
        refused.append(address)
        raise OSError("connection refused")

    monkeypatch.setattr(preflight, "clock_skew_seconds", refuse)
    host = Projector(derive_policy(site)).host("cr")

    traps = {trap.check: trap.message for trap in look(site, host, proc=tmp_path)}

    assert set(traps) == {"name resolution", "clock"}
    assert "post.invalid of external 'post' does not resolve" in traps["name resolution"]
    assert traps["clock"] == "time server 'clock' at 127.0.0.8 does not answer"
    assert refused == ["127.0.0.8"]


@pytest.mark.parametrize(("skew", "found"), [(0.4, False), (-1.9, False), (2.5, True), (-300.0, True)])
def test_a_clock_that_is_far_off_is_a_trap(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, skew: float, found: bool
) -> None:
    site = parse_site(SMALL + '[external.clock]\nprefixes = ["127.0.0.8"]\nroles = ["time-server"]\n')
    monkeypatch.setattr(preflight, "clock_skew_seconds", lambda family, address: skew)

    traps = look(site, Projector(derive_policy(site)).host("cr"), proc=tmp_path)

    assert [trap.check for trap in traps] == ["clock"] * found
    assert all(f"{skew:+.1f} s off that of 'clock'" in trap.message for trap in traps)
