"""Finds the command groups and runs the one that was asked for."""

import ast
import importlib
import sys
from pathlib import Path

import click
import typer

from controlroom import __version__
from controlroom.cli.output import EXIT_FAILED, EXIT_INTERRUPTED, print_error
from controlroom.foundation.errors import ControlRoomError

_NOT_GROUPS = {"__init__", "main", "output", "client"}

_EPILOG = (
    "Exit codes: 0 done, 1 the thing asked for failed or was not found good, 2 wrong usage or input, "
    "3 the Control Room cannot be reached, 4 not allowed, 130 interrupted."
)


class _Groups(click.Group):
    """The command groups of this package, imported when used."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Name the groups, in the order of the alphabet."""
        return sorted(path.stem.replace("_", "-") for path in Path(__file__).parent.glob("*.py") if path.stem not in _NOT_GROUPS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import one group."""
        if cmd_name not in self.list_commands(ctx):
            return None
        module = importlib.import_module(f"controlroom.cli.{cmd_name.replace('-', '_')}")
        command = typer.main.get_command(module.app)
        command.name = cmd_name
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the groups with the first line of each module's docstring, without importing them."""
        rows = [(name, _first_line(Path(__file__).parent / f"{name.replace('-', '_')}.py")) for name in self.list_commands(ctx)]
        with formatter.section("Commands"):
            formatter.write_dl(rows)


def _first_line(path: Path) -> str:
    docstring = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    return docstring.partition("\n")[0]


@click.group(cls=_Groups, epilog=_EPILOG, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(__version__, prog_name="controlroom")
def _root() -> None:
    """The open, self-hosted control room for software robots.

    Start everything on this machine with `controlroom up`.
    """


def main() -> None:
    """Run the command; every error becomes one sentence and an exit code."""
    try:
        result = _root(standalone_mode=False)
    except click.exceptions.Exit as leave:
        sys.exit(leave.exit_code)
    except click.Abort:
        sys.exit(EXIT_INTERRUPTED)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        sys.exit(EXIT_INTERRUPTED)
    except ControlRoomError as error:
        print_error(error)
        sys.exit(getattr(error, "exit_code", EXIT_FAILED) if error.status >= 500 else _exit_code(error))
    sys.exit(result if isinstance(result, int) else 0)


def _exit_code(error: ControlRoomError) -> int:
    return {401: 4, 403: 4, 422: 2, 413: 2}.get(error.status, EXIT_FAILED)
