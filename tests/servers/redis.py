"""A private Redis node of a cluster, in the clear or within TLS."""

from pathlib import Path

from servers.certificates import Certificates
from servers.private import PrivateServer, free_port, start
from servers.programs import required_program


def start_redis(
    folder: Path, certificates: Certificates | None = None, *, password: str = ""
) -> PrivateServer:
    """Start one node; with certificates it speaks TLS on both of its ports."""
    program = required_program("redis-server", "redis-server")
    ports = {"data": free_port(), "bus": free_port()}
    name = "redis-tls" if certificates else "redis-password" if password else "redis"
    place = folder / name
    place.mkdir()
    options = [
        "--bind 127.0.0.1",
        "--cluster-enabled yes",
        f"--cluster-port {ports['bus']}",
        "--cluster-config-file nodes.conf",
        f"--dir {place}",
        "--appendonly no",
        "--daemonize no",
    ]
    if certificates:
        options += [
            f"--port 0 --tls-port {ports['data']} --tls-cluster yes --tls-auth-clients no",
            f"--tls-cert-file {certificates.certificate} --tls-key-file {certificates.key}",
            f"--tls-ca-cert-file {certificates.authority}",
        ]
    else:
        options.append(f"--port {ports['data']}")
    if password:
        options.append(f"--requirepass {password}")
    return start(name, [program, *" ".join(options).split(), "--save", ""], folder, ports)
