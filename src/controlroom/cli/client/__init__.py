"""How the commands speak with a Control Room: `connect` finds which one and with which key, `profile` remembers it.

`rest` is the client itself and `problems` turns its answers into errors; both are imported only when they are used, so
that commands that need no Control Room start quickly.
"""

from controlroom.cli.client.connect import UrlOption, connect
from controlroom.cli.client.profile import Profile, forget_profile, load_profile, profile_path, save_profile

__all__ = [
    "Profile",
    "UrlOption",
    "connect",
    "forget_profile",
    "load_profile",
    "profile_path",
    "save_profile",
]
