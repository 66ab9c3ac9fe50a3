"""Cutting a byte stream into lines, however it is chopped up."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controlroom.protocol.records import MAXIMUM_LINE_CHARACTERS, Level, Stream
from controlroom.runner.execution.lines import LineCutter


def cut(chunks: list[bytes], stream: Stream = Stream.STDOUT, seconds: float = 0) -> list[str]:
    cutter = LineCutter(stream)
    found = [
        record.text for n, chunk in enumerate(chunks) for record in cutter.feed(chunk, 100 + n * seconds)
    ]
    return found + [record.text for record in cutter.close(200)]


def chopped(data: bytes, places: list[int]) -> list[bytes]:
    edges = sorted({0, len(data), *(place % (len(data) + 1) for place in places)})
    return [data[start:end] for start, end in itertools.pairwise(edges)]


@given(
    st.lists(st.text(st.characters(exclude_characters="\n\r\0", codec="utf-8"))),
    st.lists(st.integers(0, 10_000)),
)
def test_lines_are_the_same_however_the_stream_is_chopped(lines: list[str], places: list[int]) -> None:
    data = "".join(f"{line}\n" for line in lines).encode()

    assert cut(chopped(data, places)) == lines


@given(st.binary(), st.lists(st.integers(0, 1000)))
def test_any_bytes_give_bounded_text_without_control_of_lines(data: bytes, places: list[int]) -> None:
    for line in cut(chopped(data, places)):
        assert not set("\n\0") & set(line)
        assert len(line) <= MAXIMUM_LINE_CHARACTERS
        line.encode()


@given(st.binary(), st.lists(st.integers(0, 1000)))
def test_chopping_changes_nothing_without_redrawn_lines(data: bytes, places: list[int]) -> None:
    data = data.replace(b"\r", b"")

    assert cut(chopped(data, places)) == cut([data])


@pytest.mark.parametrize("ending", [b"\n", b"\r\n"])
def test_line_ends_of_both_kinds_and_a_split_one(ending: bytes) -> None:
    assert cut([b"a" + ending + b"b" + ending]) == ["a", "b"]
    assert cut([b"a" + ending[:1], ending[1:] + b"b"]) == ["a", "b"]


def test_redrawn_line_is_shown_once_a_second_and_in_its_last_state() -> None:
    drawn = [f"\r{percent}%".encode() for percent in range(100)] + [b"\r100%\ndone\n"]

    assert cut(drawn, seconds=0.0)[-2:] == ["100%", "done"]
    assert len(cut(drawn, seconds=0.0)) == 3
    assert 9 <= len(cut(drawn, seconds=0.1)) <= 13


def test_endless_redrawing_keeps_its_newest_state() -> None:
    cutter = LineCutter(Stream.STDOUT)
    for _ in range(3):
        cutter.feed(b"".join(b"\r%099d" % number for number in range(3_000)), 100)

    assert [record.text for record in cutter.feed(b"\n", 100)] == [f"{2_999:099}"]


def test_overlong_line_is_cut_with_its_size_and_the_next_is_whole() -> None:
    lines = cut([b"y" * 70_000, b"y" * 70_000, b"\nnext\n"])

    assert len(lines[0]) == MAXIMUM_LINE_CHARACTERS
    assert lines[0].endswith("[cut here: the line has 140,000 bytes]")
    assert lines[1] == "next"


TRACEBACK = b"""starting
Traceback (most recent call last):
  File "a.py", line 1, in <module>
    1 / 0
ZeroDivisionError: division by zero

During handling of the above exception, another exception occurred:

Traceback (most recent call last):
  File "a.py", line 3, in <module>
    raise KeyError("x")
KeyError: 'x'
after
"""


def test_traceback_on_standard_error_is_an_error_and_its_end_is_known() -> None:
    cutter = LineCutter(Stream.STDERR)

    records = cutter.feed(TRACEBACK, 1)

    assert next(record.text for record in records if record.level is Level.ERROR).startswith("Traceback")
    assert (records[0].level, records[-1].level) == (Level.INFO, Level.INFO)
    assert cutter.last_error_line == "KeyError: 'x'"


@pytest.mark.parametrize(
    ("line", "level"),
    [
        ("WARNING:root:low", Level.WARNING),
        ("ERROR: could not open", Level.ERROR),
        ("2026-01-01 08:00:00,000 CRITICAL: no", Level.ERROR),
        ("[DEBUG] x", Level.DEBUG),
        ("ERRORS were found", Level.INFO),
        ("all is well", Level.INFO),
    ],
)
def test_level_words_of_logging_count_on_standard_error_only(line: str, level: Level) -> None:
    (err,) = LineCutter(Stream.STDERR).feed(f"{line}\n".encode(), 1)
    (out,) = LineCutter(Stream.STDOUT).feed(f"{line}\n".encode(), 1)

    assert err.level is level
    assert out.level is Level.INFO
