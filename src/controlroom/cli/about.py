"""Say what runs at a Control Room: version, database, node, since when; and the licences of its parts."""

from typing import Annotated

import typer

from controlroom.cli.client import UrlOption, connect
from controlroom.cli.output import print_facts, print_json, print_table

app = typer.Typer(help=__doc__, invoke_without_command=True, no_args_is_help=False)


@app.callback()
def about(
    url: UrlOption = None,
    parts: Annotated[
        bool, typer.Option("--parts", help="List the parts that it is made of, with their licences.")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")] = False,
) -> None:
    """Say what runs at a Control Room: version, database, node, since when; and the licences of its parts."""
    with connect(url) as client:
        found = client.get("/about/parts" if parts else "/about")
    if json:
        print_json(found)
    elif parts:
        names = ("name", "version", "licence", "kind", "address")
        rows = [[part[name] for name in names] for part in found]
        print_table(("Part", "Version", "Licence", "Kind", "Where it comes from"), rows)
    else:
        print_facts({name.replace("_", " "): value for name, value in found.items()})
