"""Says why someone may do something somewhere, or why not, from the same parts by which it is decided."""

from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncSession

from controlroom.foundation.database import Database
from controlroom.identity.accounts import Accounts
from controlroom.identity.models import User
from controlroom.identity.permissions import Permission
from controlroom.identity.places import Place, PlaceKind, counting_at
from controlroom.identity.rights import Given, Standing, read_roles, standing_of
from controlroom.identity.things import find_place, names_of


@dataclass(frozen=True, slots=True)
class Reason:
    """A role that gives the right, and the place that it was given at: the asked one or one above it."""

    role: str
    place: Place
    place_name: str


@dataclass(frozen=True, slots=True)
class Explanation:
    """Whether a user may do something somewhere, why, and what stands in the way."""

    user: User
    permission: Permission
    place: Place
    place_name: str
    allowed: bool
    reasons: tuple[Reason, ...]
    """What gives the right here; nothing of it counts while there is a hindrance."""
    hindrances: tuple[str, ...]
    """Sentences: what keeps the user from everything, or that no role gives the right here."""
    elsewhere: tuple[Reason, ...]
    """Where else they have the right."""
    roles_with_it: tuple[str, ...]
    """Roles that would give it."""

    @property
    def sentence(self) -> str:
        """The whole in one sentence."""
        where = self.place_name if self.place.kind is not PlaceKind.ROOT else "everywhere"
        if not self.allowed:
            return f"{self.user.name} may not '{self.permission}' at {where}. {' '.join(self.hindrances)}"
        because = "; ".join(f"the role {each.role}, given at {each.place_name}" for each in self.reasons)
        return f"{self.user.name} may '{self.permission}' at {where}, by {because}."


class Explanations:
    """Answers "why may she, why may he not?"."""

    def __init__(self, database: Database, accounts: Accounts) -> None:
        self._database = database
        self._accounts = accounts

    async def explain(
        self, user: str, permission: Permission, kind: PlaceKind = PlaceKind.ROOT, place: str = ""
    ) -> Explanation:
        """Explain a user's right (by id or name) at a place, as of now; raise `NotFound` for what is not there."""
        found = await (self._accounts.get(user) if user.startswith("usr_") else self._accounts.by_name(user))
        async with self._database.read() as session:
            asked, at = await find_place(session, kind, place)
            above = list(at.places())
            standing = await standing_of(session, found)
            roles = (await read_roles(session)).book
            giving = [
                each
                for each in standing.given
                if permission in counting_at(each.place.kind, roles.get(each.role, frozenset()))
            ]
            if permission is Permission.OWN_ACCOUNT:  # it belongs to the person, wherever the role was given
                giving = [each for each in standing.given if permission in roles.get(each.role, frozenset())]
                above = [each.place for each in giving]
            here = [each for each in giving if each.place in above]
            beyond = [each for each in giving if each.place not in above]
            names = await _names(session, asked, standing)
        hindrances = _hindrances(found, standing, permission, asked, here)
        return Explanation(
            user=found,
            permission=permission,
            place=asked,
            place_name=names[asked],
            allowed=not hindrances,
            reasons=tuple(Reason(each.role, each.place, names[each.place]) for each in here),
            hindrances=hindrances,
            elsewhere=tuple(Reason(each.role, each.place, names[each.place]) for each in beyond),
            roles_with_it=tuple(sorted(name for name, rights in roles.items() if permission in rights)),
        )

    async def rights_of(self, user: User) -> list[Permission]:
        """Return the rights that a user has at one place or another: the most that a key of theirs can have."""
        async with self._database.read() as session:
            return sorted((await standing_of(session, user)).placed.anywhere)


async def _names(session: AsyncSession, asked: Place, standing: Standing) -> dict[Place, str]:
    names = await names_of(session, {asked, *(each.place for each in standing.given)})
    return {place: name or "the root" for place, name in names.items()}


def _hindrances(
    user: User, standing: Standing, permission: Permission, asked: Place, here: list[Given]
) -> tuple[str, ...]:
    found: list[str] = []
    if user.disabled_at is not None:
        found.append("The user is disabled.")
    if user.must_change_password:
        found.append("Their password was made up for them, and they have not chosen their own yet.")
    if standing.must_enrol:
        found.append("A role asks for a second factor, and the user has enrolled none.")
    if not counting_at(asked.kind, frozenset({permission})) and permission is not Permission.OWN_ACCOUNT:
        found.append(f"The right means nothing at a {asked.kind.value}.")
    elif not here:
        found.append("No role that they have there, or above it, gives this right.")
    return tuple(found)
