"""What commands share that work directly on the server's own database."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from controlroom.foundation.errors import FieldError, Invalid
from controlroom.foundation.settings import load_settings
from controlroom.identity.console import Console, open_console
from controlroom.identity.permissions import Permission
from controlroom.identity.places import PlaceKind
from controlroom.server.keys import server_key

T = TypeVar("T")


def on_console(act: Callable[[Console], Awaitable[T]]) -> T:
    """Open the database that the settings name, do one thing there, and return what came of it."""

    async def run() -> T:
        settings = load_settings()
        async with open_console(settings, server_key(settings)) as console:
            return await act(console)

    return asyncio.run(run())


def known_right(name: str) -> Permission:
    """Return the right with a name; raise `Invalid` that lists those that there are."""
    for right in Permission:
        if right.value == name:
            return right
    message = f"There is no right '{name}'; there are {', '.join(Permission)}."
    raise Invalid(message, fields=(FieldError("/permission", message),))


def place_kind(place: str, *, folder: bool = False, pool: bool = False) -> PlaceKind:
    """Return the kind of place that is meant: nothing is the root, a plain word a bot."""
    if folder and pool:
        raise Invalid("A place is a folder or a pool, not both.")
    if folder or pool:
        return PlaceKind.FOLDER if folder else PlaceKind.POOL
    return PlaceKind.BOT if place else PlaceKind.ROOT
