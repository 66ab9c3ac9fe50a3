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
    or_also: tuple[Permission, ...] = ()
    """Other rights, each of which opens a part of it."""

    def opens_to(self, caller: Caller) -> bool:
        """Say whether a caller may open it."""
        return any(caller.may(right) for right in (self.permission, *self.or_also))


@dataclass(frozen=True, slots=True)
class Section:
    """One page of the administration, and the rights of which any opens it."""

    title: str
    path: str
    opened_by: tuple[Permission, ...]


ADMINISTRATION = "/administration"
SECTIONS = (
    Section("Users", f"{ADMINISTRATION}/users", (Permission.USER_READ,)),
    Section("Roles", f"{ADMINISTRATION}/roles", (Permission.USER_READ,)),
    Section("Rights", f"{ADMINISTRATION}/rights", (Permission.USER_READ, Permission.RIGHTS_MANAGE)),
    Section("Why may they?", f"{ADMINISTRATION}/why", (Permission.USER_READ,)),
    Section("Sessions", f"{ADMINISTRATION}/sessions", (Permission.SESSION_MANAGE,)),
    Section("API keys", f"{ADMINISTRATION}/keys", (Permission.USER_READ,)),
    Section("Settings", f"{ADMINISTRATION}/settings", (Permission.SETTINGS_READ,)),
    Section("Health", f"{ADMINISTRATION}/health", (Permission.SETTINGS_READ,)),
    Section("About", f"{ADMINISTRATION}/about", (Permission.SETTINGS_READ,)),
)
"""The pages of the administration, in the order in which they stand beside each other."""


MENU = (
    Entry("Dashboard", "/dashboard", "layout-dashboard", Permission.RUN_READ, "h"),
    Entry("Activity", "/activity", "activity", Permission.RUN_READ, "a"),
    Entry("Bots", "/bots", "bot", Permission.BOT_READ, "b"),
    Entry("Devices", "/devices", "monitor", Permission.DEVICE_READ, "d"),
    Entry("Pools", "/pools", "boxes", Permission.DEVICE_READ, "p"),
    Entry("Network", "/network", "share-2", Permission.NETWORK_READ, "n"),
    Entry("Audit log", "/audit", "scroll-text", Permission.AUDIT_READ, "l"),
    Entry(
        "Administration",
        ADMINISTRATION,
        "sliders-horizontal",
        Permission.USER_READ,
        "s",
        (Permission.RIGHTS_MANAGE, Permission.SESSION_MANAGE, Permission.SETTINGS_READ),
    ),
)


def menu_of(caller: Caller) -> list[Entry]:
    """Return the pages that a caller may open."""
    return [entry for entry in MENU if entry.opens_to(caller)]


def sections_of(caller: Caller) -> list[Section]:
    """Return the pages of the administration that a caller may open."""
    return [section for section in SECTIONS if any(caller.may(right) for right in section.opened_by)]


def first_page(caller: Caller) -> str:
    """Return where a caller begins: the first page of their menu, their own account where it is empty."""
    return next((entry.path for entry in menu_of(caller)), "/me")
