"""Take back the API key that 'controlroom login' made, and forget the Control Room."""

import typer

from controlroom.cli.client import Client, forget_profile, load_profile
from controlroom.cli.output import out
from controlroom.foundation.errors import Forbidden, NotFound, Unauthenticated

app = typer.Typer(help=__doc__)


@app.callback(invoke_without_command=True)
def logout() -> None:
    """Revoke the key and remove it from this machine; it is kept where the Control Room cannot be reached."""
    profile = load_profile()
    if profile is None:
        out.print("Nobody is signed in here.")
        return
    with Client(profile.url, profile.api_key) as client:
        try:
            key_id = client.get("/session")["api_key_id"]
            if key_id:
                client.delete(f"/api-keys/{key_id}")
        except (Unauthenticated, Forbidden, NotFound):
            out.print("The key was not valid any more.")
    forget_profile()
    out.print(f"Signed out of {profile.url}.", markup=False)
