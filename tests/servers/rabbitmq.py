"""A private RabbitMQ node with a port mapper of its own."""

from pathlib import Path

from servers.certificates import Certificates
from servers.private import PrivateServer, free_port, start
from servers.programs import required_program

_FOLDER = "/usr/lib/rabbitmq/bin"


def start_rabbitmq(folder: Path, certificates: Certificates) -> PrivateServer:
    """Start a node that listens in the clear and within TLS."""
    required_program("rabbitmq-server", "rabbitmq-server")
    epmd = required_program("epmd", "rabbitmq-server")
    ports = {name: free_port() for name in ("amqp", "amqps", "epmd", "distribution")}
    home = folder / "node"
    home.mkdir()
    (home / ".erlang.cookie").write_text("controlroom")
    (home / ".erlang.cookie").chmod(0o400)
    (home / "plugins").write_text("[].\n")
    (home / "rabbitmq.conf").write_text(
        f"listeners.tcp.1 = 127.0.0.1:{ports['amqp']}\n"
        f"listeners.ssl.1 = 127.0.0.1:{ports['amqps']}\n"
        f"ssl_options.cacertfile = {certificates.authority}\n"
        f"ssl_options.certfile = {certificates.certificate}\n"
        f"ssl_options.keyfile = {certificates.key}\n"
        "loopback_users = none\nvm_memory_high_watermark.absolute = 256MB\ndisk_free_limit.absolute = 50MB\n"
        "log.console = true\nlog.file = false\n"
    )
    environment = {
        "HOME": str(home),
        "ERL_EPMD_PORT": str(ports["epmd"]),
        "ERL_EPMD_ADDRESS": "127.0.0.1",
        "RABBITMQ_NODENAME": "probed@localhost",
        "RABBITMQ_DIST_PORT": str(ports["distribution"]),
        "RABBITMQ_CONF_ENV_FILE": "/dev/null",
        "RABBITMQ_CONFIG_FILE": str(home / "rabbitmq.conf"),
        "RABBITMQ_MNESIA_BASE": str(home / "mnesia"),
        "RABBITMQ_LOG_BASE": str(home / "log"),
        "RABBITMQ_ENABLED_PLUGINS_FILE": str(home / "plugins"),
        "RABBITMQ_PID_FILE": str(home / "pid"),
        "LANG": "C.UTF-8",
        "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": (
            "+S 1:1 +sbwt none -kernel inet_dist_use_interface {127,0,0,1}"
        ),
    }
    # The port mapper first, in the same process namespace: the node would start one that outlives it.
    script = f'"{epmd}" -port {ports["epmd"]} -address 127.0.0.1 & exec "{_FOLDER}/rabbitmq-server"'
    log = folder / "rabbitmq.log"
    return start(
        "rabbitmq",
        ["sh", "-c", script],
        folder,
        ports,
        environment=environment,
        tree=True,
        ready=lambda: "startup complete" in log.read_text(errors="replace"),
    )
