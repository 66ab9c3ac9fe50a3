"""`init`, `flows`, `diff`: a site, what it allows, and how two of them differ."""

import json
from pathlib import Path
from typing import Annotated

import typer

from controlroom.cli.network.group import (
    FINDINGS,
    JsonOption,
    SiteOption,
    app,
    errors_as_exit_codes,
    one_of,
    read_policy,
    show,
)
from controlroom.network.errors import NetworkError
from controlroom.network.reports.changes import changes_between
from controlroom.network.reports.tables import FORMATS
from controlroom.network.reports.zones import table_of_flows
from controlroom.network.site.starter import Answers, write_site


@app.command()
def init(
    *,
    out: Annotated[Path, typer.Argument(help="The site file to write.")] = Path("site.toml"),
    name: Annotated[str, typer.Option(prompt="Name of the site")] = "site",
    nodes: Annotated[int, typer.Option(prompt="Control Room servers", min=1, max=200)] = 1,
    runners: Annotated[int, typer.Option(prompt="Bot Runners", min=1, max=900)] = 2,
    database: Annotated[
        str, typer.Option(prompt="Database (sqlite, postgresql, sql-server, oracle)")
    ] = "postgresql",
    identity: Annotated[
        str, typer.Option(prompt="Sign-in (local, directory, active-directory, oidc)")
    ] = "local",
    prefix: Annotated[str, typer.Option(prompt="Prefix of the servers")] = "10.0.0.0/16",
    people: Annotated[str, typer.Option(prompt="Prefix of the people")] = "192.168.0.0/16",
    administrators: Annotated[str, typer.Option(prompt="Prefix of the administrators")] = "172.16.0.0/28",
    force: Annotated[bool, typer.Option("--force", help="Write over a file that is there.")] = False,
) -> None:
    """Write a first site from a few questions, or from flags."""
    with errors_as_exit_codes():
        if out.exists() and not force:
            raise NetworkError(f"{out} is there already; give another name, or --force to write over it")
        answers = Answers(name, nodes, runners, database, identity, prefix, people, administrators)
        out.write_text(write_site(answers), encoding="utf-8")
        typer.echo(f"wrote {out}; next: controlroom network flows --site {out}")


@app.command()
def flows(
    site: SiteOption,
    output: Annotated[str, typer.Option("--format", help=", ".join(FORMATS))] = "terminal",
    as_json: JsonOption = False,
) -> None:
    """List exactly what a site allows; all else is denied."""
    with errors_as_exit_codes():
        one_of("--format", output, FORMATS)
        show([table_of_flows(read_policy(site))], "json" if as_json else output)


@app.command()
def diff(
    before: Annotated[Path, typer.Argument(help="The site as it is.")],
    after: Annotated[Path, typer.Argument(help="The site as it would be.")],
    as_json: JsonOption = False,
) -> None:
    """Say what would open and what would close between two sites."""
    with errors_as_exit_codes():
        changes = changes_between(read_policy(before), read_policy(after))
        if as_json:
            found = [
                {"kind": one.kind, "flow": one.flow, "words": one.words, "example": one.example}
                for one in changes
            ]
            typer.echo(json.dumps(found, indent=2, ensure_ascii=False))
        else:
            for one in changes:
                typer.echo(f"{one.words}\n  for example {one.example}")
            typer.echo(f"{len(changes)} changes" if changes else "the same packets pass")
    raise typer.Exit(FINDINGS if changes else 0)
