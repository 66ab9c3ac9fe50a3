"""Private instances of ufw and firewalld for tests: their own files, their own bus, gone afterwards."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from network.required_programs import required

START_SECONDS = 60

_BUS = """\
<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>system</type>
  <listen>unix:path={socket}</listen>
  <auth>EXTERNAL</auth>
  <policy context="default">
    <allow send_destination="*" eavesdrop="true"/>
    <allow receive_sender="*"/>
    <allow eavesdrop="true"/>
    <allow own="*"/>
    <allow user="*"/>
  </policy>
</busconfig>
"""


@pytest.fixture(scope="session")
def ufw_program() -> str:
    return required("ufw", "ufw")


@pytest.fixture(scope="session")
def firewalld_program() -> str:
    required("dbus-daemon", "dbus")
    return required("firewalld", "firewalld")


class UfwFolder:
    """ufw's files as they are on a fresh machine, under a root of their own."""

    def __init__(self, root: Path) -> None:
        self.root = root
        (root / "run").mkdir()
        for folder in ("lib/ufw", "etc/ufw"):
            shutil.copytree(Path("/") / folder, root / folder)
        (root / "etc/default").mkdir()
        shutil.copy("/etc/default/ufw", root / "etc/default/ufw")
        for name in (
            "user.rules",
            "user6.rules",
            "before.rules",
            "before6.rules",
            "after.rules",
            "after6.rules",
        ):
            prefix = "iptables/" if name.startswith(("user", "before", "after")) else ""
            fresh = Path("/usr/share/ufw") / prefix / name
            if fresh.exists():
                shutil.copy(fresh, root / "etc/ufw" / name)
        text = (root / "etc/ufw/ufw.conf").read_text().replace("ENABLED=yes", "ENABLED=no")
        (root / "etc/ufw/ufw.conf").write_text(text)

    @property
    def command(self) -> str:
        """How ufw is called for this folder."""
        return f"ufw --rootdir={self.root} --datadir={self.root}"

    @property
    def environment(self) -> dict[str, str]:
        """What the rendering's script is told."""
        state = {"UFW_DATA_FOLDER": str(self.root), "CONTROLROOM_FIREWALL_STATE": str(self.root / "state")}
        return {**os.environ, "PATH": "/usr/sbin:/usr/bin:/sbin:/bin", **state}


class FirewalldFolder:
    """firewalld's configuration with a bus of its own."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.config = root / "config"
        for kind in ("zones", "policies", "ipsets", "services", "icmptypes", "helpers"):
            (self.config / kind).mkdir(parents=True)
        shutil.copy("/etc/firewalld/firewalld.conf", self.config / "firewalld.conf")
        # A path to a socket has at most 107 characters, fewer than a test's folder may have.
        self._socket = Path("/tmp") / f"crbus-{os.getpid()}-{abs(hash(root)) % 10**8}"
        (root / "bus.conf").write_text(_BUS.format(socket=self._socket))

    @property
    def environment(self) -> dict[str, str]:
        """What firewall-cmd and the rendering's script are told."""
        return {
            **os.environ,
            "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
            "DBUS_SYSTEM_BUS_ADDRESS": f"unix:path={self._socket}",
            "FIREWALLD_CONFIG_FOLDER": str(self.config),
            "CONTROLROOM_FIREWALL_STATE": str(self.root / "state"),
        }

    @contextmanager
    def running(self, *inside: str) -> Iterator[None]:
        """Run firewalld behind a command such as ``ip netns exec NAME``, until the caller is done."""
        bus = subprocess.Popen(
            [
                *inside,
                "dbus-daemon",
                f"--config-file={self.root / 'bus.conf'}",
                "--nofork",
                "--nopidfile",
                "--print-address",
            ],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        started = [bus]
        try:
            assert bus.stdout is not None
            assert bus.stdout.readline()
            with (self.root / "firewalld.log").open("w") as log:
                firewalld = [*inside, "firewalld", "--nofork", "--nopid", f"--system-config={self.config}"]
                started.append(subprocess.Popen(firewalld, env=self.environment, stdout=log, stderr=log))
            self._wait(*inside)
            yield
        finally:
            for process in reversed(started):
                process.kill()
                process.wait()
                if process.stdout is not None:
                    process.stdout.close()
            self._socket.unlink(missing_ok=True)

    def _wait(self, *inside: str) -> None:
        """Ask until firewalld answers; each question takes a while by itself."""
        for _ in range(START_SECONDS * 5):
            state = subprocess.run(
                [*inside, "firewall-cmd", "--state"],
                env=self.environment,
                capture_output=True,
                timeout=START_SECONDS,
            )
            if state.returncode == 0:
                return
        raise AssertionError((self.root / "firewalld.log").read_text())
