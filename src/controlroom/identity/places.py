"""Where rights attach: everywhere, at a folder, at one bot, at one device pool; and which of these hold a thing.

A right at a folder holds for the bots in it and in the folders below it, and for their runs. A right at a pool holds
for the devices in it. A right at the root holds everywhere.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import NamedTuple

from controlroom.identity.permissions import Permission, Scope

Rights = frozenset[Permission]

_NONE: Rights = frozenset()


class PlaceKind(StrEnum):
    """Kinds of place that a role can be given at."""

    ROOT = "root"
    FOLDER = "folder"
    BOT = "bot"
    POOL = "pool"


class Place(NamedTuple):
    """One place: its kind, and a folder's path, a bot's id or a pool's id (empty for the root)."""

    kind: PlaceKind
    value: str = ""

    def __str__(self) -> str:
        return "everywhere" if self.kind is PlaceKind.ROOT else f"{self.kind.value} {self.value}"


ROOT = Place(PlaceKind.ROOT)


@dataclass(frozen=True, slots=True)
class BotAt:
    """A bot, or its runs, and the folder that it lies in."""

    bot_id: str
    folder: str

    def places(self) -> Iterator[Place]:
        """Give every place whose rights hold for this bot, the nearest first."""
        yield Place(PlaceKind.BOT, self.bot_id)
        yield from FolderAt(self.folder).places()


@dataclass(frozen=True, slots=True)
class FolderAt:
    """A folder, such as ``/finance/monthly``; it need not have a bot yet."""

    path: str

    def places(self) -> Iterator[Place]:
        """Give every place whose rights hold in this folder, the nearest first."""
        path = self.path
        while path not in ("", "/"):
            yield Place(PlaceKind.FOLDER, path)
            path = path.rpartition("/")[0]
        yield Place(PlaceKind.FOLDER, "/")
        yield ROOT


@dataclass(frozen=True, slots=True)
class PoolsAt:
    """A pool, or a device by all pools that it is in."""

    pool_ids: frozenset[str]

    def places(self) -> Iterator[Place]:
        """Give every place whose rights hold here, the nearest first."""
        for pool_id in sorted(self.pool_ids):
            yield Place(PlaceKind.POOL, pool_id)
        yield ROOT


@dataclass(frozen=True, slots=True)
class Everywhere:
    """What belongs to no folder and no pool: users, settings, the audit log, devices and pools yet to be made."""

    def places(self) -> Iterator[Place]:
        """Give the one place whose rights hold."""
        yield ROOT


At = BotAt | FolderAt | PoolsAt | Everywhere
EVERYWHERE = Everywhere()

_SCOPES = {PlaceKind.FOLDER: Scope.BOTS, PlaceKind.BOT: Scope.BOTS, PlaceKind.POOL: Scope.DEVICES}


def counting_at(kind: PlaceKind, rights: Rights) -> Rights:
    """Return those of a role's rights that mean something at a kind of place; at the root all do."""
    if kind is PlaceKind.ROOT:
        return rights
    return frozenset(right for right in rights if right.scope in (_SCOPES[kind], Scope.PLACES))


@dataclass(frozen=True, slots=True)
class Placed:
    """The rights that someone has, by the place at which they have them."""

    at: Mapping[Place, Rights] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def everywhere(self) -> Rights:
        """The rights at the root."""
        return self.at.get(ROOT, _NONE)

    @property
    def anywhere(self) -> Rights:
        """The rights at one place or another."""
        return _NONE.union(*self.at.values())

    def at_place(self, at: At) -> Rights:
        """Return the rights that hold for a thing: those at each place that holds it, together."""
        return _NONE.union(*(self.at.get(place, _NONE) for place in at.places()))

    def having(self, permission: Permission) -> tuple[Place, ...]:
        """Return the places at which a right was given."""
        return tuple(sorted(place for place, rights in self.at.items() if permission in rights))

    def limited_to(self, rights: Rights) -> "Placed":
        """Return no more than some rights of these, each where it was."""
        kept = {place: here & rights for place, here in self.at.items()}
        return Placed(MappingProxyType({place: here for place, here in kept.items() if here}))
