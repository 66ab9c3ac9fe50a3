"""Finds the command groups and runs the one that was asked for."""

import ast
import importlib
import sys
from pathlib import Path
from typing import Annotated

import typer

from controlroom import __version__
from controlroom.cli.output import (
    EXIT_FAILED,
    EXIT_INTERRUPTED,
    EXIT_NOT_ALLOWED,
    EXIT_UNREACHABLE,
    EXIT_USAGE,
    out,
    print_error,
)
from controlroom.foundation.errors import ControlRoomError

_FOLDER = Path(__file__).parent
_NOT_GROUPS = {"__init__", "__main__", "main", "output", "client", "addresses"}
_EXIT_CODES = {
    401: EXIT_NOT_ALLOWED,
    403: EXIT_NOT_ALLOWED,
    413: EXIT_USAGE,
    422: EXIT_USAGE,
    503: EXIT_UNREACHABLE,
}
_HELP_NAMES = {"help_option_names": ["-h", "--help"]}
_EPILOG = (
    "Exit codes: 0 done; 1 what was asked for failed; 2 wrong usage or input; "
    "3 the Control Room cannot be reached; 4 not allowed; 130 interrupted."
)


def main() -> None:
    """Run the command; every foreseen error becomes one sentence and an exit code."""
    try:
        build_app(sys.argv[1:])()
    except ControlRoomError as error:
        print_error(error)
        sys.exit(_EXIT_CODES.get(error.status, EXIT_FAILED))
    except KeyboardInterrupt:
        sys.exit(EXIT_INTERRUPTED)


def build_app(arguments: list[str]) -> typer.Typer:
    """Return the command; only the group that the arguments name is imported, the others are known by name and help."""
    app = typer.Typer(
        pretty_exceptions_enable=False, no_args_is_help=True, context_settings=_HELP_NAMES, epilog=_EPILOG
    )
    app.callback()(_root)
    wanted = next((word for word in arguments if not word.startswith("-")), None)
    for name in group_names():
        if name == wanted:
            module = importlib.import_module(f"controlroom.cli.{name.replace('-', '_')}")
            app.add_typer(module.app, name=name)
        else:
            app.add_typer(_known_by_name(name), name=name)
    return app


def group_names() -> list[str]:
    """Name the groups: the modules and packages of this package that hold one."""
    modules = {path.stem for path in _FOLDER.glob("*.py")} - _NOT_GROUPS
    packages = {path.parent.name for path in _FOLDER.glob("*/__init__.py") if _exports_app(path)}
    return sorted(name.replace("_", "-") for name in modules | packages)


def _exports_app(package: Path) -> bool:
    """Say whether a package is a group; the others are parts of groups that are modules."""
    return '__all__ = ["app"' in package.read_text(encoding="utf-8")


def _known_by_name(group: str) -> typer.Typer:
    name = group.replace("-", "_")
    module = _FOLDER / f"{name}.py"
    source = module if module.exists() else _FOLDER / name / "__init__.py"
    first_line = (ast.get_docstring(ast.parse(source.read_text(encoding="utf-8"))) or "").partition("\n")[0]
    stub = typer.Typer(help=first_line)
    stub.callback()(lambda: None)
    return stub


def _print_version(wanted: bool) -> None:
    if wanted:
        out.print(f"controlroom {__version__}")
        raise typer.Exit


def _root(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.", callback=_print_version, is_eager=True)
    ] = False,
) -> None:
    """The open, self-hosted control room for software robots.

    Start everything on this machine with 'controlroom up'.
    """
