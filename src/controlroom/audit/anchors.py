"""Anchors: what stands for a stretch of entries that retention has removed, signed, so that the chain goes on from it."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from controlroom.audit.chain import START, Link
from controlroom.audit.models import AuditAnchor
from controlroom.audit.signing import Signer, is_signed

_FIRST_LINE = "controlroom-audit-anchor 1"


@dataclass(frozen=True, slots=True)
class Stretch:
    """Entries ``first`` to ``last.number``, ``count`` of them, behind the hash ``previous_hash``, of a span of time."""

    first: int
    last: Link
    count: int
    previous_hash: str
    began_at: datetime
    ended_at: datetime


@dataclass(frozen=True, slots=True)
class Anchor:
    """A removed stretch, when it was removed, and the signature over both."""

    stretch: Stretch
    made_at: datetime
    public_key: str
    signature: str

    @property
    def is_signed(self) -> bool:
        """Say whether the signature fits the anchor and the key that it names."""
        return is_signed(self.public_key, _signed_text(self.stretch, self.made_at), self.signature)


async def sign_anchor(signer: Signer, stretch: Stretch, made_at: datetime) -> AuditAnchor:
    """Return the row that stands for a stretch."""
    public_key, signature = await signer.sign(_signed_text(stretch, made_at))
    return AuditAnchor(
        first_number=stretch.first,
        last_number=stretch.last.number,
        count=stretch.count,
        previous_hash=stretch.previous_hash,
        hash=stretch.last.hash,
        began_at=stretch.began_at,
        ended_at=stretch.ended_at,
        made_at=made_at,
        public_key=public_key,
        signature=signature,
    )


async def read_anchors(session: AsyncSession) -> list[Anchor]:
    """Return every anchor, first to last."""
    rows = await session.scalars(select(AuditAnchor).order_by(AuditAnchor.first_number))
    return [
        Anchor(
            Stretch(
                row.first_number,
                Link(row.last_number, row.hash),
                row.count,
                row.previous_hash,
                row.began_at,
                row.ended_at,
            ),
            row.made_at,
            row.public_key,
            row.signature,
        )
        for row in rows
    ]


async def last_anchored(session: AsyncSession) -> Link:
    """Return the link at which what was kept begins; `START` where nothing was removed."""
    query = (
        select(AuditAnchor.last_number, AuditAnchor.hash).order_by(AuditAnchor.last_number.desc()).limit(1)
    )
    row = (await session.execute(query)).one_or_none()
    return Link(row.last_number, row.hash) if row else START


def anchor_problems(anchors: Sequence[Anchor], trusted_keys: Collection[str]) -> list[tuple[int, str]]:
    """Return what does not hold of the anchors, each with the number of its first entry.

    ``trusted_keys`` are the public keys that may have signed; where there are none, any key will do.
    """
    problems: list[tuple[int, str]] = []
    before = START
    for anchor in anchors:
        stretch = anchor.stretch
        first = stretch.first
        if not anchor.is_signed or stretch.count != stretch.last.number - first + 1:
            problems.append((first, "stands behind an anchor whose signature does not fit: it was changed"))
        elif trusted_keys and anchor.public_key not in trusted_keys:
            problems.append((first, "stands behind an anchor that another key than this server's has signed"))
        if Link(first - 1, stretch.previous_hash) != before:
            problems.append((first, "stands behind an anchor that does not follow the one before it"))
        before = stretch.last
    return problems


def _signed_text(stretch: Stretch, made_at: datetime) -> str:
    parts = (
        _FIRST_LINE,
        stretch.first,
        stretch.last.number,
        stretch.count,
        stretch.previous_hash,
        stretch.last.hash,
        stretch.began_at.astimezone(UTC).isoformat(),
        stretch.ended_at.astimezone(UTC).isoformat(),
        made_at.astimezone(UTC).isoformat(),
    )
    return "\n".join(str(part) for part in parts) + "\n"
