"""See the folders that bots lie in, and move one, directly in the database.

Works on the server's own machine, with the server's settings; the server may run meanwhile and notices within seconds.
"""

from typing import Annotated

import typer

from controlroom.bots.folders import Folder, list_folders, move_folder
from controlroom.cli.local.console import on_console
from controlroom.cli.output import out, print_json, print_table
from controlroom.foundation.clock import SystemClock
from controlroom.identity.console import Console

app = typer.Typer(help=__doc__, no_args_is_help=True)

JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")]


@app.command("list")
def list_all(json: JsonOption = False) -> None:
    """List the tree of folders and how many bots lie in each."""

    async def read(console: Console) -> list[Folder]:
        async with console.database.read() as session:
            return await list_folders(session, console.caller)

    found = on_console(read)
    if json:
        print_json(
            [{"path": each.path, "bots": each.bots, "bots_in_all": each.bots_in_all} for each in found]
        )
        return
    print_table(
        ("Folder", "Bots", "With those below"),
        [(each.path, str(each.bots), str(each.bots_in_all)) for each in found],
    )


@app.command()
def move(
    path: Annotated[str, typer.Argument(metavar="FOLDER", help="The folder to move, such as /finance.")],
    to: Annotated[str, typer.Argument(metavar="TO", help="What its path becomes.")],
) -> None:
    """Move a folder with its bots, the folders below it and the roles given there."""

    async def act(console: Console) -> int:
        async with console.database.write() as transaction:
            return await move_folder(transaction, console.caller, path, to, now=SystemClock().now())

    out.print(f"{on_console(act)} bots moved from {path} to {to}.", markup=False)
