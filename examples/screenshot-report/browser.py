"""Finds a browser that is installed on this machine."""

import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

PROGRAMS = (
    "chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "microsoft-edge", "microsoft-edge-stable",
)  # fmt: skip
MAC_PROGRAMS = (
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
    "/Applications/Microsoft Edge.app/Contents/MacOS/Microsoft Edge",
)
WINDOWS_FOLDERS = ("PROGRAMFILES", "PROGRAMFILES(X86)", "LOCALAPPDATA")
WINDOWS_PROGRAMS = (
    "Google/Chrome/Application/chrome.exe",
    "Microsoft/Edge/Application/msedge.exe",
    "Chromium/Application/chrome.exe",
)


def find_browser() -> Path | None:
    """Return the first Chromium, Chrome or Edge that is there, None where there is none."""
    return next((path for path in _candidates() if path.is_file()), None)


def _candidates() -> Iterator[Path]:
    for name in PROGRAMS:
        found = shutil.which(name)
        if found:
            yield Path(found)
    if sys.platform == "darwin":
        yield from map(Path, MAC_PROGRAMS)
    if sys.platform == "win32":
        for variable in WINDOWS_FOLDERS:
            folder = os.environ.get(variable)
            if folder:
                yield from (Path(folder, program) for program in WINDOWS_PROGRAMS)
