"""`controlroom network`: the ports, rules and proofs of a data centre, with no server and no database.

Exit codes of every command: 0 all is well, 1 there are findings, 2 the input cannot be read or cannot stand.
"""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from controlroom.network import catalogue
from controlroom.network.errors import NetworkError
from controlroom.network.policy import Policy, derive_policy
from controlroom.network.ports import format_ports
from controlroom.network.preflight import look
from controlroom.network.projection import Projection, Projector, Scope
from controlroom.network.proof import prove, prove_rendering
from controlroom.network.renderers import Rendering, renderer, renderers
from controlroom.network.reports.changes import changes_between
from controlroom.network.reports.diagram import draw
from controlroom.network.reports.explain import explain as explain_flow
from controlroom.network.reports.tables import (
    FORMATS,
    PortTable,
    shorten,
    tables_by_component,
    tables_by_section,
    tables_by_zone,
    write_tables,
)
from controlroom.network.reports.verdicts import FORMATS as VERDICT_FORMATS
from controlroom.network.reports.verdicts import Proved, write_verdicts
from controlroom.network.rulesets import RulesetText, parse_ruleset
from controlroom.network.site import read_site
from controlroom.network.site.starter import Answers, write_site

FINDINGS = 1
BAD_INPUT = 2

app = typer.Typer(
    name="network",
    help="Required ports, firewall rules and their proof, from one declared site.",
    no_args_is_help=True,
    epilog="Exit codes: 0 all is well, 1 there are findings, 2 the input cannot be read or cannot stand.",
)

SiteOption = Annotated[Path, typer.Option("--site", help="The site file.")]
HostOption = Annotated[str, typer.Option("--host", help="One host of the site.")]
BorderOption = Annotated[
    str, typer.Option("--border", help="The border between all zones (all), or between two: front:nodes.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Write JSON for scripts.")]


@contextmanager
def _errors_as_exit_codes() -> Iterator[None]:
    try:
        yield
    except NetworkError as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(BAD_INPUT) from None
    except (OSError, UnicodeDecodeError) as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(BAD_INPUT) from None


def _policy(site: Path) -> Policy:
    policy = derive_policy(read_site(site))
    for note in policy.notes:
        typer.echo(f"note: {note}", err=True)
    return policy


@app.command()
def ports(
    by: Annotated[str, typer.Option(help="component, section or zone (zone needs --site).")] = "component",
    site: Annotated[Path | None, typer.Option("--site", help="Only what one site has.")] = None,
    output: Annotated[str, typer.Option("--format", help=", ".join(FORMATS))] = "terminal",
) -> None:
    """Print the tables of required ports."""
    with _errors_as_exit_codes():
        _one_of("--format", output, FORMATS)
        _one_of("--by", by, ("component", "section", "zone"))
        if by == "zone" or site is not None:
            if site is None:
                raise NetworkError("--by zone needs --site: zones are declared there")
            tables = tables_by_zone(_policy(site))
        else:
            tables = tables_by_component() if by == "component" else tables_by_section()
        _show(tables, output)


@app.command()
def diagram(
    site: Annotated[
        Path | None, typer.Option("--site", help="Draw one site instead of all there can be.")
    ] = None,
    out: Annotated[Path | None, typer.Option("--out", help="Write to a file.")] = None,
) -> None:
    """Draw the data centre with its ports as SVG."""
    with _errors_as_exit_codes():
        svg = draw(_policy(site) if site else None)
        if out:
            out.write_text(svg, encoding="utf-8")
        else:
            sys.stdout.write(svg)


@app.command()
def explain(flow: Annotated[str, typer.Argument(help="The name of a flow.")]) -> None:
    """Say who speaks to whom, why, and by which sentence of the document."""
    with _errors_as_exit_codes():
        typer.echo(explain_flow(catalogue.flow(flow)), nl=False)


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
    with _errors_as_exit_codes():
        if out.exists() and not force:
            raise NetworkError(f"{out} is there already; give another name, or --force to write over it")
        answers = Answers(name, nodes, runners, database, identity, prefix, people, administrators)
        out.write_text(write_site(answers), encoding="utf-8")
        typer.echo(f"wrote {out}; next: controlroom network flows --site {out}")


@app.command()
def flows(site: SiteOption, as_json: JsonOption = False) -> None:
    """List exactly what a site allows; all else is denied."""
    with _errors_as_exit_codes():
        policy = _policy(site)
        rows = tuple(
            (
                permit.flow,
                permit.family.title,
                str(permit.transport),
                shorten(permit.source_names),
                shorten(permit.destination_names),
                format_ports(permit.ports),
                permit.purpose,
            )
            for permit in policy.permits
        )
        columns = ("Flow", "Family", "Protocol", "From", "To", "Ports", "Purpose")
        _show([PortTable(f"Flows of {policy.site.name}", columns, rows)], "json" if as_json else "terminal")


@app.command()
def diff(
    before: Annotated[Path, typer.Argument(help="The site as it is.")],
    after: Annotated[Path, typer.Argument(help="The site as it would be.")],
    as_json: JsonOption = False,
) -> None:
    """Say what would open and what would close between two sites."""
    with _errors_as_exit_codes():
        changes = changes_between(_policy(before), _policy(after))
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


@app.command()
def render(
    site: SiteOption,
    target: Annotated[
        str, typer.Option("--target", help="; ".join(f"{n}: {r.title}" for n, r in renderers().items()))
    ],
    host: HostOption = "",
    border: BorderOption = "",
    out: Annotated[Path | None, typer.Option("--out", help="Folder to write to; without it, print.")] = None,
) -> None:
    """Render firewall rules: for one host, for a border, or for every host. Each is proved before it is shown."""
    with _errors_as_exit_codes():
        chosen = renderer(target)
        renderings = [
            _proved(one, chosen.name) for one in _projections(_policy(site), host, border, chosen.scopes)
        ]
        for rendering in renderings:
            _write(rendering, out)


@app.command()
def verify(
    *,
    site: SiteOption,
    rulesets: Annotated[
        list[Path], typer.Argument(help="The files of one firewall, such as nft -j list ruleset.")
    ],
    host: HostOption = "",
    border: BorderOption = "",
    ruleset_format: Annotated[
        str, typer.Option("--ruleset", help="The kind of ruleset; else it is recognised.")
    ] = "",
    output: Annotated[str, typer.Option("--format", help=", ".join(VERDICT_FORMATS))] = "text",
    idle: Annotated[bool, typer.Option("--idle", help="Also find shadowed and redundant rules.")] = False,
) -> None:
    """Prove that what a firewall allows is exactly what the contract needs."""
    with _errors_as_exit_codes():
        _one_of("--format", output, VERDICT_FORMATS)
        if not host and not border:
            raise NetworkError("say which firewall this is: --host NAME or --border all")
        (projection,) = _projections(_policy(site), host, border, frozenset(Scope))
        files = tuple(RulesetText(path.name, path.read_text(encoding="utf-8")) for path in rulesets)
        verdicts = prove(projection, parse_ruleset(files, format_name=ruleset_format), idle=idle)
        sys.stdout.write(write_verdicts([Proved(", ".join(file.name for file in files), verdicts)], output))
    raise typer.Exit(0 if verdicts.holds else FINDINGS)


@app.command()
def preflight(
    site: SiteOption,
    host: HostOption,
    offline: Annotated[bool, typer.Option("--offline", help="Ask no name and no time server.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Find what would go wrong on this machine: reserved ports, ports in use, names, the clock."""
    with _errors_as_exit_codes():
        policy = _policy(site)
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


def _projections(policy: Policy, host: str, border: str, scopes: frozenset[Scope]) -> Iterator[Projection]:
    projector = Projector(policy)
    if host and border:
        raise NetworkError("give --host or --border, not both")
    if border:
        if Scope.BORDER not in scopes:
            raise NetworkError("this target stands on hosts only; give --host")
        first, _, second = border.partition(":")
        yield projector.border() if border == "all" else projector.border(first, second)
        return
    if Scope.HOST not in scopes:
        raise NetworkError("this target stands on borders only; give --border all or --border ZONE:ZONE")
    for name in [host] if host else [one.name for one in policy.site.hosts]:
        yield projector.host(name)


def _proved(projection: Projection, target: str) -> Rendering:
    rendering = renderer(target).render(projection)
    prove_rendering(projection, rendering)
    return rendering


def _write(rendering: Rendering, out: Path | None) -> None:
    for file in rendering.files:
        if out is None:
            sys.stdout.write(f"# --- {file.name}\n{file.text}")
            continue
        out.mkdir(parents=True, exist_ok=True)
        path = out / file.name
        path.write_text(file.text, encoding="utf-8", newline="\n")
        path.chmod(0o755 if file.executable else 0o644)
        typer.echo(f"wrote {path}")


def _show(tables: list[PortTable], output: str) -> None:
    if output != "terminal":
        sys.stdout.write(write_tables(tables, output))
        return
    console = Console()
    for table in tables:
        shown = Table(title=table.title, title_justify="left")
        for column in table.columns:
            shown.add_column(column, overflow="fold", no_wrap=column in {"Ports", "Protocol", "Family"})
        for row in table.rows:
            shown.add_row(*row)
        console.print(shown, markup=False)


def _one_of(option: str, value: str, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise NetworkError(f"{option} {value!r} is not one of {', '.join(choices)}")
