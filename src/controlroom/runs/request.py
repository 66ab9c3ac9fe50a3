"""Asking for a run: the rights, the bot's version, the inputs and the target are checked, then all is written at once."""

import asyncio
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from controlroom.bots.file_inputs import FilePlace, file_places, names_files
from controlroom.bots.inputs import check_inputs
from controlroom.bots.lookup import manifest_of
from controlroom.bots.manifest import Manifest, RetryPolicy
from controlroom.bots.models import Bot, BotVersion
from controlroom.devices.models import Device, DeviceMode, DevicePool
from controlroom.devices.rights import is_seen, place_of_device
from controlroom.foundation.database import Transaction
from controlroom.foundation.errors import FieldError, Invalid
from controlroom.foundation.ids import new_id
from controlroom.identity.caller import Caller
from controlroom.identity.permissions import Permission
from controlroom.identity.places import PoolsAt
from controlroom.runs.errors import IdempotencyKeyReused, UnknownTarget
from controlroom.runs.input_files.binding import files_at, give_to_run
from controlroom.runs.models import Run
from controlroom.runs.schemas import RunIn
from controlroom.runs.states import State
from controlroom.runs.transitions import DISPATCH_TOPIC, announce


async def existing_run(session: AsyncSession, caller: Caller, wanted: RunIn) -> Run | None:
    """Return the run that the same request with the same idempotency key made before.

    Raises `IdempotencyKeyReused` where the key came with other inputs or another bot.
    """
    if wanted.idempotency_key is None:
        return None
    found = await session.scalar(
        select(Run).where(
            Run.requested_by_id == caller.user_id, Run.idempotency_key == wanted.idempotency_key
        )
    )
    if found is not None and not await _is_same(session, found, wanted):
        raise IdempotencyKeyReused(
            f"The idempotency key '{wanted.idempotency_key}' came before with another request, for run {found.id}; use a new key."
        )
    return found


async def _is_same(session: AsyncSession, run: Run, wanted: RunIn) -> bool:
    if wanted.bot not in (run.bot_id, run.bot_name) or wanted.version not in (None, run.version_number):
        return False
    manifest = manifest_of(await session.get_one(BotVersion, run.version_id))
    try:
        is_same_task = manifest.task(wanted.task).name == run.task
        return is_same_task and await checked_inputs(manifest, wanted) == run.inputs
    except Invalid:
        return False


async def checked_inputs(manifest: Manifest, wanted: RunIn) -> dict[str, Any]:
    """Return a request's inputs with the defaults filled in; raise `Invalid` with an error for each that does not fit.

    May take seconds with an odd schema, and is called before a transaction that others wait for.
    """
    schema = manifest.inputs_of(wanted.task)
    if not schema and not wanted.inputs:
        return {}
    return await asyncio.to_thread(check_inputs, schema, wanted.inputs)


async def places_of_files(manifest: Manifest, wanted: RunIn, inputs: dict[str, Any]) -> Sequence[FilePlace]:
    """Return where checked inputs name files, which most never do; called before a transaction, as `checked_inputs` is."""
    if not names_files(inputs):
        return ()
    return await asyncio.to_thread(file_places, manifest.inputs_of(wanted.task), inputs)


async def add_run(
    transaction: Transaction,
    caller: Caller,
    wanted: RunIn,
    version: tuple[Bot, BotVersion, Manifest],
    inputs: dict[str, Any],
    *,
    now: datetime,
    repeats_run_id: str | None = None,
    places: Sequence[FilePlace] = (),
) -> Run:
    """Write a queued run with its history, audit entry and event; raise `Invalid` that names each field that cannot stand.

    ``inputs`` are from `checked_inputs`, ``places`` where they name files, from `places_of_files`.
    """
    bot, bot_version, manifest = version
    session = transaction.session
    usable = usable_pools(caller)
    files = await files_at(session, caller, places, now=now, repeats_run_id=repeats_run_id)
    run = Run(
        id=new_id("run"),
        bot_id=bot.id,
        bot_name=bot.name,
        version_id=bot_version.id,
        version_number=bot_version.number,
        task=manifest.task(wanted.task).name,
        state=State.QUEUED,
        state_since=now,
        priority=wanted.priority,
        inputs=inputs,
        outputs={},
        requested_by_id=caller.user_id,
        requested_by=caller.user_name,
        reason=wanted.reason,
        idempotency_key=wanted.idempotency_key,
        target_device_id=await _device_id(session, caller, wanted.device),
        target_pool_id=await _pool_id(session, caller, wanted.pool),
        usable_pool_ids=None if usable is None else sorted(usable),
        labels=sorted({*manifest.labels, *wanted.labels}),
        timeout_seconds=wanted.timeout_seconds
        if wanted.timeout_seconds is not None
        else manifest.limits.timeout_seconds,
        retry=_retry(manifest, wanted),
        attempt_count=0,
        created_at=now,
        queued_at=now,
        not_before=now,
        cancel_requested_by="",
        message="",
        repeats_run_id=repeats_run_id,
    )
    session.add(run)
    if files:
        await give_to_run(session, run, files, now=now)
    announce(
        transaction,
        run,
        now=now,
        actor=caller.actor,
        message=wanted.reason,
        detail={"version": bot_version.number},
    )
    transaction.wake(DISPATCH_TOPIC)
    return run


def _retry(manifest: Manifest, wanted: RunIn) -> dict[str, Any]:
    policy = manifest.retry if wanted.retry is None else RetryPolicy(**wanted.retry.model_dump())
    return msgspec.structs.asdict(policy)


def usable_pools(caller: Caller) -> frozenset[str] | None:
    """Return the pools whose devices a caller may use, or None where they may use every device.

    Raises `Forbidden` for who may use none at all: their run would wait for ever.
    """
    caller.require(Permission.DEVICE_USE)
    places = caller.places_with(Permission.DEVICE_USE)
    return None if places is None else frozenset(place.value for place in places)


async def _device_id(session: AsyncSession, caller: Caller, reference: str | None) -> str | None:
    if reference is None:
        return None
    device = await session.scalar(select(Device).where((Device.id == reference) | (Device.name == reference)))
    at = None if device is None else await place_of_device(session, device.id)
    if device is None or device.mode is DeviceMode.REVOKED or not is_seen(caller, Permission.DEVICE_USE, at):
        message = f"There is no device '{reference}' that could take a run."
        raise UnknownTarget(message, fields=(FieldError("/device", message),))
    caller.require(Permission.DEVICE_USE, at)
    return device.id


async def _pool_id(session: AsyncSession, caller: Caller, reference: str | None) -> str | None:
    if reference is None:
        return None
    pool = await session.scalar(
        select(DevicePool.id).where((DevicePool.id == reference) | (DevicePool.name == reference))
    )
    at = None if pool is None else PoolsAt(frozenset({pool}))
    if pool is None or not is_seen(caller, Permission.DEVICE_USE, at):
        message = f"There is no device pool '{reference}'."
        raise UnknownTarget(message, fields=(FieldError("/pool", message),))
    caller.require(Permission.DEVICE_USE, at)
    return pool
