"""Finds out which Control Room a command is for, and with which key."""

import os
from typing import Annotated

import typer

from controlroom.cli.client.profile import load_profile
from controlroom.cli.client.rest import Client, checked_url
from controlroom.foundation.errors import Unauthenticated

URL_VARIABLE = "CONTROLROOM_URL"
KEY_VARIABLE = "CONTROLROOM_API_KEY"

UrlOption = Annotated[
    str | None,
    typer.Option(
        "--url",
        help=f"Address of the Control Room; {URL_VARIABLE} or that of 'controlroom login' where it is not given.",
        show_default=False,
    ),
]
"""The option of every command that speaks with a Control Room. A key is never an option: others could read it."""


def connect(url: str | None = None) -> Client:
    """Return a client of the Control Room that is meant, signed in; close it, best with a ``with`` block.

    The address is the first of ``url``, CONTROLROOM_URL and the profile's; the key CONTROLROOM_API_KEY or the profile's,
    which goes to the profile's own address only. Raises `Unauthenticated` where there is no key.
    """
    key = os.environ.get(KEY_VARIABLE, "").strip()
    wanted = url or os.environ.get(URL_VARIABLE, "").strip()
    profile = None if wanted and key else load_profile()
    address = checked_url(wanted) if wanted else profile.url if profile else ""
    if not address:
        raise Unauthenticated(
            "No Control Room is known here. Run 'controlroom login http://…' first, or set "
            f"{URL_VARIABLE} and {KEY_VARIABLE}."
        )
    if not key and profile is not None and profile.url == address:
        key = profile.api_key
    if not key:
        raise Unauthenticated(f"There is no API key for {address}. Run 'controlroom login {address}' first.")
    return Client(address, key)
