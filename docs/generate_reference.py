"""Writes the reference pages that can be generated: commands, REST API, settings and required ports.

With ``--check`` it writes nothing and fails if a page is not as it would be written.
"""

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer

from controlroom.cli.main import group_names
from controlroom.foundation.settings import ENVIRONMENT_PREFIX, Settings
from controlroom.network.reports.tables import tables_by_component, tables_by_section, write_tables

FOLDER = Path(__file__).parent / "reference"


def main() -> None:
    """Write or check the pages."""
    pages = {"commands.md": commands(), "settings.md": settings(), "api.md": api(), "ports.md": ports()}
    stale = [name for name, text in pages.items() if not _is_current(name, text)]
    if "--check" in sys.argv:
        if stale:
            sys.exit(f"Not as they would be generated: {', '.join(stale)}. Run 'make docs'.")
        return
    for name in stale:
        (FOLDER / name).write_text(pages[name], encoding="utf-8")


def _is_current(name: str, text: str) -> bool:
    path = FOLDER / name
    return path.exists() and path.read_text(encoding="utf-8") == text


def settings() -> str:
    """Return the page of settings."""
    rows = [
        "# Settings",
        "",
        "Each can be given in the environment, or by its lower-case name without the prefix in `controlroom-settings.toml`",
        "(`CONTROLROOM_SETTINGS_FILE` names another file). The environment wins. `controlroom settings show` tells what is",
        "in force and where it came from.",
        "",
        "| setting | default | what it is |",
        "|---|---|---|",
    ]
    for name, field in Settings.model_fields.items():
        default = (
            "" if field.default_factory is not None or field.default in ("", None) else f"`{field.default}`"
        )
        rows.append(f"| `{ENVIRONMENT_PREFIX}{name.upper()}` | {default} | {field.description} |")
    return "\n".join(rows) + "\n"


def ports() -> str:
    """Return the catalogue of required ports, first in the document's own tables, then by the part that listens."""
    intro = (
        "# Required ports\n\n"
        "Every flow that the product can need, as `controlroom network ports` prints it. A site needs a part of these: "
        "`controlroom network ports --by zone --site site.toml` says which. Why one is needed says "
        "`controlroom network explain FLOW`.\n\n"
    )
    return f"{intro}{write_tables([*tables_by_section(), *tables_by_component()[:-2]], 'md').rstrip()}\n"


def commands() -> str:
    """Return the page of commands."""
    parts = [
        "# Commands",
        "",
        "Exit codes: 0 done; 1 what was asked for failed; 2 wrong usage or input; 3 the Control Room cannot be reached;",
        "4 not allowed; 130 interrupted.",
        "",
    ]
    for name in group_names():
        module = importlib.import_module(f"controlroom.cli.{name.replace('-', '_')}")
        command = typer.main.get_command(module.app)
        parts += [
            f"## controlroom {name}",
            "",
            (module.__doc__ or "").strip(),
            "",
            *_described(f"controlroom {name}", command),
        ]
    return "\n".join(parts).rstrip() + "\n"


def _described(path: str, command: Any) -> Iterator[str]:
    children = getattr(command, "commands", {})
    if not children:
        yield from _options(command)
    for name, child in children.items():
        yield from [f"### {path} {name}", "", (child.help or "").strip(), ""]
        yield from _options(child)


def _options(command: Any) -> Iterator[str]:
    rows = []
    for parameter in command.params:
        if "--help" in parameter.opts:
            continue
        shown = (
            ", ".join(f"`{option}`" for option in parameter.opts)
            if parameter.param_type_name == "option"
            else f"`{parameter.name.upper()}`"
        )
        rows.append(f"| {shown} | {(getattr(parameter, 'help', '') or '').replace('|', '/')} |")
    if rows:
        yield from ["| option or argument | what it is |", "|---|---|", *rows, ""]


def api() -> str:
    """Return the page of the REST API."""
    from controlroom.server.app import create_app

    document = create_app(Settings()).openapi()
    parts = [
        "# REST API",
        "",
        document["info"]["description"],
        "",
        "`controlroom server openapi` prints the OpenAPI 3.1 document; a server gives it at `/api/v1/openapi.json`.",
        "",
        "| method | path | what it does |",
        "|---|---|---|",
    ]
    for path, operations in sorted(document["paths"].items()):
        for method, operation in operations.items():
            summary = (
                operation.get("description", operation.get("summary", "")).split("\n")[0].replace("|", "/")
            )
            parts.append(f"| {method.upper()} | `{path}` | {summary} |")
    return "\n".join(parts) + "\n"


if __name__ == "__main__":
    main()
