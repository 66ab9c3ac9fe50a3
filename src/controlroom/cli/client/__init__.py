"""How the commands speak with a Control Room: `connect` finds which one and with which key, `profile` remembers it.

`rest` is the client itself and `problems` turns what it is answered back into errors.
"""

from controlroom.cli.client.connect import UrlOption, connect
from controlroom.cli.client.profile import Profile, forget_profile, load_profile, profile_path, save_profile
from controlroom.cli.client.rest import Client

__all__ = [
    "Client",
    "Profile",
    "UrlOption",
    "connect",
    "forget_profile",
    "load_profile",
    "profile_path",
    "save_profile",
]
