"""What one can do with roles at places: give them at a folder, a bot or a device pool, see them, take them back."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import and_, or_, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from controlroom.audit.service import record
from controlroom.foundation.clock import Clock
from controlroom.foundation.database import Database, Transaction
from controlroom.foundation.errors import Conflict, FieldError, Forbidden, Invalid, NotFound
from controlroom.foundation.ids import is_id, new_id
from controlroom.foundation.outbox import emit
from controlroom.foundation.paging import Field, Grammar, Kind, Page, PageRequest, fetch_page
from controlroom.identity.authentication import Authentication
from controlroom.identity.caller import Caller
from controlroom.identity.filters import in_folder
from controlroom.identity.models import RoleAssignment, User
from controlroom.identity.names import folded_name
from controlroom.identity.permissions import Permission, permissions_of
from controlroom.identity.places import Place, PlaceKind, counting_at
from controlroom.identity.reach import require_known_roles, require_reach, rights_of
from controlroom.identity.rights import read_roles
from controlroom.identity.things import find_place, names_of

MOST_OF_ONE_USER = 500
_SEEN_BY = (Permission.RIGHTS_MANAGE, Permission.BOT_READ, Permission.DEVICE_READ)

GRAMMAR = Grammar(
    fields={
        "user": Field(User.name, sortable=True),
        "role": Field(RoleAssignment.role),
        "kind": Field(RoleAssignment.kind, Kind.CHOICE, tuple(PlaceKind)),
        "place": Field(RoleAssignment.place),
        "created": Field(RoleAssignment.created_at, Kind.MOMENT, sortable=True),
    },
    key=RoleAssignment.id,
    text=(User.name, RoleAssignment.role, RoleAssignment.place),
    default_sort="user",
)


@dataclass(frozen=True, slots=True)
class AssignmentView:
    """A role at a place, with what people call the user and the place."""

    assignment: RoleAssignment
    user_name: str
    place_name: str


class Assignments:
    """Roles given below the root; those at the root are part of the user."""

    def __init__(self, database: Database, clock: Clock, authentication: Authentication) -> None:
        self._database = database
        self._clock = clock
        self._authentication = authentication

    async def page(self, caller: Caller, request: PageRequest) -> Page[AssignmentView]:
        """Return a page of assignments: all for who may read users, else those at places whose rights they manage."""
        query = select(RoleAssignment).join(User, User.id == RoleAssignment.user_id)
        if not caller.may(Permission.USER_READ):
            query = query.where(*_managed(caller))
        async with self._database.read() as session:
            page: Page[RoleAssignment] = await fetch_page(session, query, GRAMMAR, request)
            return Page(await _views(session, list(page.items)), page.next_cursor)

    async def give(
        self, caller: Caller, *, user: str, role: str, kind: PlaceKind, place: str
    ) -> AssignmentView:
        """Give a user, by id or name, a role at a place; the same again changes nothing.

        Needs `rights.manage` there, and each right that the role gives there. Raises `NotFound` for a user, bot or
        pool that is not there, `Forbidden`, `Invalid` for a role that means nothing there or for the root.
        """
        if kind is PlaceKind.ROOT:
            message = "A role at the root is given with the user itself."
            raise Invalid(message, fields=(FieldError("/kind", message),))
        caller.require(Permission.RIGHTS_MANAGE)
        try:
            return await self._give(caller, user, role, kind, place)
        except IntegrityError:  # another gave it at the same moment
            return await self._give(caller, user, role, kind, place)

    async def _give(
        self, caller: Caller, user: str, role: str, kind: PlaceKind, reference: str
    ) -> AssignmentView:
        async with self._database.write() as transaction:
            session = transaction.session
            place, at = await find_place(session, kind, reference)
            if not any(caller.may(right, at) for right in _SEEN_BY):
                raise NotFound(f"There is no {kind.value} '{reference}'.")
            caller.require(Permission.RIGHTS_MANAGE, at)
            await self._require_reach(session, caller, role, place)
            owner = await _user(session, user)
            same = select(RoleAssignment).where(
                RoleAssignment.user_id == owner.id,
                RoleAssignment.role == role,
                RoleAssignment.kind == place.kind,
                RoleAssignment.place == place.value,
            )
            found = await session.scalar(same)
            if found is None:
                found = await self._add(transaction, caller, owner, role, place)
            view = (await _views(session, [found]))[0]
        self._authentication.forget(user_ids=[owner.id])
        return view

    async def _add(
        self, transaction: Transaction, caller: Caller, owner: User, role: str, place: Place
    ) -> RoleAssignment:
        session = transaction.session
        of_owner = select(RoleAssignment.id).where(RoleAssignment.user_id == owner.id)
        if len((await session.scalars(of_owner.limit(MOST_OF_ONE_USER))).all()) >= MOST_OF_ONE_USER:
            raise Conflict(
                f"{owner.name} has {MOST_OF_ONE_USER} roles at places; give one higher up instead."
            )
        made = RoleAssignment(
            id=new_id("asg"),
            user_id=owner.id,
            role=role,
            kind=place.kind,
            place=place.value,
            created_at=self._clock.now(),
            created_by=caller.user_name,
        )
        session.add(made)
        await session.flush()
        await self._tell(transaction, caller, made, owner, "role_given")
        return made

    async def take(self, caller: Caller, assignment_id: str) -> None:
        """Take a role back; needs what giving it needs. Raises `NotFound` for one that the caller may not see."""
        async with self._database.write() as transaction:
            session = transaction.session
            known = is_id(assignment_id, "asg")
            found = await session.get(RoleAssignment, assignment_id, with_for_update=True) if known else None
            place = Place(PlaceKind(found.kind), found.place) if found else None
            manages = place is not None and Permission.RIGHTS_MANAGE in rights_of(caller, place)
            if found is None or place is None or not (manages or caller.may(Permission.USER_READ)):
                raise NotFound(f"There is no role assignment '{assignment_id}'.")
            if not manages:
                raise Forbidden(f"This needs the right '{Permission.RIGHTS_MANAGE}' at {place}.")
            await self._require_reach(session, caller, found.role, place, known_only=False)
            owner = await session.get_one(User, found.user_id)
            await self._tell(transaction, caller, found, owner, "role_taken")
            await session.delete(found)
        self._authentication.forget(user_ids=[owner.id])

    @staticmethod
    async def _require_reach(
        session: AsyncSession, caller: Caller, role: str, place: Place, *, known_only: bool = True
    ) -> None:
        book = (await read_roles(session)).book
        if known_only:
            require_known_roles([role], book, pointer="/role")
        rights = counting_at(place.kind, permissions_of([role], book))
        if known_only and not rights:
            message = f"The role '{role}' has no right that means anything at a {place.kind.value}."
            raise Invalid(message, fields=(FieldError("/role", message),))
        require_reach(caller, rights, place)

    async def _tell(
        self, transaction: Transaction, caller: Caller, made: RoleAssignment, owner: User, change: str
    ) -> None:
        now = self._clock.now()
        names = await names_of(transaction.session, {Place(PlaceKind(made.kind), made.place)})
        detail: Mapping[str, Any] = {
            "role": made.role,
            "kind": made.kind,
            "place": made.place,
            "called": next(iter(names.values())),
        }
        record(
            transaction,
            time=now,
            actor=caller.actor,
            action=f"user.{change}",
            target_kind="user",
            target_id=owner.id,
            target_name=owner.name,
            detail=detail,
        )
        emit(transaction, time=now, kind="user.changed", subject=owner.id, data={"change": change})


async def _user(session: AsyncSession, reference: str) -> User:
    query = select(User).where(or_(User.id == reference, User.name == folded_name(reference)))
    found = await session.scalar(query.limit(1)) if reference.isprintable() else None
    if found is None:
        raise NotFound(f"There is no user '{reference}'.")
    return found


async def _views(session: AsyncSession, rows: list[RoleAssignment]) -> list[AssignmentView]:
    owners = {row.user_id for row in rows}
    users = {
        row.id: row.name
        for row in await session.execute(select(User.id, User.name).where(User.id.in_(owners)))
    }
    names = await names_of(session, {Place(PlaceKind(row.kind), row.place) for row in rows})
    return [
        AssignmentView(row, users.get(row.user_id, ""), names[Place(PlaceKind(row.kind), row.place)])
        for row in rows
    ]


def _managed(caller: Caller) -> list[Any]:
    places = caller.places_with(Permission.RIGHTS_MANAGE)
    if places is None:
        return []
    parts = [
        and_(
            RoleAssignment.kind == place.kind,
            in_folder(RoleAssignment.place.expression, place.value)
            if place.kind is PlaceKind.FOLDER
            else RoleAssignment.place == place.value,
        )
        for place in places
    ]
    caller.require(Permission.RIGHTS_MANAGE)
    return [or_(*parts)]
