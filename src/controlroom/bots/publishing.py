"""Writes a checked package down as a version of its bot, with its audit entry and its event."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import select

from controlroom.audit import service as audit
from controlroom.bots.check import Finding, require_passed
from controlroom.bots.errors import NameInvalid
from controlroom.bots.lookup import BOT_PREFIX, VERSION_PREFIX, current_version
from controlroom.bots.manifest import Manifest
from controlroom.bots.models import Bot, BotVersion
from controlroom.bots.names import bot_name
from controlroom.bots.rights import bot_for, bots_for
from controlroom.bots.upload import ReceivedPackage
from controlroom.foundation import outbox
from controlroom.foundation.database import Transaction
from controlroom.foundation.errors import FieldError, Forbidden, Invalid
from controlroom.foundation.ids import new_id
from controlroom.identity.caller import Caller
from controlroom.identity.permissions import Permission
from controlroom.identity.places import FolderAt

LONGEST_TEXT = 2000


@dataclass(frozen=True, slots=True)
class Publication:
    """A package that is to become a version, and what its publisher said of it; ``folder`` may be empty."""

    package: ReceivedPackage
    name: str
    folder: str
    note: str
    make_current: bool


@dataclass(frozen=True, slots=True)
class Published:
    """What came of publishing: ``created`` is False where the bot had the same content before."""

    bot: Bot
    version: BotVersion
    current: BotVersion
    """The bot's current version, the published one or another."""
    created: bool
    warnings: tuple[Finding, ...]


def declared_name(package: ReceivedPackage) -> str:
    """Return the name that a package declares; raise `NameInvalid` where it declares none."""
    name = require_passed(package.report).name
    if not name:
        message = "The package does not say the bot's name; give one with it."
        raise NameInvalid(message, fields=(FieldError("/name", message),))
    return bot_name(name)


async def store(
    transaction: Transaction, now: datetime, caller: Caller, publication: Publication
) -> Published:
    """Add the version to its bot, which is made where there is none; the same content is the version it was.

    Raises `DeclarationInvalid` for a package that did not pass its check, `AmbiguousBot` for a name that several
    folders hold, and lets `IntegrityError` through where another first publish of the name was quicker.
    """
    package, session = publication.package, transaction.session
    manifest = require_passed(package.report)
    bot = await _bot_of(transaction, now, caller, publication, manifest)
    known = await session.scalar(
        select(BotVersion).where(BotVersion.bot_id == bot.id, BotVersion.sha256 == package.facts.sha256)
    )
    if known is not None:
        current = await current_version(session, bot) or known
        return Published(bot, known, current, False, package.report.warnings)
    version = _next_version(bot, now, caller, publication, manifest)
    session.add(version)
    before = await current_version(session, bot)
    current = version if publication.make_current or before is None else before
    bot.current_version_id = current.id
    touch(bot, now)
    detail = {
        "version": version.number,
        "sha256": version.sha256,
        "format": version.format,
        "current": current is version,
    }
    note_change(transaction, now, caller, "bot.published", bot, detail)
    return Published(bot, version, current, True, package.report.warnings)


async def _bot_of(
    transaction: Transaction, now: datetime, caller: Caller, publication: Publication, manifest: Manifest
) -> Bot:
    session, name, folder = transaction.session, publication.name, publication.folder
    seen = bots_for(caller, Permission.BOT_READ, Permission.BOT_PUBLISH)
    query = select(Bot.id).where(Bot.name == name, *seen)
    if folder:
        query = query.where(Bot.folder == folder)
    if await session.scalar(query.limit(1)) is not None:
        reference = f"{folder.rstrip('/')}/{name}" if folder else name
        return await bot_for(session, caller, Permission.BOT_PUBLISH, reference, lock=True)
    _require_folder(caller, folder)
    bot = Bot(
        id=new_id(BOT_PREFIX),
        name=name,
        folder=folder or "/",
        description=manifest.description,
        latest_number=0,
        created_at=now,
        updated_at=now,
        revision=0,
    )
    session.add(bot)
    await session.flush()
    note_change(transaction, now, caller, "bot.created", bot, {"folder": bot.folder})
    return bot


def _require_folder(caller: Caller, folder: str) -> None:
    """Raise `Forbidden` where the caller may not make a bot in a folder, with what to do where they named none."""
    if not folder and not caller.may(Permission.BOT_PUBLISH, FolderAt("/")):
        raise Forbidden(
            f"{caller.user_name} may not make a bot in the folder '/'; say in which folder to make it."
        )
    caller.require(Permission.BOT_PUBLISH, FolderAt(folder or "/"))


def _next_version(
    bot: Bot, now: datetime, caller: Caller, publication: Publication, manifest: Manifest
) -> BotVersion:
    bot.latest_number += 1
    return BotVersion(
        id=new_id(VERSION_PREFIX),
        bot_id=bot.id,
        number=bot.latest_number,
        sha256=publication.package.facts.sha256,
        size_bytes=publication.package.facts.size_bytes,
        format=manifest.format,
        manifest=msgspec.to_builtins(manifest),
        note=publication.note,
        published_at=now,
        published_by=caller.actor.name,
    )


def touch(bot: Bot, now: datetime) -> None:
    """Count a change of a bot."""
    bot.revision += 1
    bot.updated_at = now


def note_change(
    transaction: Transaction,
    now: datetime,
    caller: Caller,
    action: str,
    bot: Bot,
    detail: Mapping[str, Any],
) -> None:
    """Add the audit entry and the event of one change, of the same name, to the transaction."""
    audit.record(
        transaction,
        time=now,
        actor=caller.actor,
        action=action,
        target_kind="bot",
        target_id=bot.id,
        target_name=bot.name,
        detail=detail,
    )
    outbox.emit(transaction, time=now, kind=action, subject=bot.id, data={"name": bot.name, **detail})


def plain_text(text: str, pointer: str) -> str:
    """Return text of a person, trimmed; raise `Invalid` where it is too long or cannot be stored."""
    plain = text.strip()
    if len(plain) > LONGEST_TEXT or "\0" in plain:
        message = f"must be text of at most {LONGEST_TEXT} characters"
        raise Invalid(f"The {pointer[1:]} {message}.", fields=(FieldError(pointer, message),))
    return plain
