"""A list in the address: its filter, sort and cursor, and the addresses of the pages around it."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Annotated, Generic, TypeVar
from urllib.parse import urlencode

from fastapi import Depends, Query

from controlroom.foundation.errors import Invalid, Unavailable
from controlroom.foundation.paging import Page, PageRequest

T = TypeVar("T")

ROWS = 50


def list_request(
    filter: Annotated[str, Query(max_length=1000)] = "",  # the parameter's name in the address
    sort: Annotated[str, Query(max_length=60)] = "",
    cursor: Annotated[str, Query(max_length=600)] = "",
) -> PageRequest:
    """Read a list's part of the address."""
    return PageRequest(filter=filter.strip(), sort=sort, cursor=cursor, limit=ROWS)


ListQuery = Annotated[PageRequest, Depends(list_request)]


@dataclass(frozen=True, slots=True)
class Listing(Generic[T]):
    """What a list's page shows: rows, or why there are none.

    ``problem`` says what is wrong with the filter, or, with ``is_away``, that the list cannot be read at the moment.
    """

    path: str
    request: PageRequest
    page: Page[T] = field(default_factory=lambda: Page([]))
    problem: str = ""
    is_away: bool = False

    @property
    def status(self) -> int:
        """The answer's HTTP status."""
        return 503 if self.is_away else 422 if self.problem else 200

    @property
    def next_url(self) -> str:
        """The address of the next page, empty on the last."""
        return self.address(cursor=self.page.next_cursor) if self.page.next_cursor else ""

    @property
    def first_url(self) -> str:
        """The address of the first page, empty on it."""
        return self.address() if self.request.cursor else ""

    def address(self, **changed: str) -> str:
        """Return the address of this list with another filter, sort or cursor; a change leads to the first page."""
        parts = {"filter": self.request.filter, "sort": self.request.sort, **changed}
        query = urlencode({name: value for name, value in parts.items() if value})
        return f"{self.path}?{query}" if query else self.path

    def sorted_by(self, name: str) -> str:
        """Return the address that sorts by a field, the other way round where it is sorted by it already."""
        return self.address(sort=f"-{name}" if self.request.sort == name else name)

    def direction(self, name: str, default: str) -> str:
        """Return ``ascending``, ``descending`` or ``none``, as ``aria-sort`` has it."""
        sort = self.request.sort or default
        if sort.removeprefix("-") != name:
            return "none"
        return "descending" if sort.startswith("-") else "ascending"


async def listing(
    path: str, request: PageRequest, fetch: Callable[[PageRequest], Awaitable[Page[T]]]
) -> Listing[T]:
    """Fetch a list's rows; a filter that cannot stand, or a database that is away, becomes a face of the list."""
    try:
        return Listing(path, request, await fetch(request))
    except Invalid as error:
        return Listing(path, request, problem=error.detail)
    except Unavailable as error:
        return Listing(path, request, problem=error.detail, is_away=True)
