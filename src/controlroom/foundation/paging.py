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
    indexed: bool = False
    """Whether an index gives the rows of one value in the list's default order."""


@dataclass(frozen=True, slots=True)
class Grammar:
    """What one list understands. ``key`` is the unique column that breaks ties."""

    fields: Mapping[str, Field]
    key: SQLColumnExpression[Any]
    text: Sequence[SQLColumnExpression[Any]] = ()
    default_sort: str = "-created"
    text_matches: Callable[[str], ColumnElement[bool]] | None = None
    """Replaces the look into ``text`` where a list finds a bare word more quickly in its own way."""
    is_key: Callable[[str], bool] = lambda word: False
    """Whether a bare word is a whole key, which then is all that is looked for."""
    most_looked_at: int = 0
    """How many rows a page looks at where no index answers its filter; 0 is all of them, for lists that stay short."""


@dataclass(frozen=True, slots=True)
class PageRequest:
    """What a caller asked for."""

    filter: str = ""
    sort: str = ""
    cursor: str = ""
    limit: int = DEFAULT_LIMIT


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """Part of a list; ``next_cursor`` is None on the last page.

    A page of a long list may hold few rows, or none, and yet have a next one: then ``looked_to`` is the value of the
    sort column down (or up) to which rows were looked at.
    """

    items: Sequence[T]
    next_cursor: str | None = None
    looked_to: Any = None


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

    Pages follow a keyset, so rows that come or go between two pages neither repeat nor hide others. In a list that
    has a bound (`Grammar.most_looked_at`), a filter that no index answers is tried on so many rows only; the page then
    says how far it looked, and the next one goes on from there.
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
    looked_to = None
    if grammar.most_looked_at and keys_of is None:
        ways = ways_in(grammar, name, request.filter)
        behind = wanted[-1:] if request.cursor else []
        looked_to = await _looked_to(session, grammar, [[*way, *behind] for way in ways], column, descending)
        if looked_to is not None:
            wanted.append(_up_to(grammar, column, descending, looked_to))
        if len(ways) == 1 and alternatives:
            wanted, alternatives = [*wanted, or_(*alternatives)], []
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
    if len(rows) > request.limit:
        last = rows[request.limit - 1]
        return Page(items, _cursor(grammar, request, last[-2], last[-1]))
    if looked_to is None:
        return Page(items)
    return Page(items, _cursor(grammar, request, *looked_to), looked_to[0])


async def _looked_to(
    session: AsyncSession,
    grammar: Grammar,
    ways: Sequence[Sequence[ColumnElement[bool]]],
    column: SQLColumnExpression[Any],
    descending: bool,
) -> tuple[Any, Any] | None:
    """Return the sort column and key of the last row to look at; None where the ways in lead to few rows, or are none."""
    ends: list[tuple[Any, Any]] = []
    order = [column.desc(), grammar.key.desc()] if descending else [column.asc(), grammar.key.asc()]
    for way in ways:
        share = grammar.most_looked_at // len(ways)
        query = select(column, grammar.key).where(*way).order_by(*order).offset(share - 1).limit(2)
        found = (await session.execute(query)).all()
        if len(found) > 1:  # there is more behind it
            ends.append((found[0][0], found[0][1]))
    return (max if descending else min)(ends, default=None)


def ways_in(grammar: Grammar, sort: str, text: str) -> list[list[ColumnElement[bool]]]:
    """Return how indexes lead to the rows that a filter may find: one condition at most beside those of the sort's field.

    There are several ways where a choice among values leads in, and none where the index answers all of the filter, so
    that nothing needs to be looked through.
    """
    words = _words(text)
    spans = [word for word in words if _is_span(word, sort)]
    rest = [word for word in words if word not in spans]
    single = [word for word in rest if _is_indexed(grammar, word)]
    span = [_term(grammar, word) for word in spans]
    if not rest or (len(rest) == 1 and single):
        return []
    if single:
        return [[_term(grammar, single[0]), *span]]
    for word in rest:
        name, _, values = word.partition(":")
        field_ = grammar.fields.get(name)
        if field_ is not None and field_.indexed and field_.kind is Kind.CHOICE and values:
            parts = dict.fromkeys(values.split(","))
            return [] if len(rest) == 1 else [[_equals(name, field_, part), *span] for part in parts]
    return [span]


def _is_span(word: str, sort: str) -> bool:
    return any(word.startswith(f"{sort}{operator}") for operator in (">", "<"))


def _is_indexed(grammar: Grammar, word: str) -> bool:
    """Say whether a term asks for one value of a field that an index holds, or for one key."""
    if grammar.is_key(word):
        return True
    name, _, value = word.partition(":")
    field_ = grammar.fields.get(name)
    return (
        field_ is not None and field_.indexed and bool(value) and "," not in value and not value.endswith("*")
    )


def _cursor(grammar: Grammar, request: PageRequest, value: Any, key: Any) -> str:
    return _encode(_Cursor(request.sort or grammar.default_sort, _plain(value), key))


def conditions(grammar: Grammar, text: str) -> list[ColumnElement[bool]]:
    """Turn a filter into conditions; raise `Invalid` that names the term that cannot be understood."""
    return [_term(grammar, word) for word in _words(text)]


def require_readable(grammar: Grammar, text: str, sort: str = "") -> None:
    """Raise `Invalid`, at ``/filter`` or ``/sort``, for what the list could not be filtered or sorted by."""
    conditions(grammar, text)
    _sort_of(grammar, sort)


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
    if grammar.is_key(word):
        is_it: ColumnElement[bool] = grammar.key == word
        return is_it
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
    return _further(grammar, column, descending, (value, cursor.key))


def _further(
    grammar: Grammar, column: SQLColumnExpression[Any], descending: bool, row: tuple[Any, Any]
) -> ColumnElement[bool]:
    """Return the condition that a row comes after another in the order. An index leads to the first such row at once."""
    value, key = row
    tie: ColumnElement[bool] = grammar.key < key if descending else grammar.key > key
    if value is None:
        return tie
    if descending:
        return and_(column <= value, or_(column < value, tie))
    return and_(column >= value, or_(column > value, tie))


def _up_to(
    grammar: Grammar, column: SQLColumnExpression[Any], descending: bool, row: tuple[Any, Any]
) -> ColumnElement[bool]:
    """Return the condition that a row does not come after another in the order, in words that an index ends at."""
    value, key = row
    if descending:
        return and_(column >= value, or_(column > value, grammar.key >= key))
    return and_(column <= value, or_(column < value, grammar.key <= key))


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
