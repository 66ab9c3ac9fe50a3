"""The one grammar of lists: any filter is understood or refused in words, and pages neither repeat nor hide a row."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Integer, String, insert, select
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from controlroom.foundation.database import Database
from controlroom.foundation.errors import Invalid
from controlroom.foundation.paging import Field, Grammar, Kind, Page, PageRequest, conditions, fetch_page


class Base(DeclarativeBase):
    pass


class Thing(Base):
    __tablename__ = "things"
    id: Mapped[str] = mapped_column(String, primary_key=True)
    weight: Mapped[int] = mapped_column(Integer)
    kind: Mapped[str] = mapped_column(String, default="")
    owner: Mapped[str] = mapped_column(String, default="")


GRAMMAR = Grammar(
    fields={
        "id": Field(Thing.id, sortable=True),
        "weight": Field(Thing.weight, Kind.NUMBER, sortable=True),
        "kind": Field(Thing.id, Kind.CHOICE, ("a", "b")),
    },
    key=Thing.id,
    text=(Thing.id,),
    default_sort="-weight",
)


@given(st.text(max_size=60))
def test_any_text_is_a_filter_or_is_refused_in_words(text: str) -> None:
    try:
        conditions(GRAMMAR, text)
    except Invalid as refused:
        assert refused.detail
        assert refused.fields[0].pointer == "/filter"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("colour:red", "no field 'colour'"),
        ("weight:heavy", "needs a number"),
        ("kind:c", "one of a, b"),
        ("id>3", "cannot be compared"),
        ("weight:", "needs a value"),
        ('"open', "not closed"),
    ],
)
def test_what_cannot_be_understood_is_named(text: str, said: str) -> None:
    with pytest.raises(Invalid, match=said):
        conditions(GRAMMAR, text)


@given(st.text(max_size=40))
def test_any_text_is_no_cursor_but_never_a_crash(cursor: str) -> None:
    from controlroom.foundation.paging import _decode

    try:
        _decode(cursor)
    except Invalid as refused:
        assert refused.fields[0].pointer == "/cursor"


@pytest.mark.parametrize("sort", ["weight", "-weight", "id", "-id"])
@pytest.mark.parametrize("limit", [1, 3, 7])
async def test_pages_give_every_row_once_in_order(sort: str, limit: int, tmp_path: Path) -> None:
    database = Database(f"sqlite+aiosqlite:///{tmp_path}/things.db")
    async with database.engine.begin() as connection:
        await connection.run_sync(Base.metadata.create_all)
        rows = [{"id": f"t{number:02}", "weight": number % 4} for number in range(20)]
        await connection.execute(insert(Thing), rows)
    seen: list[tuple[int, str]] = []
    cursor: str | None = ""
    async with database.read() as session:
        while cursor is not None:
            page: Page[Thing] = await fetch_page(
                session, select(Thing), GRAMMAR, PageRequest(sort=sort, cursor=cursor, limit=limit)
            )
            seen += [(thing.weight, thing.id) for thing in page.items]
            cursor = page.next_cursor
    await database.close()
    key = (lambda pair: pair) if "weight" in sort else (lambda pair: pair[1])
    assert seen == sorted(((row["weight"], row["id"]) for row in rows), key=key, reverse=sort.startswith("-"))


LONG = Grammar(
    fields={
        "id": Field(Thing.id),
        "weight": Field(Thing.weight, Kind.NUMBER, sortable=True),
        "kind": Field(Thing.kind, Kind.CHOICE, ("a", "b", "c"), indexed=True),
        "owner": Field(Thing.owner, indexed=True),
    },
    key=Thing.id,
    text=(Thing.id, Thing.owner),
    default_sort="-weight",
    is_key=lambda word: word.startswith("t") and len(word) == 3,
)
_FILTERS = (
    "", "kind:a", "kind:a,b", "owner:ann", "owner:ann kind:a,c", "owner:ann kind:b", "ob", "zebra", "zebra kind:a,b", "-ob",
    "id:t0*", "weight>2 ob", "weight<3 weight>=1 kind:a,c ob", "kind:a owner:b*", "owner:ann,bob", "-owner:ann", "t07", "t07 kind:a",
)  # fmt: skip


@pytest.mark.parametrize("filter_", _FILTERS)
@pytest.mark.parametrize("sort", ["weight", "-weight"])
async def test_a_list_looked_through_part_by_part_gives_what_it_gives_at_once(
    things: Database, filter_: str, sort: str
) -> None:
    whole = await _walk(things, replace(LONG, most_looked_at=0), filter_, sort)
    assert all(page.looked_to is None for page in whole)
    for most in (1, 4, 9, 1_000):
        pages = await _walk(things, replace(LONG, most_looked_at=most), filter_, sort)
        assert [each.id for page in pages for each in page.items] == [
            each.id for page in whole for each in page.items
        ]
        assert pages[-1].looked_to is None


async def test_a_page_says_how_far_it_looked_and_leads_on(things: Database) -> None:
    async with things.read() as session:
        page: Page[Thing] = await fetch_page(
            session, select(Thing), replace(LONG, most_looked_at=5), PageRequest("zebra")
        )
    assert page.items == []
    assert page.looked_to == 9
    assert page.next_cursor


@pytest.mark.parametrize("filter_", ["kind:a", "owner:ann", "owner:nobody", "weight>3", "kind:a,b", "t07"])
async def test_what_an_index_answers_is_never_looked_through(things: Database, filter_: str) -> None:
    pages = await _walk(things, replace(LONG, most_looked_at=1), filter_, "")
    assert all(page.looked_to is None for page in pages)


async def _walk(database: Database, grammar: Grammar, filter_: str, sort: str) -> list[Page[Thing]]:
    pages: list[Page[Thing]] = []
    while not pages or pages[-1].next_cursor:
        cursor = (pages[-1].next_cursor or "") if pages else ""
        async with database.read() as session:
            pages.append(
                await fetch_page(session, select(Thing), grammar, PageRequest(filter_, sort, cursor, limit=3))
            )
        assert len(pages) < 200
    return pages


@pytest.fixture
async def things(tmp_path: Path) -> AsyncIterator[Database]:
    database = Database(f"sqlite+aiosqlite:///{tmp_path}/things.db")
    async with database.engine.begin() as connection:
        await connection.run_sync(Base.metadata.create_all)
        rows = [
            {
                "id": f"t{number:02}",
                "weight": number % 10,
                "kind": "abc"[number % 3],
                "owner": _OWNERS[number * 7 % 4],
            }
            for number in range(50)
        ]
        await connection.execute(insert(Thing), rows)
    yield database
    await database.close()


_OWNERS = ("ann", "bob", "bert", "")
