"""How the commands speak with a Control Room: who and where (`profile`), the REST client (`rest`), errors (`problems`)."""

from controlroom.cli.client.connect import UrlOption, connect
from controlroom.cli.client.problems import Unreachable
from controlroom.cli.client.profile import Profile, forget_profile, load_profile, profile_path, save_profile
from controlroom.cli.client.rest import Client

__all__ = [
    "Client",
    "Profile",
    "Unreachable",
    "UrlOption",
    "connect",
    "forget_profile",
    "load_profile",
    "profile_path",
    "save_profile",
]
