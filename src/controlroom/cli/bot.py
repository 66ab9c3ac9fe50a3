"""Write bots, try them on this machine, publish them and choose which version is run."""

import typer

from controlroom.cli.authoring import local, published

app = typer.Typer(help=__doc__, no_args_is_help=True)

app.command("new")(local.new)
app.command("check")(local.check)
app.command("run")(local.run)
app.command("publish")(published.publish)
app.command("list")(published.list_bots)
app.command("versions")(published.list_versions)
app.command("compare")(published.compare)
app.command("rollback")(published.rollback)
app.command("retire")(published.retire)
