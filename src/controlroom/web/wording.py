"""How values read on a page: states, times, lengths of time, sizes, counts, ids. Pure functions, used as template filters."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from controlroom.devices.models import Device, DeviceMode
from controlroom.runs.states import State

_MINUTE = 60
_HOUR = 60 * _MINUTE
_DAY = 24 * _HOUR
_SHORT_ID_TAIL = 6
_BROWSERS = (
    ("Edg/", "Edge"),
    ("OPR/", "Opera"),
    ("Firefox/", "Firefox"),
    ("Chrome/", "Chrome"),
    ("Safari/", "Safari"),
)
"""Marks in a User-Agent, those first whose browsers carry the marks of others too."""
_SYSTEMS = (
    ("Windows", "Windows"), ("Android", "Android"), ("iPhone", "iPhone"), ("iPad", "iPad"), ("Mac OS X", "macOS"),
    ("CrOS", "ChromeOS"), ("Linux", "Linux"),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Face:
    """How a state looks: a word, an icon, and the tone that colours both."""

    word: str
    icon: str
    tone: str


STATE_FACES: Mapping[State, Face] = {
    State.QUEUED: Face("Queued", "clock", "waiting"),
    State.ASSIGNED: Face("Assigned", "circle-dot", "running"),
    State.RUNNING: Face("Running", "circle-play", "running"),
    State.PAUSED: Face("Paused", "circle-pause", "warning"),
    State.SUCCEEDED: Face("Succeeded", "circle-check", "succeeded"),
    State.FAILED: Face("Failed", "circle-x", "failed"),
    State.CANCELLED: Face("Cancelled", "ban", "waiting"),
    State.TIMED_OUT: Face("Timed out", "timer-off", "failed"),
    State.LOST: Face("Lost", "unplug", "lost"),
    State.REJECTED: Face("Rejected", "circle-slash", "failed"),
}

_ONLINE = Face("Online", "wifi", "succeeded")
_OFFLINE = Face("Offline", "wifi-off", "lost")
_MODE_FACES: Mapping[DeviceMode, Face] = {
    DeviceMode.DRAINING: Face("Draining", "circle-pause", "warning"),
    DeviceMode.DISABLED: Face("Disabled", "power-off", "waiting"),
    DeviceMode.REVOKED: Face("Revoked", "shield-off", "failed"),
}


def state_face(state: State | str) -> Face:
    """Return how a run's or an attempt's state looks."""
    return STATE_FACES[State(state)]


def presence_face(device: Device) -> Face:
    """Return how a device's presence looks."""
    return _ONLINE if device.connected_at is not None else _OFFLINE


def mode_face(device: Device) -> Face | None:
    """Return how a device's mode looks, None for an active one, which needs no remark."""
    return _MODE_FACES.get(DeviceMode(device.mode))


def relative(moment: datetime, now: datetime) -> str:
    """Return how long ago or ahead a moment is, as ``now``, ``12 s ago``, ``3 min ago``, ``in 2 h``, ``5 d ago``."""
    seconds = (now - moment).total_seconds()
    size = abs(seconds)
    if size < 1:
        return "now"
    if size < _MINUTE:
        told = f"{size:.0f} s"
    elif size < _HOUR:
        told = f"{size // _MINUTE:.0f} min"
    elif size < _DAY:
        told = f"{size // _HOUR:.0f} h"
    else:
        told = f"{size // _DAY:.0f} d"
    return f"{told} ago" if seconds > 0 else f"in {told}"


def exact(moment: datetime, zone: str = "") -> str:
    """Return a moment to the second, with its zone: an IANA name such as ``Europe/Berlin``, or UTC where it is empty."""
    return f"{moment.astimezone(ZoneInfo(zone) if zone else UTC):%Y-%m-%d %H:%M:%S %Z}"


def duration(seconds: float) -> str:
    """Return a length of time as ``0.4 s``, ``12 s``, ``1 m 12 s``, ``2 h 5 m`` or ``3 d 4 h``."""
    seconds = max(0.0, seconds)
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < _MINUTE:
        return f"{whole} s"
    if whole < _HOUR:
        return f"{whole // _MINUTE} m {whole % _MINUTE} s"
    if whole < _DAY:
        return f"{whole // _HOUR} h {whole % _HOUR // _MINUTE} m"
    return f"{whole // _DAY} d {whole % _DAY // _HOUR} h"


def size(size_bytes: float) -> str:
    """Return a size as ``812 B``, ``4.2 KB``, ``31 MB``; a KB is 1,000 bytes."""
    for unit in ("B", "KB", "MB", "GB"):
        if size_bytes < 999.5:
            return (
                f"{size_bytes:.1f} {unit}" if unit != "B" and size_bytes < 10 else f"{size_bytes:.0f} {unit}"
            )
        size_bytes /= 1000
    return f"{size_bytes:.1f} TB"


def count(number: int) -> str:
    """Return a count with its thousands set apart."""
    return f"{number:,}"


def short_id(value: str) -> str:
    """Return the part of an id by which people tell things apart: its prefix and its random end."""
    prefix, _, body = value.partition("_")
    return f"{prefix}_{body[-_SHORT_ID_TAIL:]}" if body else value


def browser_name(agent: str) -> str:
    """Return the browser and the system that a User-Agent tells of, as ``Firefox on Windows``; a program's own first word."""
    browser = next((name for mark, name in _BROWSERS if mark in agent), "")
    if not browser:
        return agent.split(" ", 1)[0] or "unknown"
    system = next((name for mark, name in _SYSTEMS if mark in agent), "")
    return f"{browser} on {system}" if system else browser


def as_json(value: Any) -> str:
    """Return a value as indented JSON, for reading."""
    return json.dumps(value, indent=2, ensure_ascii=False)
