"""The form an entry's hash is taken of: the same after a round trip through every database."""

import json
from datetime import UTC, datetime, timedelta, timezone
from enum import IntEnum, StrEnum

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from controlroom.audit.actor import Actor, ActorKind
from controlroom.audit.entry import clean_detail, clean_text, entry_hash
from controlroom.audit.models import AuditEntry
from controlroom.audit.service import record, verify
from controlroom.foundation.database import Database

MOMENT = datetime(2026, 1, 31, 8, 0, 0, 123_456, tzinfo=UTC)

texts = st.text(st.characters(exclude_categories=()), max_size=12)
values = st.recursive(
    st.none() | st.booleans() | texts | st.integers(-(2**70), 2**70) | st.floats(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=12,
)
details = st.dictionaries(texts, values, max_size=5)


class Colour(StrEnum):
    RED = "red"


class Size(IntEnum):
    SMALL = 1


async def write(
    database: Database, detail: dict[str, object], name: str = "Alice", time: datetime = MOMENT
) -> None:
    async with database.write() as transaction:
        record(
            transaction,
            time=time,
            actor=Actor(ActorKind.USER, "usr_1", name, "192.0.2.7", name),
            action="thing.done",
            target_kind="thing",
            target_id=name,
            target_name=name,
            detail=detail,
        )


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(detail=details, name=texts, time=st.datetimes(datetime(1970, 1, 2), datetime(2200, 1, 1), timezones=st.just(timezone(timedelta(hours=5.5)))))  # fmt: skip  # noqa: DTZ001
async def test_hashes_survive_the_database(
    database: Database, detail: dict[str, object], name: str, time: datetime
) -> None:
    await write(database, detail, name, time)
    async with database.read() as session:
        columns = AuditEntry.__table__.columns
        query = select(*columns).order_by(columns.number.desc()).limit(1)
        row = dict((await session.execute(query)).mappings().one())
    assert entry_hash(row) == row["hash"]
    assert row["detail"] == clean_detail(detail)


async def test_awkward_numbers_and_texts_survive_the_database(database: Database) -> None:
    awkward = [1e22, -0.0, 1.0, 0.1, 1e-320, 5e-324, 1.7976931348623157e308, 2**53 + 1, 10**300, 1 << 5000]
    awkward += [
        float("nan"),
        float("inf"),
        "e\u0301",
        "\u00e9",
        "\0",
        "\ud800",
        "\U0001f916",
        "\u2028",
        '"\\',
    ]
    await write(database, {"awkward": awkward, "é": 1, "e\u0301": 2, "aa": 1, "b": 2, "": {}})
    async with database.read() as session:
        report = await verify(session)
    assert (report.entries, report.faults) == (1, ())


@given(details)
def test_a_clean_detail_is_plain_json_and_stays_as_it_is(detail: dict[str, object]) -> None:
    cleaned = clean_detail(detail)
    assert json.loads(json.dumps(cleaned, allow_nan=False)) == cleaned
    assert clean_detail(cleaned) == cleaned


def test_what_looks_like_json_becomes_json() -> None:
    given_ = {"enum": Colour.RED, "size": Size.SMALL, "tuple": (1, 2), "set": {"b", "a"}, "none": None}
    cleaned = clean_detail(given_)
    assert cleaned == {"enum": "red", "size": 1, "tuple": [1, 2], "set": ["a", "b"], "none": None}
    assert [type(value) for value in (cleaned["enum"], cleaned["size"])] == [str, int]


def test_a_detail_that_goes_on_for_ever_is_cut() -> None:
    endless: dict[str, object] = {}
    endless["more"] = endless
    assert "…" in json.dumps(clean_detail(endless), ensure_ascii=False)
    assert len(clean_detail({"text": "x" * 100_000})["text"]) == 4_000


@pytest.mark.parametrize("value", [b"bytes", object(), MOMENT, {1: "number as a name"}])
def test_what_is_no_json_is_a_mistake_of_ours_and_said_at_once(value: object) -> None:
    with pytest.raises(TypeError):
        clean_detail({"value": value})


@pytest.mark.parametrize(
    ("text", "longest", "kept"), [("a\0b", 9, "a\ufffdb"), ("\udc00", 9, "\ufffd"), ("abcdef", 4, "abc…")]
)
def test_texts_are_made_storable(text: str, longest: int, kept: str) -> None:
    assert clean_text(text, longest) == kept


def test_any_change_of_any_field_changes_the_hash() -> None:
    row = {
        "number": 2, "time": MOMENT, "actor_kind": "user", "actor_id": "usr_1", "actor_name": "Alice",
        "action": "thing.done", "target_kind": "thing", "target_id": "t", "target_name": "T", "outcome": "done",
        "address": "192.0.2.7", "request_id": "r", "detail": {"a": 1}, "previous_hash": "0" * 64,
    }  # fmt: skip
    changed = {
        **dict.fromkeys(row, "x"),
        "number": 3,
        "time": MOMENT + timedelta(microseconds=1),
        "detail": {"a": 2},
    }
    hashes = {entry_hash({**row, name: value}) for name, value in changed.items()} | {entry_hash(row)}
    assert len(hashes) == len(row) + 1
    assert entry_hash({**row, "hash": "anything"}) == entry_hash(row)
    assert entry_hash({**row, "time": MOMENT.astimezone(timezone(timedelta(hours=-7)))}) == entry_hash(row)
