"""What an attempt's processes used over time: few samples, kept small, of which two become one when there are many.

An attempt's samples are one row, written anew with each: at most `MOST_SAMPLES` of about ten bytes.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Self

import msgspec
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from controlroom.foundation.database import Transaction
from controlroom.protocol.messages import MOST_SAMPLES, UsageSample
from controlroom.runs.models import Attempt, AttemptUsage
from controlroom.runs.storable import LATEST_TIME, storable_number

_LARGEST_PROCESSORS = 10_000.0
_LARGEST_MEMORY_BYTES = 2.0**50
_LONGEST_SECONDS = 1e9


@dataclass(frozen=True, slots=True)
class Sample:
    """Use over the ``seconds`` before ``time``: processors busy on average, and the most resident bytes at once."""

    time: datetime
    seconds: float
    processors: float
    memory_bytes: int


class _Packed(msgspec.Struct, frozen=True, array_like=True):
    """A sample in whole numbers: hundredths of seconds, thousandths of a processor, kilobytes."""

    ended: int
    lasted: int
    processors: int
    memory: int

    @classmethod
    def of(cls, sample: UsageSample) -> Self:
        return cls(
            round(storable_number(sample.time, largest=LATEST_TIME) * 100),
            round(storable_number(sample.seconds, largest=_LONGEST_SECONDS) * 100),
            round(storable_number(sample.processors, largest=_LARGEST_PROCESSORS) * 1000),
            round(storable_number(sample.memory_bytes, largest=_LARGEST_MEMORY_BYTES) / 1024),
        )

    def joined(self, later: "_Packed") -> "_Packed":
        lasted = self.lasted + later.lasted
        busy = self.processors * self.lasted + later.processors * later.lasted
        return _Packed(
            later.ended, lasted, round(busy / lasted) if lasted else 0, max(self.memory, later.memory)
        )

    def sample(self) -> Sample:
        return Sample(
            datetime.fromtimestamp(self.ended / 100, UTC),
            self.lasted / 100,
            self.processors / 1000,
            self.memory * 1024,
        )


_decoder = msgspec.msgpack.Decoder(list[_Packed])


async def add_sample(transaction: Transaction, attempt: Attempt, sample: UsageSample) -> None:
    """Keep a sample of an attempt."""
    session = transaction.session
    kept = await session.get(AttemptUsage, attempt.id)
    if kept is None:
        kept = AttemptUsage(attempt_id=attempt.id, data=msgspec.msgpack.encode([]))
        session.add(kept)
    kept.data = with_sample(kept.data, sample)


def with_sample(data: bytes, sample: UsageSample) -> bytes:
    """Return what is kept once a sample is added; two become one where there would be more than `MOST_SAMPLES`."""
    samples = [*_decoder.decode(data), _Packed.of(sample)]
    if len(samples) > MOST_SAMPLES:
        pairs = zip(samples[:-1:2], samples[1:-1:2], strict=True)
        samples = [*(one.joined(other) for one, other in pairs), samples[-1]]
    return msgspec.msgpack.encode(samples)


def samples_in(data: bytes) -> Sequence[Sample]:
    """Return what is kept, oldest first."""
    return [packed.sample() for packed in _decoder.decode(data)]


async def samples_of(session: AsyncSession, attempt_id: str) -> Sequence[Sample]:
    """Return an attempt's samples, oldest first; none for a bot that was over before the first was complete."""
    data = await session.scalar(select(AttemptUsage.data).where(AttemptUsage.attempt_id == attempt_id))
    return [] if data is None else samples_in(data)


async def samples_of_run(session: AsyncSession, run_id: str) -> Sequence[Sample]:
    """Return the samples of all attempts of a run, oldest first."""
    attempts = select(Attempt.id).where(Attempt.run_id == run_id)
    kept = await session.scalars(select(AttemptUsage.data).where(AttemptUsage.attempt_id.in_(attempts)))
    return sorted((sample for data in kept for sample in samples_in(data)), key=lambda sample: sample.time)
