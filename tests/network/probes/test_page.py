"""The page "Find why a runner cannot connect", followed in network namespaces: its commands say what it shows."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from typer.testing import CliRunner

from controlroom.cli.network import app

from .namespace import inside

PAGE = Path(__file__).resolve().parents[3] / "docs" / "network" / "why-a-runner-cannot-connect.md"
OLD_RULES = """\
table inet old {
  chain forward {
    type filter hook forward priority 0; policy drop;
    ct state established,related accept
    udp dport { 53, 123 } accept
    tcp dport 443 reject with icmpx type admin-prohibited
  }
}
"""
# What differs from run to run.
PASSING = [
    (r"certificate sha256 [0-9a-f]+… until [-0-9]+", "certificate sha256 …"),
    (r"TLSv1\.\d, [A-Z0-9_-]+", "TLS"),
    (r"this clock is [-+][0-9.]+ s off", "this clock is off"),
    (r"after \d+ ms", "after some ms"),
]


def run(*command: str, text: str | None = None) -> None:
    subprocess.run(command, check=True, input=text, text=True, capture_output=True)


def lasting(text: str) -> list[str]:
    for pattern, instead in PASSING:
        text = re.sub(pattern, instead, text)
    return text.splitlines()


class Place:
    """The page's three machines, each a network namespace."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.names = {name: f"crw{os.getpid()}-{name}" for name in ("runner", "border", "control")}

    def build(self) -> None:
        for name in self.names.values():
            run("ip", "netns", "add", name)
        border = self.names["border"]
        for number, name, hosts in ((1, "runner", (11,)), (2, "control", (11, 12))):
            peer = self.names[name]
            run(
                "ip",
                "-n",
                border,
                "link",
                "add",
                f"v{number}",
                "type",
                "veth",
                "peer",
                "name",
                "eth0",
                "netns",
                peer,
            )
            run("ip", "-n", border, "addr", "add", f"10.30.{number}.1/24", "dev", f"v{number}")
            run("ip", "-n", border, "link", "set", f"v{number}", "up")
            for host in hosts:
                run("ip", "-n", peer, "addr", "add", f"10.30.{number}.{host}/24", "dev", "eth0")
            run("ip", "-n", peer, "link", "set", "eth0", "up")
            run("ip", "-n", peer, "route", "add", "default", "via", f"10.30.{number}.1")
        forward = ("net.ipv4.ip_forward=1", "net.ipv4.icmp_ratelimit=0")
        run("ip", "netns", "exec", border, "sysctl", "-qw", *forward)

    def tear_down(self) -> None:
        for name in self.names.values():
            subprocess.run(["ip", "netns", "del", name], check=False, capture_output=True)

    def says(self, machine: str, command: str) -> str:
        """Run a command of the page on a machine; return what it writes."""
        words = command.split()
        if words[0] != "controlroom":
            run("ip", "netns", "exec", self.names[machine], *words)
            return ""
        done = inside(self.names[machine], lambda: CliRunner().invoke(app, words[2:]))
        assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
        return done.stdout

    @contextmanager
    def standing_in(self, host: str) -> Iterator[str]:
        command = [
            sys.executable,
            "-m",
            "controlroom.cli",
            "network",
            "check",
            "--site",
            "site.toml",
            "--listen",
        ]
        with subprocess.Popen(
            ["ip", "netns", "exec", self.names["control"], *command, "--host", host],
            stdout=subprocess.PIPE,
            text=True,
            cwd=self.folder,
        ) as standing:
            try:
                assert standing.stdout is not None
                yield standing.stdout.readline()
                standing.terminate()
                standing.communicate(timeout=30)
            finally:
                standing.kill()


def shown(page: str) -> list[tuple[str, str, str]]:
    """Return machine, command and output of every command of the page, in order."""
    found = []
    for block in re.findall(r"```console\n(.*?)```", page, re.DOTALL):
        for part in re.split(r"^(?=\w+\$ )", block, flags=re.MULTILINE):
            if part:
                head, _, output = part.partition("\n")
                machine, _, command = head.partition("$ ")
                found.append((machine, command, output))
    return found


def test_page_shows_what_its_commands_say(
    namespaces: str, nft: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = PAGE.read_text(encoding="utf-8")
    (site,) = re.findall(r"```toml\n(.*?)```", page, re.DOTALL)
    (tmp_path / "site.toml").write_text(site)
    monkeypatch.chdir(tmp_path)
    place = Place(tmp_path)
    with ExitStack() as stack:
        stack.callback(place.tear_down)
        place.build()
        greeting = stack.enter_context(place.standing_in("control"))
        stack.enter_context(place.standing_in("names"))
        run("ip", "netns", "exec", place.names["border"], "nft", "-f", "-", text=OLD_RULES)
        commands = shown(page)
        # The single probe of the last part is shown as it was before the border was mended.
        single = next(one for one in commands if " probe " in one[1])
        assert lasting(place.says(single[0], single[1])) == lasting(single[2])
        for machine, command, output in commands:
            if command.endswith("--listen"):
                assert output == greeting
            elif command.startswith("nft -f"):
                # The old rules go when the new ones come.
                place.says(machine, "nft delete table inet old")
                place.says(machine, command)
            elif " probe " not in command:
                said = place.says(machine, command)
                if output:
                    assert lasting(said) == lasting(output), command
                else:
                    assert "as the contract has it; 8 probes, 8 as needed" in said
