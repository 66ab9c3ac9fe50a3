"""One grammar for every list: cursor paging, filters and sorting.

A filter is words separated by blanks, as one types them::

    state:failed,lost bot:reconcile created>=2026-01-31 -label:test invoices

``field:a,b`` is any of the values, ``field>value`` (``>=``, ``<``, ``<=``) compares, ``-`` before a term negates it,
``"two words"`` keeps blanks, and a bare word is looked for in the list's text fields. A sort is ``field`` or ``-field``.
"""

import base64
import binascii
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Generic, TypeVar, cast

import msgspec
from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Integer,
    Select,
    SQLColumnExpression,
    and_,
    not_,
    or_,
    select,
    union_all,
)
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.types import TypeEngine

from controlroom.foundation.errors import FieldError, Invalid

T = TypeVar("T")

DEFAULT_LIMIT = 50
LARGEST_LIMIT = 500
_MOST_TERMS = 20
_OPERATORS = (">=", "<=", ">", "<", ":")


class Kind(StrEnum):
    """What a field holds, and so how its filter values are read."""

    TEXT = "text"
    NUMBER = "number"
    MOMENT = "moment"
    CHOICE = "choice"


@dataclass(frozen=True, slots=True)
class Field:
    """One field that a list may be filtered or sorted by."""

    column: SQLColumnExpression[Any]
    kind: Kind = Kind.TEXT
    choices: tuple[str, ...] = ()
    sortable: bool = False
    matches: Callable[[str], ColumnElement[bool]] | None = None
    """Replaces plain equality where a value is not simply in a column."""


@dataclass(frozen=True, slots=True)
class Grammar:
    """What one list understands. ``key`` is the unique column that breaks ties."""

    fields: Mapping[str, Field]
    key: SQLColumnExpression[Any]
    text: Sequence[SQLColumnExpression[Any]] = ()
    default_sort: str = "-created"
    text_matches: Callable[[str], ColumnElement[bool]] | None = None
    """Replaces the look into ``text`` where a list finds a bare word more quickly in its own way."""


@dataclass(frozen=True, slots=True)
class PageRequest:
    """What a caller asked for."""

    filter: str = ""
    sort: str = ""
    cursor: str = ""
    limit: int = DEFAULT_LIMIT


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """Part of a list; ``next_cursor`` is None on the last page."""

    items: Sequence[T]
    next_cursor: str | None = None


class _Cursor(msgspec.Struct, array_like=True):
    sort: str
    value: str | int | float | None
    key: str | int


KeysOf = Callable[[Select[Any], bool, int], Select[Any]]
"""Turns the query for a page's keys (its sort column and key, in order) into a quicker one for the same keys.

It is also given whether the order is descending, and how many keys are wanted.
"""


async def fetch_page(
    session: AsyncSession,
    query: Select[Any],
    grammar: Grammar,
    request: PageRequest,
    keys_of: KeysOf | None = None,
) -> Page[T]:
    """Run a query for one page; raise `Invalid` for a filter, sort, cursor or limit that cannot stand.

    Pages follow a keyset, so rows that come or go between two pages neither repeat nor hide others.
    """
    if not 1 <= request.limit <= LARGEST_LIMIT:
        raise Invalid(
            f"A page holds 1 to {LARGEST_LIMIT} rows, not {request.limit}.",
            fields=(FieldError("/limit", "out of range"),),
        )
    name, column, descending = _sort_of(grammar, request.sort)
    wanted, alternatives = _split(grammar, request.filter)
    if request.cursor:
        wanted.append(_behind(grammar, request, name, column, descending))
    order = [column.desc(), grammar.key.desc()] if descending else [column.asc(), grammar.key.asc()]
    most = request.limit + 1
    if alternatives and keys_of is None:
        parts = [
            query.with_only_columns(grammar.key).where(each, *wanted).order_by(*order).limit(most).subquery()
            for each in alternatives
        ]
        wanted = [grammar.key.in_(union_all(*(select(part) for part in parts)))]
    elif alternatives:
        wanted.append(or_(*alternatives))
    if keys_of is not None:
        keys = select(column, grammar.key).where(*wanted).order_by(*order).limit(most)
        wanted = [grammar.key.in_(keys_of(keys, descending, most))]
    query = query.where(*wanted).add_columns(column, grammar.key).order_by(*order).limit(most)
    rows = (await session.execute(query)).all()
    items = [row[0] for row in rows[: request.limit]]
    if len(rows) <= request.limit:
        return Page(items)
    last = rows[request.limit - 1]
    return Page(items, _encode(_Cursor(request.sort or grammar.default_sort, _plain(last[-2]), last[-1])))


def conditions(grammar: Grammar, text: str) -> list[ColumnElement[bool]]:
    """Turn a filter into conditions; raise `Invalid` that names the term that cannot be understood."""
    return [_term(grammar, word) for word in _words(text)]


def _split(grammar: Grammar, text: str) -> tuple[list[ColumnElement[bool]], list[ColumnElement[bool]]]:
    """Return a filter's conditions and, apart from them, those of its first choice among several values.

    No index gives the rows of several values in the order of another column: the database would sort all of them for one
    page. A page of each value comes in order from an index of the value and that column, and those few are merged.
    """
    words = _words(text)
    for place, word in enumerate(words):
        name, _, value = word.partition(":")
        field_ = grammar.fields.get(name)
        if field_ is not None and field_.kind is Kind.CHOICE and field_.matches is None and "," in value:
            rest = [_term(grammar, other) for other in (*words[:place], *words[place + 1 :])]
            return rest, [_equals(name, field_, part) for part in dict.fromkeys(value.split(","))]
    return [_term(grammar, word) for word in words], []


def _words(text: str) -> list[str]:
    if "\0" in text:
        raise _refused("filter", "A filter holds no NUL character.")
    try:
        words = shlex.split(text, posix=True)
    except ValueError:
        raise _refused("filter", "A quotation mark in the filter is not closed.") from None
    if len(words) > _MOST_TERMS:
        raise _refused("filter", f"A filter has at most {_MOST_TERMS} terms.")
    return words


def _term(grammar: Grammar, word: str) -> ColumnElement[bool]:
    negated = word.startswith("-") and len(word) > 1
    body = word[1:] if negated else word
    operator = next((sign for sign in _OPERATORS if sign in body), "")
    name, _, value = body.partition(operator) if operator else ("", "", body)
    found = _text_match(grammar, body) if not operator else _field_match(grammar, name, operator, value)
    return not_(found) if negated else found


def _text_match(grammar: Grammar, word: str) -> ColumnElement[bool]:
    if grammar.text_matches is not None:
        return grammar.text_matches(word)
    if not grammar.text:
        raise _refused(
            "filter", f"'{word}' is not a term of the form field:value; this list has no free text."
        )
    return or_(*(column.icontains(word, autoescape=True) for column in grammar.text))


def _field_match(grammar: Grammar, name: str, operator: str, value: str) -> ColumnElement[bool]:
    field_ = grammar.fields.get(name)
    if field_ is None:
        known = ", ".join(sorted(grammar.fields))
        raise _refused("filter", f"There is no field '{name}' to filter by; there are {known}.")
    if not value:
        raise _refused("filter", f"'{name}{operator}' needs a value.")
    if operator == ":":
        return or_(*(_equals(name, field_, part) for part in value.split(",")))
    if field_.kind not in (Kind.MOMENT, Kind.NUMBER):
        raise _refused("filter", f"'{name}' cannot be compared with {operator}; write {name}:value.")
    right = _value(name, field_, value)
    comparisons: dict[str, ColumnElement[bool]] = {
        ">": field_.column > right,
        ">=": field_.column >= right,
        "<": field_.column < right,
        "<=": field_.column <= right,
    }
    return comparisons[operator]


def _equals(name: str, field_: Field, value: str) -> ColumnElement[bool]:
    if field_.matches is not None:
        return field_.matches(value)
    if field_.kind is Kind.TEXT and value.endswith("*"):
        return field_.column.istartswith(value[:-1], autoescape=True)
    equal: ColumnElement[bool] = field_.column == _value(name, field_, value)
    return equal


def _value(name: str, field_: Field, value: str) -> Any:
    try:
        if field_.kind is Kind.NUMBER:
            return _number(field_.column, float(value) if "." in value else int(value))
        if field_.kind is Kind.MOMENT:
            moment = datetime.fromisoformat(value)
            return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        wanted = (
            "a number" if field_.kind is Kind.NUMBER else "a date such as 2026-01-31 or 2026-01-31T08:00:00Z"
        )
        raise _refused("filter", f"'{name}' needs {wanted}, not '{value}'.") from None
    if field_.kind is Kind.CHOICE and value not in field_.choices:
        raise _refused("filter", f"'{name}' is one of {', '.join(field_.choices)}, not '{value}'.")
    return value


def _number(column: SQLColumnExpression[Any], value: float) -> float:
    """Raise `ValueError` for a number that the column's type cannot be compared with on every database."""
    if isinstance(kept_as := _type_of(column), Integer):
        largest = 2**63 if isinstance(kept_as, BigInteger) else 2**31
        if not isinstance(value, int) or not -largest <= value < largest:
            raise ValueError(value)
    return value


def _type_of(column: SQLColumnExpression[Any]) -> TypeEngine[Any]:
    # Columns and mapped attributes have a type; what both are declared as does not.
    kept_as: TypeEngine[Any] = cast("Any", column).type
    return kept_as


def _sort_of(grammar: Grammar, sort: str) -> tuple[str, SQLColumnExpression[Any], bool]:
    wanted = sort or grammar.default_sort
    descending = wanted.startswith("-")
    name = wanted.removeprefix("-")
    field_ = grammar.fields.get(name)
    if field_ is None or not field_.sortable:
        known = ", ".join(sorted(name for name, candidate in grammar.fields.items() if candidate.sortable))
        raise _refused("sort", f"This list cannot be sorted by '{name}'; it can by {known}.")
    return name, field_.column, descending


def _behind(
    grammar: Grammar, request: PageRequest, name: str, column: SQLColumnExpression[Any], descending: bool
) -> ColumnElement[bool]:
    cursor = _decode(request.cursor)
    if cursor.sort != (request.sort or grammar.default_sort):
        raise _refused("cursor", "The cursor belongs to another sort order; start from the first page.")
    key_kind = Kind.NUMBER if isinstance(_type_of(grammar.key), Integer) else Kind.TEXT
    _cursor_value(Field(grammar.key, key_kind), cursor.key)
    value = _cursor_value(grammar.fields[name], cursor.value)
    if value is None:
        return grammar.key < cursor.key if descending else grammar.key > cursor.key
    further = column < value if descending else column > value
    tie = grammar.key < cursor.key if descending else grammar.key > cursor.key
    return or_(further, and_(column == value, tie))


def _cursor_value(field_: Field, value: str | float | None) -> Any:
    if value is None:
        return None
    try:
        if field_.kind is Kind.NUMBER and not isinstance(value, str):
            return _number(field_.column, value)
        if field_.kind is Kind.MOMENT and isinstance(value, str):
            return datetime.fromisoformat(value).astimezone(UTC)
    except (ValueError, OverflowError):
        raise _foreign_cursor() from None
    if field_.kind in (Kind.NUMBER, Kind.MOMENT) or not isinstance(value, str) or "\0" in value:
        raise _foreign_cursor()
    return value


def _plain(value: Any) -> str | int | float | None:
    if isinstance(value, datetime):
        return value.isoformat()
    return value if value is None or isinstance(value, int | float) else str(value)


def _encode(cursor: _Cursor) -> str:
    return base64.urlsafe_b64encode(msgspec.msgpack.encode(cursor)).decode().rstrip("=")


def _decode(text: str) -> _Cursor:
    try:
        raw = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
        return msgspec.msgpack.decode(raw, type=_Cursor)
    except (ValueError, binascii.Error, msgspec.MsgspecError):
        raise _foreign_cursor() from None


def _foreign_cursor() -> Invalid:
    return _refused("cursor", "This cursor is not one that this server gave; start from the first page.")


def _refused(parameter: str, message: str) -> Invalid:
    return Invalid(message, fields=(FieldError(f"/{parameter}", message),))
