"""The shared table: what a list's page declares once, and what one request makes of it.

A page declares a `TableSpec`, gets a `Table` from `shown_table`, and draws it with the macros of `components/table.html`.
Filter, sort, paging, the reader's choice of columns, selection with its bar, saved filters, CSV, keys, the announcer of
new rows and the faces for loading, empty, failing and full are the same on every list.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar
from urllib.parse import urlencode

from fastapi import Request

from controlroom.filters.models import SavedFilter
from controlroom.foundation.paging import Page, PageRequest
from controlroom.identity.caller import Caller
from controlroom.identity.permissions import Permission
from controlroom.web.lists import Listing, listing
from controlroom.web.services import filters_of

T = TypeVar("T")

COLUMNS_COOKIE = "controlroom_columns_"
"""Followed by the list's name: the columns that the reader chose, with dots between. Kept for the list's own path."""


@dataclass(frozen=True, slots=True)
class Column:
    """One column. ``style`` names the classes of its cells, such as ``number``, ``cut`` or ``w-time``."""

    name: str
    title: str
    sort: str = ""
    """The grammar's field to sort by; empty where the column cannot be sorted."""
    style: str = ""
    heading: bool = False
    """The cell that names the row: always shown, with the row's link. A column without a title, of actions, is too."""
    shown: bool = True
    """Whether it shows before the reader has chosen."""
    newest_first: bool = False
    """Whether the first click sorts downwards, as one wants times and sizes."""


@dataclass(frozen=True, slots=True)
class BulkAction:
    """Something that can be done to the selected rows.

    The form posts ``id`` (many), ``filter`` and ``everything`` to ``path``, which answers with the page or dialog that
    says what will happen (`pages/bulk/bulk.html`).
    """

    path: str
    label: str
    icon: str
    permission: Permission
    kind: str = "plain"


@dataclass(frozen=True, slots=True)
class TableSpec:
    """What a list is, whoever looks at it."""

    name: str
    """Names the list among saved filters and cookies, such as ``runs``: letters and underscores."""
    path: str
    noun: str
    plural: str
    columns: tuple[Column, ...]
    default_sort: str
    """The grammar's default sort, which needs no mention in the address."""
    example: str = ""
    """A filter that shows the grammar, as the field's placeholder."""
    live: str = ""
    """Kinds of events that matter here; empty where the list is not live."""
    export: str = ""
    """The API's address that gives the list as CSV by the same ``filter`` and ``sort``."""
    bulk: tuple[BulkAction, ...] = ()
    key: Callable[[Any], str] = lambda row: str(row.id)
    muted: Callable[[Any], bool] = lambda row: False
    """Whether a row steps back, as one that is retired or revoked."""


@dataclass(frozen=True, slots=True)
class Table(Generic[T]):
    """A list as one person sees it now."""

    spec: TableSpec
    listing: Listing[T]
    columns: Sequence[Column]
    own_filters: Sequence[SavedFilter] = ()
    shared_filters: Sequence[SavedFilter] = ()
    saves_filters: bool = False
    bulk: Sequence[BulkAction] = field(default=())

    @property
    def status(self) -> int:
        """The answer's HTTP status."""
        return self.listing.status

    @property
    def rows(self) -> Sequence[T]:
        """The rows of this page."""
        return self.listing.page.items

    @property
    def export_url(self) -> str:
        """The address of exactly what is filtered, as CSV for a spreadsheet; empty where there is none."""
        if not self.spec.export or self.listing.problem:
            return ""
        wanted = {"filter": self.listing.request.filter, "sort": self.listing.request.sort}
        query = {name: value for name, value in wanted.items() if value} | {"for_spreadsheet": "true"}
        return f"{self.spec.export}?{urlencode(query)}"

    @property
    def hidden_count(self) -> int:
        """How many columns do not show."""
        return len(self.spec.columns) - len(self.columns)

    def shows(self, column: Column) -> bool:
        """Say whether a column shows."""
        return column in self.columns

    def sort_url(self, column: Column) -> str:
        """Return the address that sorts by a column, the other way round where it is sorted by it already."""
        current = self.listing.request.sort or self.spec.default_sort
        down, up = f"-{column.sort}", column.sort
        wanted = up if current == down else down if current == up else down if column.newest_first else up
        return self.listing.address(sort="" if wanted == self.spec.default_sort else wanted)

    def saved_url(self, kept: SavedFilter) -> str:
        """Return the address that a saved filter stands for."""
        return self.listing.address(filter=kept.filter, sort=kept.sort)

    def is_chosen(self, kept: SavedFilter) -> bool:
        """Say whether the list shows a saved filter now."""
        request = self.listing.request
        return (kept.filter, kept.sort) == (request.filter, request.sort)


async def shown_table(
    request: Request,
    caller: Caller,
    spec: TableSpec,
    wanted: PageRequest,
    fetch: Callable[[PageRequest], Awaitable[Page[T]]],
) -> Table[T]:
    """Fetch a page of a list and what belongs to its reader; a filter that cannot stand becomes a face, not an error."""
    found = await listing(spec.path, wanted, fetch)
    saves = caller.may(Permission.OWN_ACCOUNT)
    kept = await filters_of(request).visible(caller, spec.name) if saves else []
    return Table(
        spec,
        found,
        chosen_columns(spec, request.cookies),
        [each for each in kept if each.owner_id == caller.user_id],
        [each for each in kept if each.owner_id != caller.user_id],
        saves,
        [action for action in spec.bulk if caller.may(action.permission)],
    )


def chosen_columns(spec: TableSpec, cookies: Mapping[str, str]) -> list[Column]:
    """Return the columns that show: those that the reader chose, in the list's order, and always the one that names the row."""
    chosen = cookies.get(f"{COLUMNS_COOKIE}{spec.name}", "")
    names = chosen.split(".")
    return [
        column
        for column in spec.columns
        if column.heading or not column.title or (column.name in names if chosen else column.shown)
    ]
