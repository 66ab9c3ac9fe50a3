"""A private name server."""

from pathlib import Path

from servers.private import PrivateServer, free_port_of_both, start
from servers.programs import required_program


def start_dnsmasq(folder: Path) -> PrivateServer:
    """Start a server without upstream servers, over UDP and TCP on the same port."""
    program = required_program("dnsmasq", "dnsmasq-base", "/usr/sbin")
    port = free_port_of_both()
    options = f"--keep-in-foreground --port={port} --listen-address=127.0.0.1 --bind-interfaces --no-resolv"
    options += f" --no-hosts --user=root --pid-file={folder}/dnsmasq.pid --conf-file=/dev/null"
    return start("dnsmasq", [program, *options.split()], folder, {"dns": port}, udp={"dns": port})
