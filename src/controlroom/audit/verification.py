"""Proves the chain: which entries were changed, are missing or stand in another's place, and whether both its ends are whole.

Where retention has removed a stretch, its anchor stands for it; with the export that was made then, the stretch is
proved entry by entry as if it were still there.
"""

import asyncio
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from controlroom.audit.anchors import Anchor, anchor_problems, read_anchors
from controlroom.audit.chain import START, Link
from controlroom.audit.checkpoint import Checkpoint
from controlroom.audit.entry import entry_hash
from controlroom.audit.models import AuditEntry
from controlroom.audit.seal import Seal, read_seal

_MOST_FAULTS = 20
_READ_ROWS = 1_000
_SEAL_OVERDUE = timedelta(hours=1)
"""A running server seals every minute, so a log that spans more than this has a seal."""
_SEARCHED_NUMBERS = 500
"""How far from where it stands a moved entry's own number is looked for."""


@dataclass(frozen=True, slots=True)
class ChainFault:
    """Where the chain does not hold: the entry's number and what is wrong with it."""

    number: int
    problem: str


@dataclass(frozen=True, slots=True)
class ChainReport:
    """What `verify` found.

    ``entries`` were read, the newest is ``newest``; up to ``sealed_number`` the server's key vouches for the whole
    (0 where nothing is sealed). Anchors stand for the ``removed`` entries before them. ``faults`` holds the first ones
    only, at most twenty.
    """

    entries: int
    newest: Link
    faults: tuple[ChainFault, ...]
    sealed_number: int = 0
    sealed_at: datetime | None = None
    removed: int = 0


class _Walk:
    """Follows the chain entry by entry and keeps what does not hold."""

    def __init__(self, start: Link, wanted: set[Link]) -> None:
        self.entries = 0
        self.newest = start
        self.began: datetime | None = None
        self.ended: datetime | None = None
        self.faults: list[ChainFault] = []
        self.wanted = wanted
        """Links that must be met on the way; each is taken out when it is."""
        self._moved = False

    def step(self, row: Mapping[str, Any]) -> None:
        number, before = row["number"], self.newest
        origin = number if entry_hash(row) == row["hash"] else _original_number(row)
        if number != before.number + 1:
            self._fault(before.number + 1, f"{_entries(before.number + 1, number - 1)} missing")
        elif origin == number and row["previous_hash"] != before.hash and not self._moved:
            self._fault(number, "does not follow the entry before it: one of the two was replaced or added")
        if origin is None:
            self._fault(number, "was changed after it was written")
        elif origin != number:
            self._fault(number, f"stands in the wrong place: it was written as entry {origin}")
        self._moved = origin is not None and origin != number
        self.entries += 1
        self.newest = Link(number, row["hash"])
        self.wanted.discard(self.newest)
        self.began, self.ended = self.began or row["time"], row["time"]

    def _fault(self, number: int, problem: str) -> None:
        self.faults.append(ChainFault(number, problem))


async def verify(
    session: AsyncSession,
    secret_key: bytes | None = None,
    *,
    noted: Link | None = None,
    checkpoint: Checkpoint | None = None,
    trusted_keys: Collection[str] = (),
    exported: Sequence[Mapping[str, Any]] = (),
) -> ChainReport:
    """Read the whole chain and say what does not hold.

    With the server's key the seal is checked too; ``noted`` is a link written down elsewhere, at an earlier time, that
    must still be there, and so is the ``checkpoint``'s. Anchors and the checkpoint must be signed with one of the
    ``trusted_keys``, where there are any. ``exported`` are entries that retention has removed, in their order.
    Reads in batches; other work goes on between them.
    """
    seal = await read_seal(session, secret_key) if secret_key else None
    anchors = await read_anchors(session)
    begin = anchors[-1].stretch.last if anchors else START
    start = _start(anchors, exported)
    claims = {
        **({seal.link: "the server sealed"} if seal and seal.is_ours else {}),
        **{each.stretch.last: "an anchor stands for" for each in anchors if each.stretch.last.number >= start.number},
        **({noted: "was noted"} if noted else {}),
        **({checkpoint.link: "the checkpoint names"} if checkpoint else {}),
    }  # fmt: skip
    walk = _Walk(start, {link for link in claims if link.number > 0 and link != start})
    for number, problem in anchor_problems(anchors, trusted_keys):
        walk.faults.append(ChainFault(number, problem))
    walk.faults += _checkpoint_faults(checkpoint, trusted_keys)
    walk.faults += await _hidden_faults(session, begin)
    async for row in _rows(session, exported, begin.number):
        walk.step(row)
        if len(walk.faults) >= _MOST_FAULTS:
            break
    else:
        if secret_key:
            walk.faults += _seal_faults(walk, seal)
        for link in sorted(walk.wanted, key=lambda each: each.number):
            if seal is None or link != seal.link:
                walk.faults.append(_absent(walk, link, claims[link], start))
    vouched = seal if seal and seal.is_ours and seal.link not in walk.wanted else None
    return ChainReport(
        entries=walk.entries,
        newest=walk.newest,
        faults=tuple(walk.faults),
        sealed_number=vouched.link.number if vouched else 0,
        sealed_at=vouched.time if vouched else None,
        removed=sum(anchor.stretch.count for anchor in anchors),
    )


def _start(anchors: Sequence[Anchor], exported: Sequence[Mapping[str, Any]]) -> Link:
    """Return the link that the first entry at hand must follow."""
    if not exported:
        return anchors[-1].stretch.last if anchors else START
    first = exported[0]
    ends = {anchor.stretch.last.number: anchor.stretch.last for anchor in anchors} | {0: START}
    before: int = first["number"] - 1
    return ends.get(before, Link(before, first["previous_hash"]))


def _checkpoint_faults(checkpoint: Checkpoint | None, trusted_keys: Collection[str]) -> list[ChainFault]:
    if checkpoint is None:
        return []
    if not checkpoint.is_signed:
        problem = "is named by a checkpoint whose signature does not fit: it was changed"
    elif trusted_keys and checkpoint.public_key not in trusted_keys:
        problem = "is named by a checkpoint that another key than this server's has signed"
    else:
        return []
    return [ChainFault(checkpoint.link.number, problem)]


async def _hidden_faults(session: AsyncSession, begin: Link) -> list[ChainFault]:
    """Find entries in the database that an anchor says were removed."""
    first = await session.scalar(select(func.min(AuditEntry.number)).where(AuditEntry.number <= begin.number))
    return [] if first is None else [ChainFault(first, "is there again, though an anchor stands for it")]


def _seal_faults(walk: _Walk, seal: Seal | None) -> list[ChainFault]:
    if seal is None:
        overdue = walk.began and walk.ended and walk.ended - walk.began > _SEAL_OVERDUE
        problem = (
            "there is no seal, though a running server makes one every minute: it was removed, or none ran"
        )
        return [ChainFault(walk.newest.number, problem)] if overdue else []
    if not seal.is_ours:
        problem = "is named by a seal that this server's key did not make: the seal or the key was changed"
        return [ChainFault(seal.link.number, problem)]
    return [_absent(walk, seal.link, "the server sealed", START)] if seal.link in walk.wanted else []


def _absent(walk: _Walk, link: Link, source: str, start: Link) -> ChainFault:
    newest = walk.newest.number
    if link.number <= start.number:
        problem = (
            f"is what {source}, but retention has removed it: prove it with the export that was made then"
        )
        return ChainFault(link.number, problem)
    if newest < link.number:
        missing = _entries(newest + 1, link.number)
        return ChainFault(newest + 1, f"{missing} missing at the end: {source} entry {link.number}")
    return ChainFault(
        link.number, f"is not the one that {source}: it, and perhaps all behind it, was written anew"
    )


def _entries(first: int, last: int) -> str:
    return f"entry {first} is" if first == last else f"entries {first} to {last} are"


def _original_number(row: Mapping[str, Any]) -> int | None:
    """Return the number an entry had when it was hashed, where it is whole but for its number; None where it is not."""
    here: int = row["number"]
    for distance in range(1, _SEARCHED_NUMBERS + 1):
        for candidate in (here - distance, here + distance):
            if candidate > 0 and entry_hash({**row, "number": candidate}) == row["hash"]:
                return candidate
    return None


async def _rows(
    session: AsyncSession, exported: Sequence[Mapping[str, Any]], begin: int
) -> AsyncIterator[Mapping[str, Any]]:
    for row in exported:
        if row["number"] <= begin:
            yield row
    after = begin
    columns = AuditEntry.__table__.columns
    while True:
        query = select(*columns).where(columns.number > after).order_by(columns.number).limit(_READ_ROWS)
        rows = (await session.execute(query)).mappings().all()
        for found in rows:
            yield dict(found)
        if len(rows) < _READ_ROWS:
            return
        after = rows[-1]["number"]
        await asyncio.sleep(0)
