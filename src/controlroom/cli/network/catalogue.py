"""`ports`, `diagram`, `explain`: what the catalogue, or one site of it, needs."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from controlroom.cli.network.group import app, errors_as_exit_codes, one_of, read_policy, show
from controlroom.network import catalogue
from controlroom.network.errors import NetworkError
from controlroom.network.reports.diagram import draw
from controlroom.network.reports.explain import explain as explain_flow
from controlroom.network.reports.tables import FORMATS, tables_by_component, tables_by_section
from controlroom.network.reports.zones import tables_by_zone


@app.command()
def ports(
    by: Annotated[str, typer.Option(help="component, section or zone (zone needs --site).")] = "component",
    site: Annotated[Path | None, typer.Option("--site", help="Only what one site has, by its zones.")] = None,
    output: Annotated[str, typer.Option("--format", help=", ".join(FORMATS))] = "terminal",
) -> None:
    """Print the tables of required ports."""
    with errors_as_exit_codes():
        one_of("--format", output, FORMATS)
        one_of("--by", by, ("component", "section", "zone"))
        if by == "section" and site is not None:
            raise NetworkError("sections are the document's own, of no one site; give --by zone with --site")
        if by == "zone" or site is not None:
            if site is None:
                raise NetworkError("--by zone needs --site: zones are declared there")
            tables = tables_by_zone(read_policy(site))
        else:
            tables = tables_by_component() if by == "component" else tables_by_section()
        show(tables, output)


@app.command()
def diagram(
    site: Annotated[
        Path | None, typer.Option("--site", help="Draw one site instead of all there can be.")
    ] = None,
    out: Annotated[Path | None, typer.Option("--out", help="Write to a file.")] = None,
) -> None:
    """Draw the data centre with its ports as SVG."""
    with errors_as_exit_codes():
        svg = draw(read_policy(site) if site else None)
        if out:
            out.write_text(svg, encoding="utf-8")
        else:
            sys.stdout.write(svg)


@app.command()
def explain(flow: Annotated[str, typer.Argument(help="The name of a flow.")]) -> None:
    """Say who speaks to whom, why, and by which sentence of the document."""
    with errors_as_exit_codes():
        known = [one.name for one in catalogue.FLOWS]
        if flow not in known and (
            served := [one.name for one in catalogue.FLOWS if one.service.name == flow]
        ):
            raise NetworkError(f"{flow!r} is a service; the flows to it are {', '.join(served)}")
        typer.echo(explain_flow(catalogue.flow(flow)), nl=False)
