"""Run a Control Room server, or describe its API."""

import gc
import socket
from typing import Annotated

import typer

from controlroom.cli.addresses import local_address
from controlroom.cli.output import EXIT_FAILED, err, out, print_json
from controlroom.foundation.errors import ControlRoomError, Unavailable
from controlroom.foundation.settings import Settings, load_settings

app = typer.Typer(help=__doc__, no_args_is_help=True)

SHUTDOWN_SECONDS = 5
"""How long open requests and streams may take to end when the server stops."""

_OBJECTS_BEFORE_A_SEARCH = 20_000
"""New objects before Python looks for garbage among the youngest; its own 700 are fewer than one page of a list makes."""


class PortTaken(ControlRoomError):
    """Something else listens on the port."""

    code = "port_taken"
    title = "The port is taken"


@app.command()
def start(
    host: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on; 0 takes a free one.")] = None,
) -> None:
    """Serve until stopped. Settings come from the environment and the settings file: 'controlroom settings show'."""
    settings = load_settings(host=host, port=port)
    listener = listen(settings)
    address = local_address(settings.host, listener.getsockname()[1])
    err.print(f"Control Room listens on {address}", markup=False)
    if not serve(settings, listener):
        raise typer.Exit(EXIT_FAILED)


@app.command()
def openapi() -> None:
    """Print the OpenAPI document of the REST API."""
    from controlroom.server.app import create_app

    print_json(create_app(load_settings()).openapi())


@app.command()
def health(
    url: Annotated[str, typer.Option(help="Address of the server.")] = "",
    json: Annotated[bool, typer.Option("--json")] = False,
) -> None:
    """Ask a server whether it is ready; exit code 3 where it does not answer, 1 where it is not ready."""
    import httpx

    settings = load_settings()
    address = (url or local_address(settings.host, settings.port)).rstrip("/")
    try:
        answer = httpx.get(f"{address}/health/ready", timeout=10)
        body = answer.json()
    except (httpx.HTTPError, ValueError) as error:
        raise Unavailable(f"Nothing answers as a Control Room at {address}: {error}.") from None
    if json:
        print_json(body)
    else:
        out.print("ready" if answer.is_success else f"not ready: {body}", markup=False)
    if not answer.is_success:
        raise typer.Exit(EXIT_FAILED)


def listen(settings: Settings) -> socket.socket:
    """Open the server's listening socket; raise `PortTaken` or `Unavailable` in one sentence."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((settings.host, settings.port))
        listener.listen(2048)
    except OSError as error:
        listener.close()
        if error.errno in (98, 48, 10048):  # EADDRINUSE of Linux, macOS and Windows
            raise PortTaken(
                f"Port {settings.port} of {settings.host} is taken by another program; stop it, or choose another with CONTROLROOM_PORT."
            ) from None
        raise Unavailable(
            f"{settings.host}:{settings.port} cannot be listened on: {error.strerror}."
        ) from None
    return listener


def serve(settings: Settings, listener: socket.socket) -> bool:
    """Serve on a socket until told to stop; return whether the server had started at all."""
    import uvicorn

    from controlroom.foundation.telemetry import configure_logging
    from controlroom.protocol.wire import MAXIMUM_FRAME_BYTES
    from controlroom.server.app import create_app

    configure_logging(settings.log_level, settings.log_format)
    config = uvicorn.Config(
        create_app(settings),
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=bool(settings.trusted_proxies),
        forwarded_allow_ips=settings.trusted_proxies or None,
        ws="websockets-sansio",
        ws_max_size=MAXIMUM_FRAME_BYTES,
        ws_ping_interval=None,  # the runners' own heartbeat tells more, and 2,000 idle ones cost less
        ws_per_message_deflate=False,
        timeout_graceful_shutdown=SHUTDOWN_SECONDS,
    )
    server = uvicorn.Server(config)
    # What is there before the first request is there for good. To look through it for garbage again and again, in the
    # middle of answers, took a tenth of a second each time; and what a page makes is no reason to look at all.
    gc.freeze()
    gc.set_threshold(_OBJECTS_BEFORE_A_SEARCH)
    server.run(sockets=[listener])
    return server.started
