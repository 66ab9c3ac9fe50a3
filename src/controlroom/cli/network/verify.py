"""`verify`: the proof that a firewall allows exactly what the contract needs."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from controlroom.cli.network.group import (
    FINDINGS,
    BorderOption,
    HostOption,
    SiteOption,
    SubnetOption,
    app,
    errors_as_exit_codes,
    one_of,
    projections,
    read_policy,
)
from controlroom.network.errors import NetworkError
from controlroom.network.projection import Scope
from controlroom.network.proof import prove
from controlroom.network.reports.verdicts import FORMATS as VERDICT_FORMATS
from controlroom.network.reports.verdicts import Proved, write_verdicts
from controlroom.network.rulesets import RulesetText, parse_ruleset


@app.command()
def verify(
    *,
    site: SiteOption,
    rulesets: Annotated[
        list[Path], typer.Argument(help="The files of one firewall, such as nft -j list ruleset.")
    ],
    host: HostOption = "",
    border: BorderOption = "",
    subnet: SubnetOption = "",
    ruleset_format: Annotated[
        str, typer.Option("--ruleset", help="The kind of ruleset; else it is recognised.")
    ] = "",
    output: Annotated[str, typer.Option("--format", help=", ".join(VERDICT_FORMATS))] = "text",
    idle: Annotated[bool, typer.Option("--idle", help="Also find shadowed and redundant rules.")] = False,
) -> None:
    """Prove that what a firewall allows is exactly what the contract needs."""
    with errors_as_exit_codes():
        one_of("--format", output, VERDICT_FORMATS)
        if not host and not border and subnet in {"", "all"}:
            raise NetworkError("say which firewall this is: --host NAME, --border all or --subnet ZONE")
        (projection,) = projections(read_policy(site), host, border, frozenset(Scope), subnet)
        files = tuple(RulesetText(path.name, path.read_text(encoding="utf-8")) for path in rulesets)
        verdicts = prove(projection, parse_ruleset(files, format_name=ruleset_format), idle=idle)
        names = tuple(file.name for file in files)
        sys.stdout.write(write_verdicts([Proved(", ".join(names), verdicts, names)], output))
    raise typer.Exit(0 if verdicts.holds else FINDINGS)
