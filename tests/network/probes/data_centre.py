"""All the real servers at once: started side by side, so that together they cost little more than the slowest."""

import shutil
import tempfile
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from websockets.exceptions import ConnectionClosed
from websockets.sync.server import ServerConnection, serve

from servers.certificates import Certificates, make_certificates
from servers.dnsmasq import start_dnsmasq
from servers.dovecot import start_dovecot
from servers.kerberos import start_kerberos
from servers.nginx import start_nginx
from servers.postfix import start_postfix
from servers.postgresql import postgresql_server
from servers.private import PrivateServer
from servers.rabbitmq import start_rabbitmq
from servers.redis import start_redis
from servers.samba import start_samba
from servers.slapd import start_slapd
from servers.sshd import start_sshd
from servers.subversion import start_apache, start_svnserve
from servers.xrdp import start_xrdp

HTTP, TLS = {"http"}, {"tls"}
# Every listener, by "server:port name", and every probe that must find its own protocol there. All others must not.
SPOKEN: dict[str, set[str]] = {
    "rabbitmq:amqp": {"amqp"},
    "rabbitmq:amqps": {"amqp", "tls"},
    "rabbitmq:epmd": {"erlang-port-mapper"},
    "rabbitmq:distribution": {"erlang-distribution"},
    "redis:data": {"redis"},
    "redis:bus": {"redis-bus"},
    "redis-password:data": {"redis"},
    "redis-tls:data": {"redis", "tls"},
    # It wants a client's certificate, which probes show only where they are given one.
    "redis-tls:bus": {"tls"},
    "nginx:http": HTTP,
    "nginx:https": {"https", "tls"},
    "apache:http": {"http", "svn-http"},
    "apache:https": {"https", "svn-https", "tls"},
    "apache:password": {"http", "svn-http"},
    "svnserve:svnserve": {"svnserve"},
    "slapd:ldap": {"ldap", "ldap-start-tls"},
    "slapd:ldaps": {"ldaps", "tls"},
    "kerberos:kerberos": {"kerberos-tcp"},
    "samba:smb": {"smb"},
    "xrdp:rdp": {"rdp"},
    "postfix:smtp": {"smtp"},
    "postfix:submission": {"smtp"},
    "postfix:smtps": {"smtp", "tls"},
    "dovecot:imap": {"imap"},
    "dovecot:imaps": {"imaps", "tls"},
    "sshd:ssh": {"ssh"},
    "dnsmasq:dns": {"dns-tcp"},
    "postgresql:postgresql": {"postgresql"},
    "websockets:websocket": {"http", "websocket"},
}
SPOKEN_UDP: dict[str, set[str]] = {"kerberos:kerberos": {"kerberos-udp"}, "dnsmasq:dns": {"dns-udp"}}


@dataclass
class DataCentre:
    """The ports of all listeners that run."""

    tcp: dict[str, int]
    udp: dict[str, int]
    certificates: Certificates


@contextmanager
def data_centre() -> Iterator[DataCentre]:
    """Start every server; end each by its own id afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="controlroom-probes-", dir="/tmp"))
    folder.chmod(0o755)
    try:
        with ExitStack() as stack:
            certificates = make_certificates(folder / "certificates")
            # Servers that give their rights up read it as somebody else; it opens nothing.
            certificates.key.chmod(0o644)
            servers: list[PrivateServer] = []

            def add(server: PrivateServer) -> None:
                servers.append(server)
                stack.callback(server.stop)

            add(start_rabbitmq(folder, certificates))
            for redis in (
                start_redis(folder),
                start_redis(folder, certificates),
                start_redis(folder, password="secret"),
            ):
                add(redis)
            add(start_nginx(folder, certificates))
            add(start_apache(folder, certificates))
            add(start_svnserve(folder))
            add(start_slapd(folder, certificates))
            add(start_kerberos(folder))
            add(start_samba(folder))
            add(start_xrdp(folder, certificates))
            add(start_postfix(folder, certificates))
            add(start_dovecot(folder, certificates))
            add(start_sshd(folder))
            add(start_dnsmasq(folder))
            postgresql = stack.enter_context(postgresql_server())
            tcp = {"postgresql:postgresql": postgresql.port, "websockets:websocket": _websocket(stack)}
            for server in servers:
                server.wait()
                tcp |= {f"{server.name}:{name}": port for name, port in server.ports.items()}
            udp = {f"{one.name}:{name}": port for one in servers for name, port in one.udp.items()}
            yield DataCentre({name: tcp[name] for name in SPOKEN}, udp, certificates)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _websocket(stack: ExitStack) -> int:
    def listen(connection: ServerConnection) -> None:
        with suppress(ConnectionClosed):
            connection.recv()

    server = serve(listen, "127.0.0.1", 0)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    stack.callback(thread.join)
    stack.callback(server.shutdown)
    return int(server.socket.getsockname()[1])
