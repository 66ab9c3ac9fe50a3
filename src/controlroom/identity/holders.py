"""Who may do something at a place: the roles given there, and those given above it, which count there too."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import and_, func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from controlroom.foundation.database import Database
from controlroom.foundation.errors import Forbidden
from controlroom.identity.caller import Caller
from controlroom.identity.models import RoleAssignment, User
from controlroom.identity.permissions import Permission, RoleBook
from controlroom.identity.places import ROOT, FolderAt, Place, PlaceKind, Rights, counting_at
from controlroom.identity.rights import read_roles
from controlroom.identity.things import find_place, names_of

MOST_HOLDERS = 500
"""More of one place are not read; a list filtered by role tells the rest."""


@dataclass(frozen=True, slots=True)
class Holder:
    """A user with a role that counts at a place; ``place`` is where it was given: there, or above.

    ``rights`` are those of the role that mean something at the place asked about. ``assignment_id`` is empty for a role
    at the root, which is part of the user. Roles of disabled users are told of too; they count nothing.
    """

    user_id: str
    user_name: str
    is_enabled: bool
    role: str
    rights: Rights
    place: Place
    place_name: str
    assignment_id: str = ""
    created_at: datetime | None = None
    created_by: str = ""


@dataclass(frozen=True, slots=True)
class HoldersAt:
    """A place with the roles given there, and those inherited, the nearest first.

    ``inherited`` is None for who may not read users: they see what they manage, and not what is above it.
    """

    place: Place
    name: str
    may_give: bool
    here: Sequence[Holder]
    inherited: Sequence[Holder] | None


class Holders:
    """Reads who has which role where."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def at(self, caller: Caller, kind: PlaceKind, reference: str) -> HoldersAt:
        """Return who has roles at a place and above it.

        Needs `user.read`, or `rights.manage` there. Raises `NotFound`, `Invalid` or `Forbidden`.
        """
        async with self._database.read() as session:
            if not (caller.may(Permission.USER_READ) or caller.may(Permission.RIGHTS_MANAGE)):
                raise _forbidden()
            place, at = await find_place(session, kind, reference)
            may_give = caller.may(Permission.RIGHTS_MANAGE, at)
            reads_all = caller.may(Permission.USER_READ)
            if not (reads_all or may_give):
                raise _forbidden()
            order = list(at.places())
            book = (await read_roles(session)).book
            found = await _assigned(session, order if reads_all else [place], place.kind, book)
            if reads_all:
                found += await _at_root(session, place.kind, book)
            name = (await names_of(session, {place}))[place]
        found.sort(key=lambda each: (order.index(each.place), each.user_name, each.role))
        inherited = [each for each in found if each.place != place] if reads_all else None
        return HoldersAt(place, name, may_give, [each for each in found if each.place == place], inherited)

    async def counts(self, caller: Caller) -> Mapping[Place, int]:
        """Return how many roles are given at each place that the caller may look at; places without any are left out."""
        query = select(RoleAssignment.kind, RoleAssignment.place, func.count()).group_by(
            RoleAssignment.kind, RoleAssignment.place
        )
        counts: Counter[Place] = Counter()
        sees = None if caller.may(Permission.USER_READ) else caller.places_with(Permission.RIGHTS_MANAGE)
        async with self._database.read() as session:
            for kind, value, count in await session.execute(query):
                place = Place(PlaceKind(kind), value)
                if sees is None or any(_holds(above, place) for above in sees):
                    counts[place] = count
            if sees is None:
                for roles in await session.scalars(select(User.roles)):
                    counts[ROOT] += len(roles)
        return counts

    async def names(self, places: set[Place]) -> Mapping[Place, str]:
        """Return what people call some places."""
        async with self._database.read() as session:
            return await names_of(session, places)


async def _assigned(
    session: AsyncSession, places: Sequence[Place], kind: PlaceKind, book: RoleBook
) -> list[Holder]:
    wanted = or_(
        *(and_(RoleAssignment.kind == each.kind, RoleAssignment.place == each.value) for each in places)
    )
    query = select(RoleAssignment, User).join(User, User.id == RoleAssignment.user_id).where(wanted)
    rows = (await session.execute(query.order_by(User.name).limit(MOST_HOLDERS))).all()
    names = await names_of(session, {Place(PlaceKind(row.kind), row.place) for row, _ in rows})
    return [
        Holder(
            user_id=user.id,
            user_name=user.name,
            is_enabled=user.disabled_at is None,
            role=row.role,
            rights=counting_at(kind, book.get(row.role, frozenset())),
            place=(where := Place(PlaceKind(row.kind), row.place)),
            place_name=names[where],
            assignment_id=row.id,
            created_at=row.created_at,
            created_by=row.created_by,
        )
        for row, user in rows
    ]


async def _at_root(session: AsyncSession, kind: PlaceKind, book: RoleBook) -> list[Holder]:
    users = (await session.scalars(select(User).order_by(User.name).limit(MOST_HOLDERS))).all()
    return [
        Holder(user.id, user.name, user.disabled_at is None, role, rights, ROOT, "the root")
        for user in users
        for role in user.roles
        if (rights := counting_at(kind, book.get(role, frozenset())))
    ]


def _holds(above: Place, place: Place) -> bool:
    if place.kind is PlaceKind.FOLDER:
        return above in FolderAt(place.value).places()
    return above == place


def _forbidden() -> Forbidden:
    return Forbidden(
        f"This needs the right '{Permission.USER_READ}', or '{Permission.RIGHTS_MANAGE}' at the place."
    )
