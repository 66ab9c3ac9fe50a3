"""Join this machine to a Control Room and run bots on it."""

import asyncio
import os
import platform
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from controlroom.cli.output import EXIT_FAILED, err, out, print_facts, print_json
from controlroom.foundation.errors import Conflict, Invalid
from controlroom.runner.identity import (
    default_state_folder,
    has_identity,
    hold_state_folder,
    is_held,
    load_identity,
    make_state_folder,
    remove_identity,
    save_identity,
)

if TYPE_CHECKING:
    from controlroom.runner.agent.status import AgentStatus
    from controlroom.runner.identity import Identity

TOKEN_VARIABLE = "CONTROLROOM_JOIN_TOKEN"
_LONGEST_TOKEN = 4096

app = typer.Typer(help=__doc__, no_args_is_help=True)

StateOption = Annotated[
    Path | None,
    typer.Option(
        "--state",
        help="Folder with the runner's key and work.",
        envvar="CONTROLROOM_RUNNER_STATE",
        show_default=False,
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")]
LabelOption = Annotated[
    list[str] | None,
    typer.Option(
        "--label", help="A label that bots may ask for; may be given several times.", show_default=False
    ),
]


@app.command()
def join(
    url: Annotated[
        str, typer.Argument(help="Address of the Control Room, such as https://controlroom.example.com.")
    ],
    *,
    token: Annotated[
        str | None,
        typer.Option(
            "--token",
            help=f"The one-time join token; '-' reads it from standard input. Other users of this machine may see "
            f"arguments: prefer '-' or {TOKEN_VARIABLE}.",
            show_default=False,
        ),
    ] = None,
    name: Annotated[
        str | None, typer.Option(help="The device's name; this machine's where none is given.")
    ] = None,
    slots: Annotated[int, typer.Option(min=1, max=256, help="How many bots may run at once.")] = 1,
    label: LabelOption = None,
    state: StateOption = None,
    replace: Annotated[
        bool, typer.Option("--replace", help="Forget an earlier join of this state folder.")
    ] = False,
    json: JsonOption = False,
) -> None:
    """Exchange a one-time token for this runner's own key."""
    from controlroom.runner.join import join_control_room
    from controlroom.runner.link.address import ControlRoomAddress

    folder = state or default_state_folder()
    secret = _token(token)
    make_state_folder(folder)
    if has_identity(folder) and not replace:
        raise Conflict(
            f"{folder} belongs to a runner that has joined already. Use --replace, or another --state."
        )
    with hold_state_folder(folder):
        identity = asyncio.run(
            join_control_room(
                url, secret, name=name or platform.node(), slots=slots, labels=tuple(label or ())
            )
        )
        save_identity(folder, identity)
    if ControlRoomAddress(identity.url).is_plain_text:
        err.print(
            "The address begins with http: the runner's key will travel unencrypted. Use https where you can."
        )
    if json:
        print_json(
            {"device_id": identity.device_id, "device_name": identity.device_name, "state": str(folder)}
        )
    else:
        out.print(
            f"Joined {identity.url} as {identity.device_name}. Start it with: controlroom runner start",
            markup=False,
        )


@app.command()
def start(
    *,
    slots: Annotated[
        int | None, typer.Option(min=1, max=256, help="How many bots may run at once.", show_default=False)
    ] = None,
    label: LabelOption = None,
    state: StateOption = None,
    no_warm: Annotated[
        bool, typer.Option("--no-warm", help="Start every bot in a fresh interpreter.")
    ] = False,
    keep_failed: Annotated[
        int | None,
        typer.Option(help="Keep this many working folders of failed bots to look at.", show_default=False),
    ] = None,
    log_level: Annotated[
        Literal["debug", "info", "warning", "error"], typer.Option(help="Least level.")
    ] = "info",
    log_format: Annotated[
        Literal["text", "json"], typer.Option(help="Form of the runner's log lines.")
    ] = "text",
) -> None:
    """Run bots until stopped. The first Ctrl-C ends them cleanly, a second one at once."""
    from controlroom.foundation.telemetry import configure_logging
    from controlroom.runner.agent.process import run_agent
    from controlroom.runner.settings import runner_settings

    folder = state or default_state_folder()
    identity = load_identity(folder)
    configure_logging(log_level, log_format)
    settings = runner_settings(
        identity,
        state=folder,
        slots=slots,
        labels=tuple(label) if label else None,
        warm=False if no_warm else None,
        keep_failed=keep_failed,
    )
    run_agent(identity, settings)


@app.command()
def status(state: StateOption = None, json: JsonOption = False) -> None:
    """Show whether the runner of this machine runs and what it does; exit code 1 where it is not connected."""
    from controlroom.runner.agent.status import read_status

    folder = state or default_state_folder()
    identity = load_identity(folder)
    running = is_held(folder)
    last = read_status(folder) if running else None
    facts = _facts(identity, folder, running, last)
    if json:
        print_json(facts)
    else:
        print_facts(
            {
                name.replace("_", " ").capitalize(): _shown(value)
                for name, value in facts.items()
                if value is not None
            }
        )
    if last is None or last.link != "connected":
        raise typer.Exit(EXIT_FAILED)


@app.command()
def leave(
    state: StateOption = None,
    force: Annotated[
        bool, typer.Option("--force", help="Give up results that are not delivered yet.")
    ] = False,
) -> None:
    """Forget this runner's key. The device itself is revoked in the Control Room."""
    folder = state or default_state_folder()
    identity = load_identity(folder)
    with hold_state_folder(folder):
        attempts = folder / "attempts"
        waiting = sorted(path.name for path in attempts.iterdir()) if attempts.is_dir() else []
        if waiting and not force:
            raise Conflict(
                f"{len(waiting)} attempts have results that the Control Room does not have yet. "
                "Start the runner to deliver them, or use --force."
            )
        remove_identity(folder)
    out.print(
        f"This machine has left. Revoke '{identity.device_name}' under Devices in {identity.url}.",
        markup=False,
    )


def _token(given: str | None) -> str:
    token = os.environ.get(TOKEN_VARIABLE, "") if given is None else given
    if token == "-":
        token = sys.stdin.readline(_LONGEST_TOKEN)
    token = token.strip()
    if not token or not token.isascii() or any(character.isspace() for character in token):
        raise Invalid(
            f"A join token is needed: --token TOKEN, '--token -' to read it from standard input, or {TOKEN_VARIABLE}."
        )
    return token


def _facts(
    identity: "Identity", folder: Path, running: bool, last: "AgentStatus | None"
) -> dict[str, object]:
    facts: dict[str, object] = {
        "device": identity.device_name,
        "device_id": identity.device_id,
        "control_room": identity.url,
        "state": str(folder),
        "process": "running" if running else "stopped",
    }
    if last is not None:
        facts |= {
            "pid": last.pid,
            "link": last.link,
            "transport": last.transport or None,
            "reason": last.reason or None,
            "since": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(last.link_since)),
            "draining": last.draining,
            "running": list(last.running),
            "undelivered": list(last.undelivered),
        }
    return facts


def _shown(value: object) -> object:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return (", ".join(str(item) for item in value) or "none") if isinstance(value, list) else value
