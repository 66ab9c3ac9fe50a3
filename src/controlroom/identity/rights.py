"""Works out what a user may do and where, from their roles, the places these were given at, and what the roles hold."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from types import MappingProxyType

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from controlroom.identity.models import Role, RoleAssignment, SecondFactor, User, UserKind
from controlroom.identity.permissions import SHIPPED_ROLES, Permission, RoleBook, known_permissions
from controlroom.identity.places import ROOT, Place, Placed, PlaceKind, Rights, counting_at


@dataclass(frozen=True, slots=True)
class Roles:
    """All roles of this Control Room: what each gives, and which ask for a second factor."""

    book: RoleBook
    with_second_factor: frozenset[str]


@dataclass(frozen=True, slots=True)
class Given:
    """A role that a user has, and where."""

    role: str
    place: Place
    assignment_id: str = ""


@dataclass(frozen=True, slots=True)
class Standing:
    """What a user has: the roles given, the rights that these come to, whether a second factor is missing."""

    given: tuple[Given, ...]
    placed: Placed
    must_enrol: bool


async def read_roles(session: AsyncSession) -> Roles:
    """Return the shipped roles together with one's own; there are at most some hundred."""
    book = dict(SHIPPED_ROLES)
    strict: set[str] = set()
    for role in await session.scalars(select(Role)):
        if role.name not in SHIPPED_ROLES:
            book[role.name] = known_permissions(role.permissions or ())
        if role.requires_second_factor:
            strict.add(role.name)
    return Roles(MappingProxyType(book), frozenset(strict))


async def standing_of(session: AsyncSession, user: User, roles: Roles | None = None) -> Standing:
    """Return what a user may do, and where, at this moment."""
    known = roles or await read_roles(session)
    given = await roles_given(session, user)
    must_enrol = (
        user.kind is UserKind.PERSON
        and any(each.role in known.with_second_factor for each in given)
        and await session.scalar(select(SecondFactor.id).where(SecondFactor.user_id == user.id).limit(1))
        is None
    )
    return Standing(given, placed_rights(given, known.book), must_enrol)


async def roles_given(session: AsyncSession, user: User) -> tuple[Given, ...]:
    """Return the roles that a user has at the root and elsewhere."""
    rows = await session.scalars(
        select(RoleAssignment)
        .where(RoleAssignment.user_id == user.id)
        .order_by(RoleAssignment.kind, RoleAssignment.place, RoleAssignment.role)
    )
    elsewhere = (Given(row.role, Place(PlaceKind(row.kind), row.place), row.id) for row in rows)
    return (*(Given(role, ROOT) for role in user.roles), *elsewhere)


def placed_rights(given: Iterable[Given], book: RoleBook) -> Placed:
    """Return what roles come to, place by place; one's own account is one's own wherever the role was given."""
    at: dict[Place, Rights] = defaultdict(frozenset)
    for each in given:
        rights = book.get(each.role, frozenset())
        at[each.place] |= counting_at(each.place.kind, rights)
        at[ROOT] |= rights & {Permission.OWN_ACCOUNT}
    return Placed(MappingProxyType({place: rights for place, rights in at.items() if rights}))
