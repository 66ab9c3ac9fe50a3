"""Keep filters of lists under names, one's own or shared with everyone."""

from typing import Annotated

import typer

from controlroom.cli.client import UrlOption, connect
from controlroom.cli.output import out, print_json, print_table

app = typer.Typer(help=__doc__, no_args_is_help=True)

JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")]


@app.command("list")
def list_filters(
    of: Annotated[str, typer.Option("--of", help="Only those of one list, such as runs.")] = "",
    url: UrlOption = None,
    json: JsonOption = False,
) -> None:
    """List one's own filters and the shared ones."""
    with connect(url) as client:
        found = client.get("/filters", list_name=of)
    if json:
        print_json(found)
        return
    columns = ["Id", "List", "Name", "Filter", "Sort", "Owner", "Shared"]
    names = ("id", "list_name", "name", "filter", "sort", "owner_name", "shared")
    print_table(columns, [[each[name] for name in names] for each in found])


@app.command()
def save(
    name: Annotated[str, typer.Argument(help="The name to keep it under.")],
    filter: Annotated[str, typer.Argument(help="Words such as 'state:failed bot:reconcile'.")],
    of: Annotated[str, typer.Option("--of", help="The list that it is for.")] = "runs",
    sort: Annotated[str, typer.Option(help="A field to sort by; -field for the other direction.")] = "",
    shared: Annotated[bool, typer.Option("--shared", help="Everyone may use it.")] = False,
    url: UrlOption = None,
) -> None:
    """Keep a filter."""
    body = {"list_name": of, "name": name, "filter": filter, "sort": sort, "shared": shared}
    with connect(url) as client:
        out.print(client.post("/filters", body)["id"], markup=False)


@app.command()
def drop(
    filter_id: Annotated[str, typer.Argument(metavar="FILTER", help="Id of the filter.")],
    url: UrlOption = None,
) -> None:
    """Drop one of one's filters."""
    with connect(url) as client:
        client.delete(f"/filters/{filter_id}")
