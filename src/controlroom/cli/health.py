"""Check every component of a Control Room, and say what to do where one is not well."""

from typing import Annotated

import typer

from controlroom.cli.client import UrlOption, connect
from controlroom.cli.output import EXIT_FAILED, out, print_json, print_table

app = typer.Typer(help=__doc__, invoke_without_command=True, no_args_is_help=False)


@app.callback()
def health(
    url: UrlOption = None,
    check: Annotated[
        bool, typer.Option("--check", help="Exit code 1 where a component is failing or needs a look.")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")] = False,
) -> None:
    """Check every component of a Control Room, and say what to do where one is not well."""
    with connect(url) as client:
        found = client.get("/health")
    if json:
        print_json(found)
    else:
        rows = [(each["title"], each["state"], each["words"]) for each in found["components"]]
        print_table(("Component", "State", "What was found"), rows)
        for each in found["components"]:
            if each["advice"]:
                out.print(f"\n{each['title']}: {each['advice']}", markup=False)
    if check and found["state"] != "ok":
        raise typer.Exit(EXIT_FAILED)
