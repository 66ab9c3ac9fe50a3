"""The `controlroom` command, one file a group: a module of this package with a Typer `app` is a group of its name.

A group's module is imported only when it is used, so that `controlroom runner` does not carry the server.
"""

from controlroom.cli.main import main

__all__ = ["main"]
