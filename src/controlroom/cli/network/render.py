"""`render`: firewall rules, each proved before it is shown."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from controlroom.cli.network.group import (
    BorderOption,
    HostOption,
    SiteOption,
    SubnetOption,
    app,
    errors_as_exit_codes,
    projections,
    read_policy,
)
from controlroom.network.projection import Projection
from controlroom.network.proof import prove_rendering
from controlroom.network.renderers import Rendering, renderer, renderers


@app.command()
def render(
    site: SiteOption,
    target: Annotated[
        str, typer.Option("--target", help="; ".join(f"{n}: {r.title}" for n, r in renderers().items()))
    ],
    host: HostOption = "",
    border: BorderOption = "",
    subnet: SubnetOption = "",
    out: Annotated[Path | None, typer.Option("--out", help="Folder to write to; without it, print.")] = None,
) -> None:
    """Render firewall rules: for a host, a border or a subnet, or for every host. Each is proved before it is shown."""
    with errors_as_exit_codes():
        chosen = renderer(target)
        renderings = [
            _proved(one, chosen.name)
            for one in projections(read_policy(site), host, border, chosen.scopes, subnet)
        ]
        for rendering in renderings:
            _write(rendering, out)


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
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(file.text, encoding="utf-8", newline="\n")
        path.chmod(0o755 if file.executable else 0o644)
        typer.echo(f"wrote {path}")
