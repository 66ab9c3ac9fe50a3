"""`preflight`: what would go wrong on this machine before an installation."""

import json
from typing import Annotated

import typer

from controlroom.cli.network.group import (
    FINDINGS,
    HostOption,
    JsonOption,
    SiteOption,
    app,
    errors_as_exit_codes,
    read_policy,
)
from controlroom.network.preflight import look
from controlroom.network.projection import Projector


@app.command()
def preflight(
    site: SiteOption,
    host: HostOption,
    offline: Annotated[bool, typer.Option("--offline", help="Ask no name and no time server.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Find what would go wrong on this machine: reserved ports, ports in use, names, the clock."""
    with errors_as_exit_codes():
        policy = read_policy(site)
        traps = look(policy.site, Projector(policy).host(host), ask=not offline)
        if as_json:
            typer.echo(
                json.dumps([{"check": trap.check, "message": trap.message} for trap in traps], indent=2)
            )
        else:
            for trap in traps:
                typer.echo(f"{trap.check}: {trap.message}")
            typer.echo(f"{len(traps)} traps" if traps else "nothing is in the way")
    raise typer.Exit(FINDINGS if traps else 0)
