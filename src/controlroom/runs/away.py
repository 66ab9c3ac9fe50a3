"""Which devices would fit a waiting run but take no work at the moment, in words."""

from collections.abc import Iterable
from dataclasses import dataclass

from controlroom.runs.matching import Board, OpenDevice, WaitingRun, may_use, takes_files_of


@dataclass(frozen=True, slots=True)
class AwayDevice:
    """A device that takes no work now, or a ``count`` of them that are alike: offline, or told to take none."""

    id: str
    labels: frozenset[str]
    pools: frozenset[str]
    is_offline: bool
    count: int = 1
    takes_files: bool = True


def away_words(run: WaitingRun, board: Board, away: Iterable[AwayDevice]) -> str:
    """Say how many devices would fit if they took work; empty where one that takes work fits, or none would."""
    if any(_fits(run, device) for device in board.devices):
        return ""
    fitting = [device for device in away if _fits(run, device)]
    offline = sum(device.count for device in fitting if device.is_offline)
    closed = sum(device.count for device in fitting) - offline
    parts = []
    if offline:
        parts.append(f"{_devices(offline)} would fit but {'is' if offline == 1 else 'are'} offline")
    if closed:
        parts.append(f"{_devices(closed)} would fit but {'takes' if closed == 1 else 'take'} no new work")
    return "; ".join(parts)


def _devices(count: int) -> str:
    return f"{count:,} device{'' if count == 1 else 's'}"


def _fits(run: WaitingRun, device: OpenDevice | AwayDevice) -> bool:
    return (
        (run.device_id is None or run.device_id == device.id)
        and (run.pool_id is None or run.pool_id in device.pools)
        and run.labels <= device.labels
        and takes_files_of(run, device.takes_files)
        and may_use(run, device.pools)
    )
