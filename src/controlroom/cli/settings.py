"""Show what the server is told from outside, and where each value came from."""

import os
import tomllib
from typing import Annotated, Any

import typer
from pydantic import SecretStr

from controlroom.cli.output import print_json, print_table
from controlroom.foundation.settings import ENVIRONMENT_PREFIX, Settings, load_settings, settings_file

app = typer.Typer(help=__doc__, no_args_is_help=True)

JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")]


@app.command()
def show(json: JsonOption = False) -> None:
    """List every setting, its value, its source and what it means. Secrets are not shown."""
    settings = load_settings()
    in_file = tomllib.loads(settings_file().read_text(encoding="utf-8")) if settings_file().exists() else {}
    rows = [_row(settings, name, in_file) for name in Settings.model_fields]
    if json:
        print_json(rows)
    else:
        print_table(["Setting", "Value", "From", "Meaning"], [list(row.values()) for row in rows])


def _row(settings: Settings, name: str, in_file: dict[str, Any]) -> dict[str, str]:
    value = getattr(settings, name)
    variable = f"{ENVIRONMENT_PREFIX}{name.upper()}"
    source = variable if variable in os.environ else str(settings_file()) if name in in_file else "default"
    shown = "***" if isinstance(value, SecretStr) or (name == "database_url" and value) else str(value)
    return {
        "name": name,
        "value": shown,
        "source": source,
        "meaning": Settings.model_fields[name].description or "",
    }


@app.command()
def check() -> None:
    """Read the settings and say what cannot stand; exit code 2 if anything cannot."""
    load_settings()
    print_table(["Result"], [["The settings can stand."]])
