"""Start a whole Control Room on this machine: server, runner and, the first time, the example bots."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import httpx
import msgspec
import typer

from controlroom.cli.addresses import local_address
from controlroom.cli.client import load_profile, save_profile
from controlroom.cli.local.examples import example_folders, signed_in
from controlroom.cli.local.setup import ADMINISTRATOR, FirstSetup, check_data_folder, set_up
from controlroom.cli.local.supervisor import Supervisor, Watched
from controlroom.cli.output import err, out
from controlroom.cli.server import listen
from controlroom.foundation.errors import ControlRoomError, Unavailable
from controlroom.foundation.settings import Settings, load_settings
from controlroom.foundation.telemetry import configure_logging
from controlroom.runner.identity import has_identity, load_identity, save_identity

app = typer.Typer(help=__doc__)

Say = Callable[[str], None]

_START_SECONDS = 60
_RUNNER_SECONDS = 30
_LOOK_SECONDS = 0.1
_SLOTS = 4


@app.callback(invoke_without_command=True)
def up(
    examples: Annotated[
        Path | None, typer.Option(help="Folder of bots to publish at the first start; the first is run.")
    ] = None,
    slots: Annotated[int, typer.Option(min=1, max=64, help="How many bots may run at once.")] = _SLOTS,
    quiet: Annotated[bool, typer.Option("--quiet", help="Do not show progress.")] = False,
) -> None:
    """Start a server and a runner, watch both, and end them, running bots included, at Ctrl-C."""
    settings = load_settings()
    configure_logging("warning", settings.log_format)
    say = _silent if quiet else _show
    check_data_folder(settings.data_folder)
    with listen(settings) as free:
        settings = settings.model_copy(update={"port": free.getsockname()[1]})
    runner_state = settings.data_folder / "runner"
    say("Preparing the database")
    first = set_up(settings, needs_runner=not has_identity(runner_state))
    supervisor = Supervisor()
    supervisor.listen_to_signals()
    url = local_address(settings.host, settings.port)
    try:
        say("Starting the server")
        # The port is named even where a free one was wanted, so that a server that is started again comes back on it.
        server = supervisor.add(
            Watched(
                "server",
                ["server", "start", "--host", settings.host, "--port", str(settings.port)],
                _log(settings, "server"),
            )
        )
        _wait_for_server(url, server)
        say("Starting the runner")
        _join(url, first, runner_state, slots, settings)
        arguments = ["runner", "start", "--state", str(runner_state), "--slots", str(slots)]
        supervisor.add(Watched("runner", arguments, _log(settings, "runner")))
        said = (
            _tour(url, first, examples, say)
            if first.password is not None
            else ["Everything is as you left it."]
        )
        _close(url, first, said, settings)
        supervisor.watch()
    except KeyboardInterrupt:
        err.print("Stopping; running bots are asked to end first.")
    finally:
        supervisor.stop_all()


def _log(settings: Settings, name: str) -> Path:
    folder = settings.data_folder / "logs"
    folder.mkdir(exist_ok=True)
    return folder / f"{name}.log"


def _wait_for_server(url: str, server: Watched) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline:
        try:
            if httpx.get(f"{url}/health/ready", timeout=2, trust_env=False).is_success:
                return
        except httpx.HTTPError:
            pass
        if not server.is_running():
            raise Unavailable(f"The server ended while it started; see {server.log}.")
        time.sleep(_LOOK_SECONDS)
    raise Unavailable(f"The server did not answer within {_START_SECONDS} s; see {server.log}.")


def _join(url: str, first: FirstSetup, state: Path, slots: int, settings: Settings) -> None:
    if first.join_token is None:
        _follow(url, state)
        return
    process = Watched(
        "runner",
        ["runner", "join", url, "--state", str(state), "--slots", str(slots)],
        _log(settings, "runner"),
        {"CONTROLROOM_JOIN_TOKEN": first.join_token},
    )
    process.start()
    if process.process is None or process.process.wait(timeout=_RUNNER_SECONDS) != 0:
        raise Unavailable(f"The runner could not join; see {process.log}.")


def _follow(url: str, state: Path) -> None:
    """Let the runner and the commands of this user find a server whose address is not that of the last start."""
    identity = load_identity(state)
    if identity.url == url:
        return
    save_identity(state, msgspec.structs.replace(identity, url=url))
    profile = load_profile()
    if profile is not None and profile.url == identity.url:
        save_profile(url, profile.api_key)


def _tour(url: str, first: FirstSetup, examples: Path | None, say: Say) -> list[str]:
    said: list[str] = []
    with signed_in(url, ADMINISTRATOR, first.password or "") as tour:
        if load_profile() is None:
            save_profile(url, tour.make_key("The commands of this machine"))
        published = []
        for folder in example_folders(examples) if examples is not None else []:
            try:
                published.append(tour.publish(folder)["bot"])
                say(f"Published {folder.name}")
            except ControlRoomError as error:
                said.append(f"{folder.name} could not be published: {error.detail}")
        if not published:
            return said
        run = tour.run(published[0]["id"], "The first run, to show how it looks.")
        for seen in tour.wait_for(run["id"]):
            run = seen
            attempt = run["attempts"][-1] if run["attempts"] else {}
            say(
                f"{run['bot_name']}: {run['state']}" + (f", {attempt['step']}" if attempt.get("step") else "")
            )
        files = ", ".join(artifact["name"] for artifact in tour.artifacts(run["id"]))
        said.insert(
            0, f"{run['bot_name']} ran and {run['state']}" + (f"; it left {files}." if files else ".")
        )
        said.append(f"See its log, outputs and files: {url}/runs/{run['id']}")
        names = ", ".join(bot["name"] for bot in published[1:])
        if names:
            said.append(f"Try next: run {names} from {url}/bots")
    return said


def _close(url: str, first: FirstSetup, said: list[str], settings: Settings) -> None:
    out.print()
    out.print(f"Control Room is at {url}", markup=False)
    if first.password is not None:
        out.print(f"Sign in as {ADMINISTRATOR} with the password {first.password}", markup=False)
        out.print("The password is shown this once; only its hash is kept.")
    for line in said:
        out.print(line, markup=False)
    out.print(
        f"Data lies in {settings.data_folder.resolve()}. Ctrl-C stops everything; the next start goes on from here.",
        markup=False,
    )


def _show(text: str) -> None:
    err.print(f"  {text}", markup=False)


def _silent(_text: str) -> None:
    """Show nothing."""
