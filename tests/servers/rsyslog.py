"""A private rsyslog server that takes syslog over TLS and writes what it has understood."""

import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from servers.certificates import Certificates
from servers.programs import required_program

_START_SECONDS = 30
_DRIVER = Path("/usr/lib/x86_64-linux-gnu/rsyslog/lmnsd_ossl.so")
_CONFIGURATION = """
global(workDirectory="{folder}" maxMessageSize="16k" defaultNetstreamDriver="ossl"
  defaultNetstreamDriverCAFile="{ca}" defaultNetstreamDriverCertFile="{certificate}" defaultNetstreamDriverKeyFile="{key}")
module(load="imtcp" streamDriver.name="ossl" streamDriver.mode="1" streamDriver.authMode="anon")
template(name="understood" type="string"
  string="%pri%|%protocol-version%|%timestamp:::date-rfc3339%|%hostname%|%app-name%|%msgid%|%structured-data%|%msg%\\n")
input(type="imtcp" port="0" address="127.0.0.1" listenPortFileName="{folder}/port")
*.* action(type="omfile" file="{folder}/received" template="understood" flushOnTXEnd="on")
"""


@dataclass(frozen=True)
class Rsyslog:
    """A running server; ``received`` holds a line for each message, its parts separated by bars."""

    port: int
    received: Path

    def lines(self) -> list[str]:
        """Return what has arrived."""
        return self.received.read_text("utf-8").splitlines() if self.received.exists() else []


@contextmanager
def rsyslog_server(folder: Path, certificates: Certificates) -> Iterator[Rsyslog]:
    """Start a server for the length of the block and end it, by its own process id, afterwards."""
    program = required_program("rsyslogd", "rsyslog", "/usr/sbin")
    if not _DRIVER.exists():
        pytest.skip("rsyslog has no TLS: apt-get install rsyslog-openssl")
    folder.mkdir(parents=True, exist_ok=True)
    configuration = folder / "rsyslog.conf"
    configuration.write_text(
        _CONFIGURATION.format(
            folder=folder,
            ca=certificates.authority,
            certificate=certificates.certificate,
            key=certificates.key,
        )
    )
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [program, "-n", "-f", configuration, "-i", folder / "pid"], stdout=log, stderr=log
        )
    try:
        yield Rsyslog(_port(process, folder), folder / "received")
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=_START_SECONDS)


def _port(process: subprocess.Popen[bytes], folder: Path) -> int:
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        text = (folder / "port").read_text().strip() if (folder / "port").exists() else ""
        if text.isdigit():
            return int(text)
        time.sleep(0.02)
    raise RuntimeError(f"rsyslog did not start: {(folder / 'log').read_text()[-500:]}")
