"""The one list of rights, what each means and where it can be given, and the roles that ship with the product."""

from collections.abc import Iterable, Mapping
from enum import StrEnum


class Scope(StrEnum):
    """Where a right means something."""

    BOTS = "bots"
    """At the root, a folder or a bot."""
    DEVICES = "devices"
    """At the root or a device pool."""
    PLACES = "places"
    """At the root, a folder, a bot or a device pool."""
    ROOT = "root"
    """At the root only."""


class Permission(StrEnum):
    """A single right. Reading and changing are apart; what spends robots or opens doors has a right of its own."""

    scope: Scope
    meaning: str

    def __new__(cls, value: str, scope: Scope, meaning: str) -> "Permission":
        """Give the right its name, its scope and the sentence that says what it lets one do."""
        right = str.__new__(cls, value)
        right._value_ = value
        right.scope, right.meaning = scope, meaning
        return right

    BOT_READ = "bot.read", Scope.BOTS, "See bots and their versions, and download their packages."
    BOT_PUBLISH = "bot.publish", Scope.BOTS, "Publish new bots and new versions of bots."
    BOT_MANAGE = (
        "bot.manage",
        Scope.BOTS,
        "Choose the version that is run, retire versions, move bots, set their limits.",
    )
    RUN_READ = "run.read", Scope.BOTS, "See runs with their inputs, outputs, logs and artifacts."
    RUN_REQUEST = "run.request", Scope.BOTS, "Have bots run, and runs repeated."
    RUN_CONTROL = "run.control", Scope.BOTS, "Cancel, pause and resume anyone's runs."
    DEVICE_READ = "device.read", Scope.DEVICES, "See devices and pools, and what the devices do."
    DEVICE_USE = (
        "device.use",
        Scope.DEVICES,
        "Have runs use devices, and name the device or pool that they are for.",
    )
    DEVICE_MANAGE = (
        "device.manage",
        Scope.DEVICES,
        "Edit, drain, disable and revoke devices and edit pools; at the root also join devices and make pools.",
    )
    USER_READ = "user.read", Scope.ROOT, "See users, their roles and where they have them."
    USER_MANAGE = (
        "user.manage",
        Scope.ROOT,
        "Create, edit and disable users and service accounts, and reset their passwords and second factors.",
    )
    ROLE_MANAGE = (
        "role.manage",
        Scope.ROOT,
        "Make, edit and remove roles, and say which need a second factor.",
    )
    RIGHTS_MANAGE = "rights.manage", Scope.PLACES, "Give and take roles at a folder, a bot or a device pool."
    SESSION_MANAGE = "session.manage", Scope.ROOT, "See who is signed in, and sign others out."
    AUDIT_READ = "audit.read", Scope.ROOT, "Read and export the audit log and have its chain checked."
    AUDIT_MANAGE = "audit.manage", Scope.ROOT, "Make audit checkpoints and set how long entries are kept."
    SETTINGS_READ = "settings.read", Scope.ROOT, "See the settings and how the parts of the Control Room are."
    SETTINGS_MANAGE = "settings.manage", Scope.ROOT, "Change the settings that may change at run time."
    NETWORK_READ = "network.read", Scope.ROOT, "See the network contract: flows, rules, probes and the proof."
    NETWORK_MANAGE = "network.manage", Scope.ROOT, "Declare the site, upload rulesets and have flows probed."
    OWN_ACCOUNT = (
        "own.account",
        Scope.ROOT,
        "Change one's own password, second factor, sessions and API keys.",
    )


_READ = frozenset({Permission.BOT_READ, Permission.RUN_READ, Permission.DEVICE_READ, Permission.OWN_ACCOUNT})
_RUN = frozenset({Permission.RUN_REQUEST, Permission.DEVICE_USE})

SHIPPED_ROLES: Mapping[str, frozenset[Permission]] = {
    "administrator": frozenset(Permission),
    "operator": _READ | _RUN | {Permission.RUN_CONTROL, Permission.DEVICE_MANAGE, Permission.NETWORK_READ},
    "bot_author": _READ | _RUN | {Permission.BOT_PUBLISH, Permission.BOT_MANAGE},
    "bot_runner_user": _RUN | {Permission.BOT_READ, Permission.RUN_READ, Permission.OWN_ACCOUNT},
    "auditor": _READ
    | {Permission.USER_READ, Permission.AUDIT_READ, Permission.SETTINGS_READ, Permission.NETWORK_READ},
    "viewer": _READ,
}
"""Roles that exist from the first start and cannot be changed."""

SHIPPED_MEANINGS: Mapping[str, str] = {
    "administrator": "May do everything.",
    "operator": "Watches and steers all runs, and looks after the devices.",
    "bot_author": "Publishes bots, chooses their versions and tries them out.",
    "bot_runner_user": "Has bots run and sees what came of it.",
    "auditor": "Reads everything, the audit log and the users included, and changes nothing.",
    "viewer": "Sees bots, runs and devices, and changes nothing.",
}

RoleBook = Mapping[str, frozenset[Permission]]
"""The rights of each role, shipped ones and one's own."""


def permissions_of(roles: Iterable[str], book: RoleBook = SHIPPED_ROLES) -> frozenset[Permission]:
    """Return the rights that roles give together; a role that is not in the book gives none."""
    return frozenset[Permission]().union(*(book.get(role, frozenset()) for role in roles))


def known_permissions(names: Iterable[str]) -> frozenset[Permission]:
    """Return the rights that names stand for; what another version of the product named is left out."""
    wanted = set(names)
    return frozenset(permission for permission in Permission if permission.value in wanted)
