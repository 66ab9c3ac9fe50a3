"""The one grammar of lists: any filter is understood or refused in words, and pages neither repeat nor hide a row."""

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
