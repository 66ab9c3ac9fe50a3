"""A private OpenSSH server."""

import subprocess
from pathlib import Path

from servers.private import PrivateServer, free_port, start
from servers.programs import required_program


def start_sshd(folder: Path) -> PrivateServer:
    """Start a server with a host key of its own; its fixed folder is in a file system of its own."""
    program = required_program("sshd", "openssh-server", "/usr/sbin")
    keygen = required_program("ssh-keygen", "openssh-client")
    ports = {"ssh": free_port()}
    key = folder / "host-key"
    subprocess.run([keygen, "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True, timeout=30)
    script = (
        f'mount -t tmpfs tmpfs /run && mkdir /run/sshd && exec "{program}" -D -e -f /dev/null -h "{key}" '
        f"-p {ports['ssh']} -o ListenAddress=127.0.0.1 -o PidFile=none"
    )
    return start("sshd", ["sh", "-c", script], folder, ports, tree=True)
