"""Checks of what moves work along: messages, cache, dispatcher, runners."""

from datetime import timedelta

from sqlalchemy import func, select

from controlroom.administration.components import CheckedParts, ComponentCheck, ComponentState, Finding
from controlroom.devices.models import Device, DeviceMode
from controlroom.foundation.ids import new_id
from controlroom.runs.models import Attempt, Run, attempt_is_active
from controlroom.runs.states import State

_WAKE_SECONDS = 2.0
_LONG_WAIT = timedelta(hours=1)
_OVERDUE_SWEEPS = 6
_SHOWN_NAMES = 5


async def bus(parts: CheckedParts) -> Finding:
    """Send a wake and wait for it to come back."""
    topic = f"health.{new_id('hlt')}"
    async with parts.bus.subscribe(topic) as subscription:
        await parts.bus.wake([topic])
        woken = await subscription.wait(_WAKE_SECONDS)
    kind = type(parts.bus).__name__.removesuffix("Bus").lower()
    if topic not in woken:
        return Finding(ComponentState.FAILING, f"A message by {kind} did not come back.", _BUS_ADVICE)
    where = "within this process, which is enough for one node" if kind == "memory" else f"by {kind}"
    return Finding(ComponentState.OK, f"Messages go {where}.")


async def cache(parts: CheckedParts) -> Finding:
    """Keep a value, read it again, forget it."""
    key = f"health:{new_id('hlt')}"
    await parts.cache.set(key, b"health", 10)
    kept = await parts.cache.get(key)
    await parts.cache.delete(key)
    kind = type(parts.cache).__name__.removesuffix("Cache").lower()
    if kept != b"health":
        return Finding(ComponentState.FAILING, f"What {kind} was to remember is gone.", _CACHE_ADVICE)
    where = "in this process, which is enough for one node" if kind == "memory" else f"in {kind}"
    return Finding(ComponentState.OK, f"What may be forgotten is kept {where}.")


async def dispatcher(parts: CheckedParts) -> Finding:
    """Look for attempts whose lease ended and that nobody has ended, and for runs that have waited for long."""
    now = parts.clock.now()
    late = now - timedelta(
        seconds=parts.settings.lease_seconds + _OVERDUE_SWEEPS * parts.settings.sweep_seconds
    )
    overdue = select(func.count()).where(attempt_is_active(), Attempt.lease_expires_at < late)
    due = (Run.state == State.QUEUED, Run.not_before <= now)
    async with parts.database.read() as session:
        forgotten = await session.scalar(overdue) or 0
        waiting, oldest = (
            await session.execute(select(func.count(), func.min(Run.queued_at)).where(*due))
        ).one()
    if forgotten:
        return Finding(
            ComponentState.FAILING,
            f"{forgotten:,} attempts should have been ended as lost and were not.",
            "Start the server anew and look at its log for 'sweep.delayed'.",
        )
    if not waiting:
        return Finding(ComponentState.OK, "No run waits that could begin now.")
    words = f"{waiting:,} runs wait, the oldest since {oldest:%Y-%m-%d %H:%M} UTC."
    if now - oldest > _LONG_WAIT:
        return Finding(
            ComponentState.WARNING,
            words,
            "Open the oldest under Activity, state queued: its page says why it waits.",
        )
    return Finding(ComponentState.OK, words)


async def runners(parts: CheckedParts) -> Finding:
    """Count the devices that should be there and are not."""
    active = Device.mode == DeviceMode.ACTIVE
    missing = select(Device.name).where(active, Device.connected_at.is_(None)).order_by(Device.name)
    async with parts.database.read() as session:
        online = await session.scalar(select(func.count()).where(Device.connected_at.is_not(None))) or 0
        away = await session.scalar(select(func.count()).where(active, Device.connected_at.is_(None))) or 0
        names = (await session.scalars(missing.limit(_SHOWN_NAMES))).all()
    if not online and not away:
        return Finding(
            ComponentState.OFF,
            "No machine has joined yet.",
            "Join one under Devices; bots need one to run on.",
        )
    if not away:
        return Finding(ComponentState.OK, f"Connected: {online:,}. None is missing.")
    more = "" if away <= _SHOWN_NAMES else f" and {away - _SHOWN_NAMES:,} more"
    return Finding(
        ComponentState.WARNING,
        f"Connected: {online:,}. Missing: {away:,}, {', '.join(names)}{more}.",
        "Look whether the machine is on, whether 'controlroom runner start' runs there, and whether it reaches this server. "
        "Disable a device that is not to come back.",
    )


_BUS_ADVICE = "Look whether the message server runs. Until then nodes notice each other's changes only every few seconds; nothing is lost."
_CACHE_ADVICE = (
    "Look whether the cache server runs. Until then sign-ins cannot be slowed down against guessing."
)

CHECKS = (
    ComponentCheck("bus", "Messages", bus, _BUS_ADVICE),
    ComponentCheck("cache", "Cache", cache, _CACHE_ADVICE),
    ComponentCheck("dispatcher", "Dispatcher", dispatcher, "Mend the database first."),
    ComponentCheck("runners", "Bot Runners", runners, "Mend the database first."),
)
