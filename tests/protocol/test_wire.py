"""The encoding: what one side says the other understands, and anything else is refused in words."""

from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from controlroom.protocol import wire
from controlroom.protocol.messages import FromRunner, FromServer, Heartbeat, HeldAttempt, Log, Report
from controlroom.protocol.records import Level, LogRecord, Stream

st.register_type_strategy(
    msgspec.Raw, st.integers().map(lambda value: msgspec.Raw(msgspec.msgpack.encode(value)))
)

_NUMBERS = st.floats(allow_nan=False)
_RECORDS = st.builds(
    LogRecord,
    time=_NUMBERS,
    stream=st.sampled_from(Stream),
    level=st.sampled_from(Level),
    text=st.text(max_size=50),
    fields=st.none(),
)
_HELD = st.builds(HeldAttempt, st.text(max_size=9), st.text(max_size=9), st.integers(0, 2**31), st.booleans())
_FROM_RUNNER: st.SearchStrategy[Any] = st.one_of(
    st.builds(Heartbeat, st.lists(_HELD, max_size=3).map(tuple), _NUMBERS, _NUMBERS),
    st.builds(
        Report,
        st.text(max_size=9),
        st.text(max_size=9),
        st.integers(0, 2**63),
        st.builds(Log, st.lists(_RECORDS, max_size=4).map(tuple)),
    ),
)
_DECODERS: list[Callable[[bytes], object]] = [
    wire.decode_from_runner,
    wire.decode_from_server,
    wire.decode_many_from_runner,
    wire.decode_many_from_server,
]


@given(st.lists(_FROM_RUNNER, max_size=3))
def test_messages_come_out_as_they_went_in(messages: list[FromRunner]) -> None:
    assert wire.decode_many_from_runner(wire.encode_many(messages)) == messages
    for message in messages:
        assert wire.decode_from_runner(wire.encode(message)) == message


@given(st.binary(max_size=200), st.sampled_from(_DECODERS))
def test_any_bytes_are_a_message_or_are_refused(data: bytes, decode: Callable[[bytes], object]) -> None:
    try:
        decode(data)
    except wire.MalformedMessage as error:
        assert str(error)


@given(_FROM_RUNNER, st.data())
def test_a_cut_message_is_refused(message: FromRunner, data: st.DataObject) -> None:
    whole = wire.encode(message)
    with pytest.raises(wire.MalformedMessage):
        wire.decode_from_runner(whole[: data.draw(st.integers(0, len(whole) - 1))])


def test_what_the_other_side_says_is_no_message_of_this_one() -> None:
    heartbeat = wire.encode(Heartbeat(()))
    with pytest.raises(wire.MalformedMessage, match="heartbeat"):
        wire.decode_from_server(heartbeat)


def test_deep_nesting_is_refused_and_not_followed() -> None:
    deep = b"\x91" * 100_000 + b"\xc0"
    body = msgspec.msgpack.encode(
        {"type": "report", "attempt_id": "a", "token": "t", "number": 1, "body": None}
    )
    for decode in _DECODERS:
        with pytest.raises(wire.MalformedMessage):
            decode(deep)
        with pytest.raises(wire.MalformedMessage):
            decode(body)


def test_tags_are_distinct_in_each_direction() -> None:
    for union in (FromRunner, FromServer):
        tags = [kind.__struct_config__.tag for kind in union.__args__]
        assert len(set(tags)) == len(tags)
