"""Checkpoints: the newest link of the chain, signed, as a small document to keep where the server's people cannot change it.

Whoever has the document and the public key can say later whether the log still holds the entry, and so all before it.
"""

import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from controlroom.audit.actor import Actor
from controlroom.audit.chain import Link, lock_chain, newest_link
from controlroom.audit.errors import CheckpointUnreadable, LogIsEmpty
from controlroom.audit.models import AuditCheckpoint
from controlroom.audit.record import record
from controlroom.audit.signing import Signer, is_signed
from controlroom.foundation.database import Transaction

KIND = "controlroom-audit-checkpoint"
_VERSION = 1
_HASH = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A link of the chain at a time, signed with the key whose public half is ``public_key`` (base64)."""

    link: Link
    time: datetime
    public_key: str
    signature: str

    @property
    def is_signed(self) -> bool:
        """Say whether the signature fits the checkpoint and the key that it names."""
        return is_signed(self.public_key, _signed_text(self.link, self.time), self.signature)

    def document(self) -> dict[str, Any]:
        """Return what is kept elsewhere, as JSON values."""
        return {
            "kind": KIND,
            "version": _VERSION,
            "number": self.link.number,
            "hash": self.link.hash,
            "time": self.time.astimezone(UTC).isoformat(),
            "public_key": self.public_key,
            "signature": self.signature,
        }


def read_checkpoint(text: str) -> Checkpoint:
    """Read a checkpoint's document; raise `CheckpointUnreadable` for one that is none. The signature is not checked."""
    try:
        document = json.loads(text)
        if document["kind"] != KIND or document["version"] != _VERSION:
            raise CheckpointUnreadable("This is no checkpoint of an audit log, or one of a newer version.")
        number, link_hash = int(document["number"]), str(document["hash"])
        moment = datetime.fromisoformat(document["time"])
        if number < 1 or not _HASH.fullmatch(link_hash) or moment.tzinfo is None:
            raise CheckpointUnreadable("The checkpoint's number, hash or time is none.")
        return Checkpoint(
            Link(number, link_hash), moment, str(document["public_key"]), str(document["signature"])
        )
    except (ValueError, KeyError, TypeError):
        raise CheckpointUnreadable(
            "This is no checkpoint: 'controlroom audit checkpoint' writes one as a JSON document."
        ) from None


async def make_checkpoint(
    transaction: Transaction, signer: Signer, *, actor: Actor, time: datetime
) -> Checkpoint:
    """Sign the newest link and write down that it was; raise `LogIsEmpty` where there is none."""
    await lock_chain(transaction.session)
    head = await newest_link(transaction.session)
    if head.number == 0:
        raise LogIsEmpty("The log is empty; there is nothing to vouch for yet.")
    public_key, signature = await signer.sign(_signed_text(head, time))
    await transaction.session.merge(
        AuditCheckpoint(
            number=head.number, hash=head.hash, time=time, public_key=public_key, signature=signature
        )
    )
    record(
        transaction, time=time, actor=actor, action="audit.checkpoint_made", target_kind="audit", target_id=str(head.number),
        detail={"number": head.number, "hash": head.hash},
    )  # fmt: skip
    return Checkpoint(head, time, public_key, signature)


async def newest_checkpoint(session: AsyncSession) -> Checkpoint | None:
    """Return the checkpoint that was handed out last, None where none was."""
    row = await session.scalar(select(AuditCheckpoint).order_by(AuditCheckpoint.number.desc()).limit(1))
    if row is None:
        return None
    return Checkpoint(Link(row.number, row.hash), row.time, row.public_key, row.signature)


def _signed_text(link: Link, time: datetime) -> str:
    return f"{KIND} {_VERSION}\n{link.number}\n{link.hash}\n{time.astimezone(UTC).isoformat()}\n"
