"""The runner finds its way: addresses, proxies, and certificates that the system trusts."""

import asyncio
import hashlib
import subprocess
from pathlib import Path

import httpx
import pytest

from controlroom.foundation.errors import Invalid
from controlroom.runner.link import ControlRoomAddress, LinkState
from controlroom.runner.link.address import control_room_url, http_client, proxy_for, tls_context
from runner.link.control_room import KEY, ControlRoom, serve
from runner.link.relay import Proxy, SocksProxy, relay
from runner.link.test_link import Runner, running
from servers.programs import required_program

PROXY_NAMES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in PROXY_NAMES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


@pytest.mark.parametrize(
    ("given", "taken"),
    [
        ("https://cr.example.com/", "https://cr.example.com"),
        (" http://10.0.0.5:8080 ", "http://10.0.0.5:8080"),
        ("https://cr.example.com/robots/", "https://cr.example.com/robots"),
        ("http://[::1]:8080", "http://[::1]:8080"),
    ],
)
def test_an_address_has_one_form(given: str, taken: str) -> None:
    assert control_room_url(given) == taken


@pytest.mark.parametrize(
    "given",
    [
        "",
        "cr.example.com",
        "ftp://x",
        "https://",
        "https://u:p@x",
        "https://x?a=1",
        "http://x:port",
        "http://[::1",
    ],
)
def test_what_is_no_address_is_refused(given: str) -> None:
    with pytest.raises(Invalid, match=r"controlroom\.example\.com"):
        control_room_url(given)


def test_the_key_is_not_shown_and_plain_text_is_known() -> None:
    address = ControlRoomAddress("http://cr.example.com", "crr_secret")

    assert "crr_secret" not in repr(address)
    assert address.is_plain_text
    assert not ControlRoomAddress("http://localhost:8080").is_plain_text
    assert ControlRoomAddress("https://x").websocket("/l") == "wss://x/l"


def test_proxies_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy:3128")
    monkeypatch.setenv("NO_PROXY", "inside.example.com,.corp")

    assert proxy_for("https://cr.example.com") == "http://proxy:3128"
    assert proxy_for("wss://cr.example.com/link") == "http://proxy:3128"
    assert proxy_for("http://cr.example.com") is None
    assert proxy_for("https://inside.example.com") is None
    assert proxy_for("https://cr.corp:8443") is None
    assert proxy_for("https://127.0.0.1:8443") is None


@pytest.mark.parametrize("strips_upgrade", [False, True])
async def test_both_transports_go_through_a_proxy(
    monkeypatch: pytest.MonkeyPatch, strips_upgrade: bool
) -> None:
    room = ControlRoom()
    room.websocket_status = 426 if strips_upgrade else 0
    async with serve(room), relay(room.address, kind=Proxy) as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        async with running(Runner("http://controlroom.invalid:8080")):
            await room.until(lambda: room.heartbeats)

        assert room.transports == ["long-poll" if strips_upgrade else "websocket"]
        assert proxy.asked[0] == b"CONNECT controlroom.invalid:8080 HTTP/1.1"


@pytest.mark.parametrize("strips_upgrade", [False, True])
async def test_both_transports_go_through_a_socks_proxy(
    monkeypatch: pytest.MonkeyPatch, strips_upgrade: bool
) -> None:
    room = ControlRoom()
    room.websocket_status = 426 if strips_upgrade else 0
    async with serve(room), relay(room.address, kind=SocksProxy) as proxy:
        monkeypatch.setenv("ALL_PROXY", proxy.url.replace("http:", "socks5h:"))
        async with running(Runner("http://controlroom.invalid:8080")):
            await room.until(lambda: len(room.heartbeats) > 3)

        assert room.transports == ["long-poll" if strips_upgrade else "websocket"]
        assert set(proxy.asked) == {b"controlroom.invalid"}


@pytest.mark.parametrize("scheme", ["socks5h", "socks5", "socks4a"])
async def test_a_socks_proxy_that_does_not_answer_is_said_without_its_password(
    monkeypatch: pytest.MonkeyPatch, scheme: str
) -> None:
    monkeypatch.setenv("ALL_PROXY", f"{scheme}://user:hunter2@127.0.0.1:9")
    address = ControlRoomAddress("http://controlroom.invalid:8080")
    client = http_client(address)
    with pytest.raises(httpx.TransportError) as raised:
        await client.get(address.http("/"))
    await client.aclose()
    assert "SOCKS proxy cannot be reached" in str(raised.value)
    assert "hunter2" not in str(raised.value)


async def test_files_go_through_a_socks_proxy_over_tls(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    certificate = await asyncio.to_thread(make_certificate, tmp_path, "DNS:controlroom.invalid")
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    tls_context.cache_clear()
    room = ControlRoom()
    async with serve(room, certificate=certificate), relay(room.address, kind=SocksProxy) as proxy:
        monkeypatch.setenv("ALL_PROXY", proxy.url.replace("http:", "socks5h:"))
        async with http_client(ControlRoomAddress("https://controlroom.invalid", KEY)) as client:
            answers = [await client.get("https://controlroom.invalid/nothing") for _ in range(3)]
            content = b"x" * 3_000_000
            path = "/runner/v1/attempts/att_1/artifacts/" + hashlib.sha256(content).hexdigest()
            stored = await client.put(f"https://controlroom.invalid{path}", content=content)
    tls_context.cache_clear()
    assert [answer.status_code for answer in answers] == [404] * 3
    assert stored.status_code == 204
    assert room.artifacts == {hashlib.sha256(content).hexdigest(): content}
    assert len(proxy.asked) == 1, "the connection is used again"


def test_no_proxy_takes_ranges_of_addresses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy:3128")
    monkeypatch.setenv("NO_PROXY", "10.0.0.0/8, 192.168.7.9/24,fd00::/8,not/a/range,.corp")

    for direct in ("10.200.1.1", "192.168.7.200", "[fd12::1]"):
        assert proxy_for(f"https://{direct}:8443") is None
    for proxied in ("11.0.0.1", "192.168.8.1", "[fe00::1]", "10.example.com"):
        assert proxy_for(f"https://{proxied}:8443") == "http://proxy:3128"


async def test_a_proxy_that_does_not_answer_is_named_without_its_password(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://user:hunter2@127.0.0.1:9")
    runner = Runner("http://controlroom.invalid:8080")
    async with running(runner):
        await runner.until(lambda: any(detail for _, detail in runner.states))

    assert runner.states[-1][0] is LinkState.CONNECTING
    assert not any("hunter2" in detail for _, detail in runner.states)


def make_certificate(folder: Path, name: str = "IP:127.0.0.1") -> Path:
    openssl = required_program("openssl", "openssl")
    path = folder / "certificate.pem"
    command = [openssl, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    command += ["-keyout", str(folder / "key.pem"), "-out", str(path), "-days", "2", "-subj", "/CN=test"]
    command += ["-addext", f"subjectAltName={name}"]
    subprocess.run(command, check=True, capture_output=True, timeout=30)
    path.write_text(path.read_text() + (folder / "key.pem").read_text())
    return path


async def test_a_certificate_that_the_system_does_not_trust_is_said_so_and_one_it_trusts_is_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    certificate = await asyncio.to_thread(make_certificate, tmp_path)
    tls_context.cache_clear()
    async with serve(ControlRoom(), certificate=certificate) as room:
        distrustful = Runner(room.url)
        async with running(distrustful):
            await distrustful.until(lambda: any("not trusted" in detail for _, detail in distrustful.states))
        assert not room.hellos

        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        tls_context.cache_clear()
        async with running(Runner(room.url)):
            await room.until(lambda: room.heartbeats)
        assert room.transports == ["websocket"]
    tls_context.cache_clear()
