"""Reads who to sign in as from a file on the device, and sees to it that the password goes nowhere else.

A password is no input of a run: inputs are stored and shown. The file names the address that its password is for, so
that whoever requests a run cannot have it sent to another machine by choosing another address.
"""

import ipaddress
import os
import stat
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

EXAMPLE = 'url = "http://127.0.0.1:8080", name = "...", password = "...", each on a line of its own'
_OTHERS = stat.S_IRWXG | stat.S_IRWXO


class SignInRefused(Exception):
    """The sign-in file cannot be used; the text says why and what to do, and holds nothing of its content."""


@dataclass(frozen=True, slots=True)
class SignIn:
    """Who signs in where; ``url`` has no slash at its end."""

    url: str
    name: str
    password: str = field(repr=False)


def read_sign_in(path: Path, wanted_url: str = "") -> SignIn:
    """Return what the file says; raise `SignInRefused` where it is unsafe, incomplete or for another address."""
    values = _read(path)
    absent = [key for key in ("url", "name", "password") if not values.get(key)]
    if absent:
        raise SignInRefused(f"The sign-in file {path} lacks {', '.join(absent)}; it holds {EXAMPLE}.")
    url = values["url"].rstrip("/")
    if wanted_url and not same_origin(wanted_url, url):
        raise SignInRefused(
            f"The sign-in file {path} is for {url}; its password is not sent to {wanted_url.rstrip('/')}."
        )
    _check_address(url)
    return SignIn(url, values["name"], values["password"])


def same_origin(one: str, other: str) -> bool:
    """Say whether two addresses share scheme, host and port (RFC 6454)."""
    return _origin(one) == _origin(other)


def _origin(url: str) -> tuple[str, str, int | None]:
    parts = urlsplit(url)
    standard = {"http": 80, "https": 443}.get(parts.scheme)
    try:
        return parts.scheme, parts.hostname or "", parts.port or standard
    except ValueError:
        return parts.scheme, "", None


def _read(path: Path) -> dict[str, str]:
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            if os.name == "posix" and mode & _OTHERS:
                raise SignInRefused(
                    f"Others may read the sign-in file {path}; run 'chmod 600 {path}' and change the password."
                )
            values = tomllib.load(file)
    except FileNotFoundError:
        raise SignInRefused(
            f"There is no sign-in file {path} on this device. Make one that only the runner's user may read, with {EXAMPLE}."
        ) from None
    except OSError as error:
        raise SignInRefused(f"The sign-in file {path} cannot be read: {error.strerror}.") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError):
        raise SignInRefused(f"The sign-in file {path} is not TOML; it holds {EXAMPLE}.") from None
    return {key: value for key, value in values.items() if isinstance(value, str)}


def _check_address(url: str) -> None:
    """Refuse to send a password unencrypted over a network."""
    scheme, host, _ = _origin(url)
    if scheme not in ("http", "https") or not host:
        raise SignInRefused(f"'{url}' in the sign-in file is no http or https address.")
    if scheme == "http" and not _is_this_machine(host):
        raise SignInRefused(
            f"{url} is not encrypted and not on this machine; give its https address in the file."
        )


def _is_this_machine(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
