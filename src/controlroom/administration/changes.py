"""What one can do with settings: see them with where each came from, and change the few that may change at run time."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from controlroom.administration.changeable import CHANGEABLE, Changeable
from controlroom.administration.consequences import Consequence, NotConfirmed
from controlroom.audit.service import record
from controlroom.foundation.clock import Clock
from controlroom.foundation.database import Database, Transaction
from controlroom.foundation.errors import Conflict, ControlRoomError, NotFound
from controlroom.foundation.live_settings import ChangedSetting, LiveSettings, read_changed
from controlroom.foundation.outbox import emit
from controlroom.foundation.setting_sources import ReadSetting, Source, read_settings
from controlroom.foundation.settings import Settings
from controlroom.foundation.telemetry import logger
from controlroom.identity.caller import Caller
from controlroom.identity.permissions import Permission

log = logger("administration.settings")


@dataclass(frozen=True, slots=True)
class SettingView:
    """A setting as people see it: what was read at the start, and what was made of it since."""

    read: ReadSetting
    changeable: Changeable | None
    """None where it is only read at the start."""
    value: str
    """The value in use."""
    source: Source
    changed_at: datetime | None = None
    changed_by: str = ""
    revision: int = 0
    """Counts changes at run time, for ETags."""

    @property
    def name(self) -> str:
        """The setting's name."""
        return self.read.name


class LiveSettingsService:
    """Settings of one Control Room, as ``app.state.live_settings``; keeps the node's `LiveSettings` up to date.

    ``consequences`` say of some settings what a change would destroy.
    """

    def __init__(
        self,
        database: Database,
        clock: Clock,
        settings: Settings,
        live: LiveSettings,
        consequences: Mapping[str, Consequence] | None = None,
    ) -> None:
        self._database = database
        self._clock = clock
        self._settings = settings
        self._live = live
        self._consequences = consequences or {}

    async def all(self, caller: Caller) -> Sequence[SettingView]:
        """Return every setting, in the order in which they are declared."""
        caller.require_everywhere(Permission.SETTINGS_READ)
        read = await asyncio.to_thread(read_settings, self._settings)
        async with self._database.read() as session:
            rows = {row.name: row for row in await session.scalars(select(ChangedSetting))}
        return [_view(each, rows.get(each.name)) for each in read]

    async def get(self, caller: Caller, name: str) -> SettingView:
        """Return one setting; raise `NotFound` where there is none of this name."""
        found = next((each for each in await self.all(caller) if each.name == name), None)
        if found is None:
            raise NotFound(f"There is no setting '{name}'.")
        return found

    async def change(
        self,
        caller: Caller,
        name: str,
        value: int | None,
        *,
        check_revision: Callable[[int], None],
        is_confirmed: bool = False,
    ) -> SettingView:
        """Change a setting on every node, or with None put it back to what is read at the start.

        Raises `NotFound`, `Conflict` for one that is only read at the start, `Invalid` for a value that cannot stand,
        `Forbidden` without the right to it, `NotConfirmed` where it would destroy something and that is not
        ``is_confirmed``; ``check_revision`` may refuse the present revision.
        """
        before = await self.get(caller, name)
        if before.changeable is None:
            raise Conflict(
                f"'{name}' is read when the server starts: set {before.read.origin or 'it'} and start it anew."
            )
        caller.require_everywhere(before.changeable.permission)
        wanted = None if value is None else before.changeable.checked(value)
        check_revision(before.revision)
        if not is_confirmed:
            await self._require_harmless(before, wanted)
        try:
            async with self._database.write() as transaction:
                await self._write(transaction, caller, before, wanted, check_revision)
        except IntegrityError:
            raise Conflict(f"Someone changed '{name}' at the same moment; look at it again.") from None
        await self.bring_up_to_date()
        return await self.get(caller, name)

    async def _require_harmless(self, before: SettingView, wanted: int | None) -> None:
        consequence = self._consequences.get(before.name)
        if consequence is None:
            return
        value = int(before.read.value) if wanted is None else wanted
        lost = await consequence(int(before.value), value)
        if lost:
            raise NotConfirmed(f"{lost} Confirm that, or choose a longer time.")

    async def _write(
        self,
        transaction: Transaction,
        caller: Caller,
        before: SettingView,
        value: int | None,
        check_revision: Callable[[int], None],
    ) -> None:
        session, now, name = transaction.session, self._clock.now(), before.name
        row = await session.get(ChangedSetting, name, with_for_update=True)
        check_revision(row.revision if row else 0)
        if (row.value if row else None) == value:
            return
        old = before.read.value if row is None or row.value is None else str(row.value)
        if row is None:
            row = ChangedSetting(name=name, value=None, changed_at=now, changed_by="", revision=0)
            session.add(row)
        row.value, row.revision = value, row.revision + 1
        row.changed_at, row.changed_by = now, caller.user_name
        new = before.read.value if value is None else str(value)
        record(
            transaction,
            time=now,
            actor=caller.actor,
            action="setting.changed",
            target_kind="setting",
            target_id=name,
            target_name=name,
            detail={"value": [old, new], "put_back": value is None},
        )
        emit(transaction, time=now, kind="setting.changed", subject="", data={"name": name})
        await session.flush()

    async def bring_up_to_date(self) -> None:
        """Take over what is in the database now."""
        async with self._database.read() as session:
            changed = await read_changed(session)
        self._live.take(self._settings, changed)

    async def run_forever(self) -> None:
        """Take over what other nodes change, until cancelled; a database that is away only delays it."""
        while True:
            await asyncio.sleep(self._settings.sweep_seconds)
            try:
                await self.bring_up_to_date()
            except ControlRoomError as error:
                log.warning("settings.delayed", reason=error.detail)


def _view(read: ReadSetting, row: ChangedSetting | None) -> SettingView:
    changeable = CHANGEABLE.get(read.name)
    if row is None or changeable is None:
        return SettingView(read, changeable, read.value, read.source)
    is_changed = row.value is not None
    return SettingView(
        read,
        changeable,
        str(row.value) if is_changed else read.value,
        Source.RUN_TIME if is_changed else read.source,
        row.changed_at,
        row.changed_by,
        row.revision,
    )
