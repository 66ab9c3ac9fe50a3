"""An attempt's log: kept in compressed stretches, read by line number, searched where it lies."""

import asyncio
import re
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import msgspec
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from controlroom.foundation.database import Transaction
from controlroom.protocol.records import Level, LogRecord
from controlroom.runs.models import Attempt, LogChunk
from controlroom.runs.schemas import LevelName, LogLineOut, LogOut
from controlroom.runs.states import ENDED
from controlroom.runs.storable import storable_records, storable_value

_MERGE_BELOW_LINES = 500
"""A stretch shorter than this takes the next lines in, so that a slow bot's log does not become a row a line."""
_COMPRESSION_LEVEL = 1  # about 100 MB/s; higher levels save little on text of this size
_CHUNKS_AT_ONCE = 20
_LINES_SEARCHED_AT_ONCE = 200_000

_LEVEL_NAMES: Mapping[Level, LevelName] = {
    Level.DEBUG: "debug",
    Level.INFO: "info",
    Level.WARNING: "warning",
    Level.ERROR: "error",
}

_records = msgspec.msgpack.Decoder(list[LogRecord])
_encoder = msgspec.msgpack.Encoder()


def log_topic(attempt_id: str) -> str:
    """Return the topic that is woken when an attempt's log has grown."""
    return f"log:{attempt_id}"


async def append_records(
    transaction: Transaction, attempt: Attempt, records: Sequence[LogRecord], *, late: bool = False
) -> None:
    """Add lines to an attempt's log, or to what it delivered too late."""
    if not records:
        return
    records = storable_records(records)
    session = transaction.session
    last = await _last_chunk(session, attempt.id, late) if late or attempt.log_lines else None
    first_line = last.first_line + last.line_count if last is not None else 0
    if not late:
        _note_first_error(attempt, records, first_line)
        attempt.log_lines = first_line + len(records)
        transaction.wake(log_topic(attempt.id))
    if last is not None and last.line_count + len(records) <= _MERGE_BELOW_LINES:
        _extend(last, records)
        return
    session.add(
        LogChunk(
            attempt_id=attempt.id,
            late=late,
            first_line=first_line,
            line_count=len(records),
            highest_level=max(record.level for record in records),
            first_time=records[0].time,
            last_time=records[-1].time,
            data=zlib.compress(_encoder.encode(records), _COMPRESSION_LEVEL),
        )
    )


async def _last_chunk(session: AsyncSession, attempt_id: str, late: bool) -> LogChunk | None:
    query = select(LogChunk).where(LogChunk.attempt_id == attempt_id, LogChunk.late == late)
    return await session.scalar(query.order_by(LogChunk.first_line.desc()).limit(1))


def _extend(chunk: LogChunk, records: Sequence[LogRecord]) -> None:
    together = [*_records.decode(zlib.decompress(chunk.data)), *records]
    chunk.line_count = len(together)
    chunk.highest_level = max(chunk.highest_level, *(record.level for record in records))
    chunk.last_time = records[-1].time
    chunk.data = zlib.compress(_encoder.encode(together), _COMPRESSION_LEVEL)


def _note_first_error(attempt: Attempt, records: Sequence[LogRecord], first_line: int) -> None:
    if attempt.first_error_line is None:
        offsets = (offset for offset, record in enumerate(records) if record.level >= Level.ERROR)
        offset = next(offsets, None)
        attempt.first_error_line = None if offset is None else first_line + offset


@dataclass(frozen=True, slots=True)
class LogQuery:
    """Which lines: from ``first`` on, at most ``limit``, of at least a level, holding a text (any case)."""

    first: int = 0
    limit: int = 500
    level: Level = Level.DEBUG
    search: str = ""
    late: bool = False

    @property
    def keeps_all(self) -> bool:
        """Say whether no line is left out."""
        return self.level is Level.DEBUG and not self.search


async def read_log(session: AsyncSession, attempt: Attempt, query: LogQuery) -> LogOut:
    """Return a stretch of the log.

    A search reads at most 200,000 lines at once; ``next_line`` then says where to go on, with or without finds.
    """
    lines: list[LogLineOut] = []
    position, looked_at = query.first, 0
    while len(lines) < query.limit and looked_at < _LINES_SEARCHED_AT_ONCE:
        chunks = await _chunks_from(session, attempt.id, position, query.late)
        if not chunks:
            break
        found, position, seen = await asyncio.to_thread(
            _scan, chunks, position, query, query.limit - len(lines)
        )
        lines += found
        looked_at += seen
    total = attempt.log_lines if not query.late else await _late_lines(session, attempt.id)
    return LogOut(
        attempt_id=attempt.id,
        lines=lines,
        total_lines=total,
        next_line=position if position < total else None,
        complete=attempt.state in ENDED and position >= total,
    )


async def _chunks_from(session: AsyncSession, attempt_id: str, line: int, late: bool) -> Sequence[LogChunk]:
    of_attempt = (LogChunk.attempt_id == attempt_id, LogChunk.late == late)
    start = (
        select(func.max(LogChunk.first_line))
        .where(*of_attempt, LogChunk.first_line <= line)
        .scalar_subquery()
    )
    query = select(LogChunk).where(*of_attempt, LogChunk.first_line >= func.coalesce(start, 0))
    found = (await session.scalars(query.order_by(LogChunk.first_line).limit(_CHUNKS_AT_ONCE))).all()
    return [chunk for chunk in found if chunk.first_line + chunk.line_count > line]


async def _late_lines(session: AsyncSession, attempt_id: str) -> int:
    last = await _last_chunk(session, attempt_id, late=True)
    return 0 if last is None else last.first_line + last.line_count


def _scan(
    chunks: Sequence[LogChunk], position: int, query: LogQuery, room: int
) -> tuple[list[LogLineOut], int, int]:
    lines: list[LogLineOut] = []
    seen = 0
    wanted = re.compile(re.escape(query.search), re.IGNORECASE) if query.search else None
    for chunk in chunks:
        if chunk.highest_level < query.level:
            seen += chunk.line_count
            position = chunk.first_line + chunk.line_count
            continue
        for number, record in _lines_of(chunk, position):
            if len(lines) >= room:
                return lines, number, seen
            seen += 1
            position = number + 1
            if record.level >= query.level and (wanted is None or wanted.search(record.text)):
                lines.append(_line_out(number, record))
    return lines, position, seen


def _lines_of(chunk: LogChunk, first: int) -> Iterator[tuple[int, LogRecord]]:
    records = _records.decode(zlib.decompress(chunk.data))
    skipped = max(0, first - chunk.first_line)
    for offset in range(skipped, len(records)):
        yield chunk.first_line + offset, records[offset]


def _line_out(number: int, record: LogRecord) -> LogLineOut:
    fields = (
        None
        if record.fields is None
        else {name: storable_value(msgspec.msgpack.decode(value)) for name, value in record.fields.items()}
    )
    return LogLineOut.model_construct(
        line=number,
        time=datetime.fromtimestamp(record.time, UTC),
        stream=record.stream.value,
        level=_LEVEL_NAMES[record.level],
        text=record.text,
        fields=fields,
    )
