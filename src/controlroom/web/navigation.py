"""The menu: pages that exist, in the order of the product's words. A page that is not built yet is not in it."""

from dataclasses import dataclass

from controlroom.identity.caller import Caller
from controlroom.identity.permissions import Permission


@dataclass(frozen=True, slots=True)
class Entry:
    """One page of the menu and the right that opens it."""

    title: str
    path: str
    icon: str
    permission: Permission
    key: str
    """Typed after ``g``, it goes there."""


MENU = (
    Entry("Dashboard", "/dashboard", "layout-dashboard", Permission.RUN_READ, "h"),
    Entry("Activity", "/activity", "activity", Permission.RUN_READ, "a"),
    Entry("Bots", "/bots", "bot", Permission.BOT_READ, "b"),
    Entry("Devices", "/devices", "monitor", Permission.DEVICE_READ, "d"),
    Entry("Pools", "/pools", "boxes", Permission.DEVICE_READ, "p"),
    Entry("Audit log", "/audit", "scroll-text", Permission.AUDIT_READ, "l"),
)


def menu_of(caller: Caller) -> list[Entry]:
    """Return the pages that a caller may open."""
    return [entry for entry in MENU if caller.may(entry.permission)]


def first_page(caller: Caller) -> str:
    """Return where a caller begins: the first page of their menu, their own account where it is empty."""
    return next((entry.path for entry in menu_of(caller)), "/me")
