"""What one can do with saved filters: keep, find, change and drop them. Owns the transactions and audit entries."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from controlroom.audit import service as audit
from controlroom.filters.errors import FilterNameTaken, FilterOfAnother, NoSuchFilter, TooManyFilters
from controlroom.filters.models import SavedFilter
from controlroom.filters.schemas import FilterEditIn, FilterIn
from controlroom.foundation.clock import Clock
from controlroom.foundation.database import Database, Transaction
from controlroom.foundation.errors import FieldError, Invalid
from controlroom.foundation.ids import new_id
from controlroom.foundation.paging import Grammar, require_readable
from controlroom.identity.caller import Caller
from controlroom.identity.names import require_label
from controlroom.identity.permissions import Permission

MOST_OF_ONE_PERSON = 200
_MOST_SHOWN = 500


class FilterService:
    """Saved filters, as ``app.state.filters``; ``lists`` says of each list what it can be filtered by."""

    def __init__(self, database: Database, clock: Clock, lists: Mapping[str, Grammar]) -> None:
        self._database = database
        self._clock = clock
        self._lists = lists

    async def visible(self, caller: Caller, list_name: str = "") -> Sequence[SavedFilter]:
        """Return the caller's filters and the shared ones, by name; of one list, or of all where none is named."""
        query = select(SavedFilter).where(
            (SavedFilter.owner_id == caller.user_id) | SavedFilter.shared.is_(True)
        )
        if list_name:
            query = query.where(SavedFilter.list_name == list_name)
        query = query.order_by(SavedFilter.name, SavedFilter.id).limit(_MOST_SHOWN)
        async with self._database.read() as session:
            return (await session.scalars(query)).all()

    async def get(self, caller: Caller, filter_id: str) -> SavedFilter:
        """Return a filter that the caller may see; raise `NoSuchFilter`."""
        async with self._database.read() as session:
            return await _found(session, caller, filter_id)

    async def keep(self, caller: Caller, wanted: FilterIn) -> SavedFilter:
        """Keep a new filter; raise `FilterNameTaken`, `TooManyFilters`, or `Invalid` for one that its list cannot read."""
        caller.require(Permission.OWN_ACCOUNT)
        require_readable(self._grammar(wanted.list_name), wanted.filter, wanted.sort)
        name, now = _name(wanted.name), self._clock.now()
        try:
            async with self._database.write() as transaction:
                await _require_room(transaction.session, caller)
                kept = SavedFilter(
                    id=new_id("flt"),
                    list_name=wanted.list_name,
                    name=name,
                    filter=wanted.filter,
                    sort=wanted.sort,
                    owner_id=caller.user_id,
                    owner_name=caller.user_name,
                    shared=wanted.shared,
                    created_at=now,
                    updated_at=now,
                    revision=1,
                )
                transaction.session.add(kept)
                await transaction.session.flush()
                _note(transaction, caller, "filter.kept", kept, now, _told(kept))
                return kept
        except IntegrityError:
            raise _taken(name) from None

    async def edit(
        self,
        caller: Caller,
        filter_id: str,
        wanted: FilterEditIn,
        *,
        check_revision: Callable[[int], None] = lambda revision: None,
    ) -> SavedFilter:
        """Change one's own filter; raise as `keep` does, or `FilterOfAnother` for another's."""
        caller.require(Permission.OWN_ACCOUNT)
        changes: dict[str, Any] = wanted.model_dump(exclude_none=True)
        if "name" in changes:
            changes["name"] = _name(changes["name"])
        now = self._clock.now()
        try:
            async with self._database.write() as transaction:
                kept = await _own(transaction.session, caller, filter_id)
                check_revision(kept.revision)
                if "filter" in changes or "sort" in changes:
                    grammar = self._grammar(kept.list_name)
                    require_readable(
                        grammar, changes.get("filter", kept.filter), changes.get("sort", kept.sort)
                    )
                before = _told(kept)
                for name, value in changes.items():
                    setattr(kept, name, value)
                if _told(kept) != before:
                    kept.updated_at, kept.revision = now, kept.revision + 1
                    await transaction.session.flush()
                    detail = {"before": before, "after": _told(kept)}
                    _note(transaction, caller, "filter.edited", kept, now, detail)
                return kept
        except IntegrityError:
            raise _taken(changes["name"]) from None

    async def drop(self, caller: Caller, filter_id: str) -> None:
        """Drop one's own filter; an administrator of users may drop a shared one of anybody."""
        caller.require(Permission.OWN_ACCOUNT)
        now = self._clock.now()
        async with self._database.write() as transaction:
            kept = await _own(transaction.session, caller, filter_id, or_shared=True)
            await transaction.session.delete(kept)
            _note(transaction, caller, "filter.dropped", kept, now, _told(kept))

    def _grammar(self, list_name: str) -> Grammar:
        grammar = self._lists.get(list_name)
        if grammar is None:
            message = (
                f"There is no list '{list_name}'; filters are kept for {', '.join(sorted(self._lists))}."
            )
            raise Invalid(message, fields=(FieldError("/list_name", message),))
        return grammar


async def _found(session: AsyncSession, caller: Caller, filter_id: str) -> SavedFilter:
    kept = await session.get(SavedFilter, filter_id)
    if kept is None or not (kept.shared or kept.owner_id == caller.user_id):
        raise NoSuchFilter(f"There is no saved filter '{filter_id}'.")
    return kept


async def _own(
    session: AsyncSession, caller: Caller, filter_id: str, *, or_shared: bool = False
) -> SavedFilter:
    kept = await _found(session, caller, filter_id)
    if kept.owner_id != caller.user_id and not (or_shared and caller.may(Permission.USER_MANAGE)):
        raise FilterOfAnother(f"'{kept.name}' belongs to {kept.owner_name}; save one of your own.")
    return kept


async def _require_room(session: AsyncSession, caller: Caller) -> None:
    of_caller = select(func.count()).where(SavedFilter.owner_id == caller.user_id)
    if (await session.scalar(of_caller) or 0) >= MOST_OF_ONE_PERSON:
        raise TooManyFilters(
            f"You keep {MOST_OF_ONE_PERSON} filters already, which is the most; drop one that you no longer use."
        )


def _name(name: str) -> str:
    return require_label(name, pointer="/name", shortest=1, longest=60)


def _taken(name: str) -> FilterNameTaken:
    message = f"You have a filter named '{name}' for this list already."
    return FilterNameTaken(message, fields=(FieldError("/name", message),))


def _told(kept: SavedFilter) -> dict[str, Any]:
    return {"name": kept.name, "filter": kept.filter, "sort": kept.sort, "shared": kept.shared}


def _note(
    transaction: Transaction,
    caller: Caller,
    action: str,
    kept: SavedFilter,
    now: datetime,
    detail: dict[str, Any],
) -> None:
    audit.record(
        transaction,
        time=now,
        actor=caller.actor,
        action=action,
        target_kind="filter",
        target_id=kept.id,
        target_name=kept.name,
        detail={"list": kept.list_name, **detail},
    )
