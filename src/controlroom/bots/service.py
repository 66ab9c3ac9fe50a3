"""What one can do with bots: publish, look up, compare, roll back, retire, edit. Owns transactions and audit entries."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from controlroom.bots.archive import PackageLimits, trusted_package
from controlroom.bots.check import CheckReport
from controlroom.bots.compare import Comparison, compare_packages
from controlroom.bots.errors import CurrentVersionKept, UploadTooLarge, VersionRetired
from controlroom.bots.folders import Folder, list_folders, move_folder
from controlroom.bots.lookup import (
    BOT_GRAMMAR,
    VERSION_GRAMMAR,
    current_version,
    find_version,
)
from controlroom.bots.models import Bot, BotVersion
from controlroom.bots.names import bot_name, folder_path
from controlroom.bots.publishing import (
    Publication,
    Published,
    declared_name,
    note_change,
    plain_text,
    store,
    touch,
)
from controlroom.bots.rights import bot_for, bots_for
from controlroom.bots.upload import received
from controlroom.foundation.blobs import BlobStore
from controlroom.foundation.clock import Clock
from controlroom.foundation.database import Database
from controlroom.foundation.errors import Conflict, FieldError
from controlroom.foundation.paging import Page, PageRequest, fetch_page
from controlroom.foundation.settings import Settings
from controlroom.identity.caller import Caller
from controlroom.identity.permissions import Permission
from controlroom.identity.places import FolderAt

_MEBIBYTE = 1024 * 1024
_CHECKS_AT_ONCE = 2
"""A check unpacks and parses a whole package; more at once would take the machine from the rest of the server."""
_LONGEST_TEXT = 2000
_ATTEMPTS = 3
"""Two first publishes of one name may meet; the later one then finds the bot that the earlier one made."""


@dataclass(frozen=True, slots=True)
class BotView:
    """A bot with the version that is run where none is named."""

    bot: Bot
    current: BotVersion | None


@dataclass(frozen=True, slots=True)
class Edit:
    """What to change of a bot; what is None stays. ``most_at_once`` of 0 takes the limit away."""

    description: str | None = None
    folder: str | None = None
    most_at_once: int | None = None


class BotService:
    """Bots and their versions."""

    def __init__(self, database: Database, blobs: BlobStore, clock: Clock, settings: Settings) -> None:
        self._database = database
        self._blobs = blobs
        self._clock = clock
        self._uploads = Path(settings.data_folder) / "uploads"
        self.limits = PackageLimits(packed_bytes=settings.package_limit_mb * _MEBIBYTE)
        self._checks = asyncio.Semaphore(_CHECKS_AT_ONCE)

    async def publish(
        self,
        caller: Caller,
        chunks: AsyncIterator[bytes],
        *,
        name: str = "",
        folder: str = "",
        note: str = "",
        make_current: bool = True,
        expected_sha256: str | None = None,
        size_bytes: int | None = None,
    ) -> Published:
        """Publish a package, the chunks of a zip; the bot is made by its first version.

        ``name`` goes before the one that the package declares, ``folder`` is needed only where several folders hold
        that name. Content that the bot has already is the version it was; nothing changes then. The first version is
        always made the current one. Raises `PackageRefused`, `UploadTooLarge`, `DeclarationInvalid`, `NameInvalid`,
        `AmbiguousBot`.
        """
        caller.require(Permission.BOT_PUBLISH)
        name = bot_name(name) if name else ""
        folder = folder_path(folder) if folder else ""
        note = plain_text(note, "/note")
        if size_bytes is not None and size_bytes > self.limits.packed_bytes:
            raise UploadTooLarge(
                f"The package has {size_bytes:,} bytes; this server takes at most {self.limits.packed_bytes:,}."
            )
        async with received(
            chunks,
            folder=self._uploads,
            limits=self.limits,
            checks=self._checks,
            expected_sha256=expected_sha256,
            suggested_name=name,
        ) as package:
            publication = Publication(package, name or declared_name(package), folder, note, make_current)
            await self._blobs.put(
                package.chunks(), limit_bytes=self.limits.packed_bytes, expected_sha256=package.facts.sha256
            )
            for _ in range(_ATTEMPTS):
                try:
                    async with self._database.write() as transaction:
                        return await store(transaction, self._clock.now(), caller, publication)
                except IntegrityError:  # another first publish of this name came between
                    continue
        raise Conflict("Others publish this bot at the same time; publish it again.")

    async def check(self, caller: Caller, chunks: AsyncIterator[bytes]) -> CheckReport:
        """Check a package, the chunks of a zip, as `publish` would, and keep nothing of it.

        Raises `PackageRefused` and `UploadTooLarge`; what the package's own files get wrong is in the report.
        """
        caller.require(Permission.BOT_PUBLISH)
        async with received(chunks, folder=self._uploads, limits=self.limits, checks=self._checks) as package:
            return package.report

    async def list_bots(self, caller: Caller, request: PageRequest) -> Page[BotView]:
        """Return a page of bots; see `lookup.BOT_GRAMMAR`."""
        caller.require(Permission.BOT_READ)
        query = select(Bot).where(*bots_for(caller, Permission.BOT_READ))
        async with self._database.read() as session:
            page: Page[Bot] = await fetch_page(session, query, BOT_GRAMMAR, request)
            views = await _with_current(session, page.items)
            return Page(views, page.next_cursor)

    async def get_bot(self, caller: Caller, reference: str) -> BotView:
        """Return a bot by id or name; raise `NoSuchBot` or `AmbiguousBot`."""
        async with self._database.read() as session:
            bot = await bot_for(session, caller, Permission.BOT_READ, reference)
            return BotView(bot, await current_version(session, bot))

    async def folders(self, caller: Caller) -> list[Folder]:
        """Return the tree of folders that the caller may see; see `folders.list_folders`."""
        async with self._database.read() as session:
            return await list_folders(session, caller)

    async def move_folder(self, caller: Caller, path: str, to: str) -> int:
        """Move a folder with all that is in it; see `folders.move_folder`."""
        async with self._database.write() as transaction:
            return await move_folder(transaction, caller, path, to, now=self._clock.now())

    async def list_versions(
        self, caller: Caller, reference: str, request: PageRequest
    ) -> tuple[Bot, Page[BotVersion]]:
        """Return a bot and a page of its versions; see `lookup.VERSION_GRAMMAR`."""
        async with self._database.read() as session:
            bot = await bot_for(session, caller, Permission.BOT_READ, reference)
            query = select(BotVersion).where(BotVersion.bot_id == bot.id)
            return bot, await fetch_page(session, query, VERSION_GRAMMAR, request)

    async def get_version(self, caller: Caller, reference: str, number: int) -> tuple[Bot, BotVersion]:
        """Return a version by its bot and number; raise `NoSuchVersion`."""
        async with self._database.read() as session:
            bot = await bot_for(session, caller, Permission.BOT_READ, reference)
            return bot, await find_version(session, bot, number)

    async def package_path(self, caller: Caller, reference: str, number: int) -> tuple[Bot, BotVersion, Path]:
        """Return a version and where its zip lies, for a download; raise `NotFound` where the file is gone."""
        bot, version = await self.get_version(caller, reference, number)
        return bot, version, await self._blobs.verified_path(version.sha256)

    async def compare(self, caller: Caller, reference: str, before: int, after: int) -> Comparison:
        """Compare two versions of a bot, file by file."""
        async with self._database.read() as session:
            bot = await bot_for(session, caller, Permission.BOT_READ, reference)
            versions = [await find_version(session, bot, number) for number in (before, after)]
        paths = [await self._blobs.verified_path(version.sha256) for version in versions]
        return await asyncio.to_thread(_compared, *paths)

    async def set_current(self, caller: Caller, reference: str, number: int) -> BotView:
        """Make a version the current one, back or forth; raise `VersionRetired` for a retired one."""
        now = self._clock.now()
        async with self._database.write() as transaction:
            bot = await bot_for(transaction.session, caller, Permission.BOT_MANAGE, reference, lock=True)
            version = await find_version(transaction.session, bot, number)
            if version.retired_at is not None:
                raise VersionRetired(f"Version {number} is retired; take it back into use first.")
            if bot.current_version_id != version.id:
                before = await current_version(transaction.session, bot)
                bot.current_version_id = version.id
                touch(bot, now)
                detail = {"version": number, "before": before.number if before else None}
                note_change(transaction, now, caller, "bot.current_changed", bot, detail)
            return BotView(bot, version)

    async def retire(self, caller: Caller, reference: str, number: int) -> tuple[Bot, BotVersion]:
        """Keep a version from being run; raise `CurrentVersionKept` for the current one."""
        return await self._set_retired(caller, reference, number, retired=True)

    async def unretire(self, caller: Caller, reference: str, number: int) -> tuple[Bot, BotVersion]:
        """Take a retired version back into use."""
        return await self._set_retired(caller, reference, number, retired=False)

    async def _set_retired(
        self, caller: Caller, reference: str, number: int, *, retired: bool
    ) -> tuple[Bot, BotVersion]:
        now = self._clock.now()
        async with self._database.write() as transaction:
            bot = await bot_for(transaction.session, caller, Permission.BOT_MANAGE, reference, lock=True)
            version = await find_version(transaction.session, bot, number)
            if retired and bot.current_version_id == version.id:
                raise CurrentVersionKept(
                    f"Version {number} is the current one of '{bot.name}'; make another version current first."
                )
            if retired is (version.retired_at is None):
                version.retired_at = now if retired else None
                action = "bot.version_retired" if retired else "bot.version_unretired"
                note_change(transaction, now, caller, action, bot, {"version": number})
            return bot, version

    async def edit(
        self, caller: Caller, reference: str, edit: Edit, *, check_revision: Callable[[int], None]
    ) -> BotView:
        """Change a bot's description, folder or limit.

        ``check_revision`` gets the present revision inside the transaction and raises where the edit was made from
        another one. Raises `Conflict` where the folder has a bot of that name.
        """
        changes, now = _changes(edit), self._clock.now()
        async with self._database.write() as transaction:
            session = transaction.session
            bot = await bot_for(session, caller, Permission.BOT_MANAGE, reference, lock=True)
            check_revision(bot.revision)
            changed = {name: value for name, value in changes.items() if getattr(bot, name) != value}
            if "folder" in changed:
                caller.require(Permission.BOT_MANAGE, FolderAt(changed["folder"]))
                await _require_free(session, changed["folder"], bot.name)
            if changed:
                before = {name: getattr(bot, name) for name in changed}
                for name, value in changed.items():
                    setattr(bot, name, value)
                touch(bot, now)
                note_change(transaction, now, caller, "bot.edited", bot, {"before": before, "after": changed})
            return BotView(bot, await current_version(session, bot))


def _changes(edit: Edit) -> dict[str, Any]:
    changes: dict[str, Any] = {}
    if edit.description is not None:
        changes["description"] = plain_text(edit.description, "/description")
    if edit.folder is not None:
        changes["folder"] = folder_path(edit.folder)
    if edit.most_at_once is not None:
        changes["most_at_once"] = edit.most_at_once or None
    return changes


async def _require_free(session: AsyncSession, folder: str, name: str) -> None:
    if await session.scalar(select(Bot.id).where(Bot.folder == folder, Bot.name == name)) is not None:
        message = f"the folder {folder} has a bot named '{name}' already"
        raise Conflict(f"The bot cannot be moved: {message}.", fields=(FieldError("/folder", message),))


async def _with_current(session: AsyncSession, bots: Sequence[Bot]) -> list[BotView]:
    wanted = [bot.current_version_id for bot in bots if bot.current_version_id]
    found = await session.scalars(select(BotVersion).where(BotVersion.id.in_(wanted)))
    versions = {version.id: version for version in found}
    return [BotView(bot, versions.get(bot.current_version_id or "")) for bot in bots]


def _compared(before: Path, after: Path) -> Comparison:
    with trusted_package(before) as old, trusted_package(after) as new:
        return compare_packages(old, new)
