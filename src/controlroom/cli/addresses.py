"""Addresses of a Control Room on this machine, and the one that texts give as an example."""

import ipaddress

from controlroom.network.catalogue import default_port


def local_address(host: str, port: int) -> str:
    """Return where this machine reaches a server that listens on a host and port; a wildcard is reached by loopback."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return f"http://{host}:{port}"
    if address.is_unspecified:
        address = ipaddress.ip_address("::1" if address.version == 6 else "127.0.0.1")
    return f"http://[{address}]:{port}" if address.version == 6 else f"http://{address}:{port}"


EXAMPLE_ADDRESS = local_address("127.0.0.1", default_port("control-room-web"))
"""Where a Control Room listens that was told nothing else."""
