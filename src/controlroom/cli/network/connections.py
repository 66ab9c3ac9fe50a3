"""`connections`: the living connections of a host that the policy does not allow, and their end."""

import json
from collections import Counter
from pathlib import Path
from typing import Annotated

import typer

from controlroom.cli.network.group import (
    FINDINGS,
    BorderOption,
    HostOption,
    JsonOption,
    SiteOption,
    app,
    errors_as_exit_codes,
    projections,
    read_policy,
)
from controlroom.network.connections import (
    Fate,
    Judged,
    cut,
    judge_connections,
    list_connections,
    read_connections,
)
from controlroom.network.errors import NetworkError
from controlroom.network.projection import Scope


@app.command()
def connections(
    *,
    site: SiteOption,
    host: HostOption = "",
    border: BorderOption = "",
    table: Annotated[
        Path | None,
        typer.Option(
            "--table", help="Output of conntrack -L, or a copy of /proc/net/nf_conntrack; else this host's."
        ),
    ] = None,
    cut_stale: Annotated[
        bool, typer.Option("--cut", help="Cut the stale connections of this host, and only these.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """List the living connections that the policy does not allow: new rules leave open what was open before."""
    with errors_as_exit_codes():
        if not host and not border:
            raise NetworkError("say which firewall this is: --host NAME or --border all")
        if cut_stale and table is not None:
            raise NetworkError("--cut works on this host's own connections; leave --table out")
        (projection,) = projections(read_policy(site), host, border, frozenset(Scope))
        name = "conntrack" if table is None else table.name
        text = list_connections() if table is None else table.read_text(encoding="utf-8")
        judged = list(judge_connections(projection, read_connections(text, name)))
        stale = [one for one in judged if one.fate is Fate.STALE]
        gone = [one for one in stale if cut_stale and cut(one.connection)]
        _tell(judged, stale, gone if cut_stale else None, as_json=as_json)
    raise typer.Exit(FINDINGS if stale and not cut_stale else 0)


def _tell(judged: list[Judged], stale: list[Judged], gone: list[Judged] | None, *, as_json: bool) -> None:
    counts = Counter(one.fate for one in judged)
    if as_json:
        found = {
            "connections": len(judged),
            **{fate.value: counts[fate] for fate in Fate},
            "cut": None if gone is None else len(gone),
            "stale_connections": [str(one.connection.packet) for one in stale],
        }
        typer.echo(json.dumps(found, indent=2))
        return
    for one in stale:
        after = one.connection.translated
        typer.echo(f"stale: {one.connection.packet}" + (f" (translated to {after})" if after else ""))
    unsure = [one for one in judged if one.fate is Fate.UNSURE]
    for one in unsure:
        typer.echo(
            f"unsure: {one.connection.packet} (may be of flow {one.flow}, one side of which is known by name)"
        )
    known_by_name = f"{len(unsure)} unsure, " if unsure else ""
    typer.echo(
        f"{len(judged)} connections: {counts[Fate.WANTED]} wanted, {len(stale)} stale, {known_by_name}"
        f"{counts[Fate.BESIDE]} that this policy says nothing about"
    )
    if gone is not None:
        typer.echo(f"cut {len(gone)}; {len(stale) - len(gone)} had ended by themselves")
