"""Where packages come from: uv reads its own settings; those that a machine has for pip only are handed on to it."""

import configparser
import os
import sys
from collections.abc import Mapping
from pathlib import Path

_UV_INDEX_NAMES = (
    "UV_DEFAULT_INDEX",
    "UV_INDEX",
    "UV_INDEX_URL",
    "UV_EXTRA_INDEX_URL",
    "UV_FIND_LINKS",
    "UV_NO_INDEX",
)
_FROM_PIP = {
    "index-url": "UV_DEFAULT_INDEX",
    "extra-index-url": "UV_INDEX",
    "find-links": "UV_FIND_LINKS",
    "trusted-host": "UV_INSECURE_HOST",
    "cert": "SSL_CERT_FILE",
}
_SEPARATORS = {"UV_FIND_LINKS": ","}


def index_variables(environment: Mapping[str, str]) -> dict[str, str]:
    """Return variables for uv made of pip's settings, empty where uv has settings of its own.

    Read are ``PIP_*`` variables and pip's configuration files (https://pip.pypa.io/en/stable/topics/configuration/).
    """
    if any(environment.get(name) for name in _UV_INDEX_NAMES) or any(
        path.is_file() for path in _uv_files(environment)
    ):
        return {}
    settings: dict[str, str] = {}
    for path in _pip_files(environment):
        settings |= _read(path)
    for name in _FROM_PIP:
        if value := environment.get(f"PIP_{name.upper().replace('-', '_')}"):
            settings[name] = value
    found = {
        _FROM_PIP[name]: _SEPARATORS.get(_FROM_PIP[name], " ").join(value.split())
        for name, value in settings.items()
        if value.strip() and not (_FROM_PIP[name] == "SSL_CERT_FILE" and "SSL_CERT_FILE" in environment)
    }
    if "UV_INDEX" in found:
        # pip holds its indexes for equally trusted, and who set them up for pip relies on it.
        found["UV_INDEX_STRATEGY"] = environment.get("UV_INDEX_STRATEGY") or "unsafe-best-match"
    return found


def _read(path: Path) -> dict[str, str]:
    parser = configparser.RawConfigParser()
    try:
        parser.read(path, encoding="utf-8")
    except (configparser.Error, OSError, UnicodeDecodeError):
        return {}
    found: dict[str, str] = {}
    for section in ("global", "install"):
        for name in _FROM_PIP:
            if parser.has_option(section, name):
                found[name] = parser.get(section, name)
    return found


def _pip_files(environment: Mapping[str, str]) -> list[Path]:
    """Return pip's configuration files, the one that counts most last."""
    named = environment.get("PIP_CONFIG_FILE", "")
    if named == os.devnull:
        return []
    home, settings, shared = _places(environment)
    name = "pip.ini" if sys.platform == "win32" else "pip.conf"
    files = [
        *(folder / "pip" / name for folder in reversed(shared)),
        home / ".pip" / name,
        settings / "pip" / name,
    ]
    if sys.platform == "darwin":
        files.append(home / "Library/Application Support/pip" / name)
    if sys.platform != "win32":
        files.insert(0, Path("/etc/pip.conf"))
    return [*files, Path(named)] if named else files


def _uv_files(environment: Mapping[str, str]) -> list[Path]:
    _, settings, shared = _places(environment)
    return [folder / "uv/uv.toml" for folder in (settings, *shared)]


def _places(environment: Mapping[str, str]) -> tuple[Path, Path, list[Path]]:
    """Return the home, the user's folder of settings, and the machine's folders of settings, the weightiest first."""
    home = Path(environment.get("HOME") or environment.get("USERPROFILE") or "/")
    if sys.platform == "win32":
        user, machine = (
            Path(environment.get("APPDATA", home)),
            [Path(environment.get("PROGRAMDATA", "C:/ProgramData"))],
        )
    else:
        user = Path(environment.get("XDG_CONFIG_HOME") or home / ".config")
        machine = [Path(folder) for folder in (environment.get("XDG_CONFIG_DIRS") or "/etc/xdg").split(":")]
        machine.append(Path("/etc"))
    return home, user, machine
