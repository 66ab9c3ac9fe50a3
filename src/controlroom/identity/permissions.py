"""The one list of rights, and the roles that ship with the product."""

from collections.abc import Iterable
from enum import StrEnum


class Permission(StrEnum):
    """A single right. Reading and changing are apart; what spends robots or opens doors has a right of its own."""

    BOT_READ = "bot.read"
    BOT_PUBLISH = "bot.publish"
    BOT_MANAGE = "bot.manage"
    """Roll back, retire, set limits."""
    RUN_READ = "run.read"
    RUN_REQUEST = "run.request"
    RUN_CONTROL = "run.control"
    """Cancel, pause, resume any run."""
    DEVICE_READ = "device.read"
    DEVICE_MANAGE = "device.manage"
    """Join, rename, drain, disable and revoke devices; edit pools."""
    USER_READ = "user.read"
    USER_MANAGE = "user.manage"
    AUDIT_READ = "audit.read"
    SETTINGS_READ = "settings.read"
    OWN_ACCOUNT = "own.account"
    """One's own password, sessions and API keys."""


_READ = frozenset({Permission.BOT_READ, Permission.RUN_READ, Permission.DEVICE_READ, Permission.OWN_ACCOUNT})

SHIPPED_ROLES: dict[str, frozenset[Permission]] = {
    "administrator": frozenset(Permission),
    "operator": _READ | {Permission.RUN_REQUEST, Permission.RUN_CONTROL, Permission.DEVICE_MANAGE},
    "bot_author": _READ | {Permission.BOT_PUBLISH, Permission.BOT_MANAGE, Permission.RUN_REQUEST},
    "bot_runner_user": frozenset(
        {Permission.BOT_READ, Permission.RUN_READ, Permission.RUN_REQUEST, Permission.OWN_ACCOUNT}
    ),
    "auditor": _READ | {Permission.USER_READ, Permission.AUDIT_READ, Permission.SETTINGS_READ},
    "viewer": _READ,
}
"""Roles that exist from the first start and cannot be changed."""


def permissions_of(roles: Iterable[str]) -> frozenset[Permission]:
    """Return the rights that roles give together; a role that this version does not know gives none."""
    return frozenset[Permission]().union(*(SHIPPED_ROLES.get(role, frozenset()) for role in roles))


def known_permissions(names: Iterable[str]) -> frozenset[Permission]:
    """Return the rights that names stand for; what another version of the product named is left out."""
    wanted = set(names)
    return frozenset(permission for permission in Permission if permission.value in wanted)
