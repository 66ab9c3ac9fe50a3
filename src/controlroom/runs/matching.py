"""Which waiting run goes to which device, and why a run waits. Decided by values alone."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class WaitingRun:
    """A run that could start now, as far as time goes."""

    id: str
    bot_id: str
    bot_most_at_once: int | None
    labels: frozenset[str]
    device_id: str | None = None
    pool_id: str | None = None
    usable_pools: frozenset[str] | None = None
    """The pools whose devices whoever asked for it may use; None is every device, in a pool or in none."""
    asked_by: str = ""
    has_files: bool = False


@dataclass(slots=True)
class OpenDevice:
    """A connected device that takes work. ``free`` is how many slots are left.

    Where nothing is matched but a wait explained, it may stand for a ``count`` of devices that are alike.
    """

    id: str
    name: str
    labels: frozenset[str]
    pools: frozenset[str]
    slots: int
    free: int
    count: int = 1
    takes_files: bool = True
    """Whether its runner fetches the files of a run; see `protocol.FILES_PROTOCOL_VERSION`."""


@dataclass(frozen=True, slots=True)
class PoolRule:
    """How a pool is shared and filled: its bots take turns or not, its devices have ranks or are equal."""

    takes_turns: bool = False
    ranks: Mapping[str, int] = field(default_factory=dict)
    """Where each device stands, by its id; empty where the emptiest is taken."""


@dataclass(frozen=True, slots=True)
class Pairing:
    """A run and the device it goes to."""

    run_id: str
    device_id: str


@dataclass(slots=True)
class Board:
    """What matching needs to know: the devices that take work and how many runs each bot has at the moment."""

    devices: Sequence[OpenDevice]
    active_by_bot: Counter[str] = field(default_factory=Counter)
    pools: Mapping[str, PoolRule] = field(default_factory=dict)
    active_in_pool: Counter[tuple[str, str]] = field(default_factory=Counter)
    """Runs that hold slots, by the pool that they were asked for and their bot; counted where bots take turns."""

    @property
    def is_full(self) -> bool:
        """Say whether no device has a free slot."""
        return all(device.free <= 0 for device in self.devices)


def match(runs: Iterable[WaitingRun], board: Board) -> list[Pairing]:
    """Pair runs, in their order, with devices; the board is updated as it fills.

    Of the devices that fit, the one with the largest share of free slots is taken, then the one with the fewest
    labels, so that special machines stay free for those who need them. A pool may have its devices in an order of their
    own instead, and may let its bots take turns.
    """
    pairings: list[Pairing] = []
    for run in take_turns(list(runs), board):
        if board.is_full:
            break
        if _bot_is_full(run, board.active_by_bot):
            continue
        fitting = [device for device in board.devices if device.free > 0 and _fits(run, device)]
        if not fitting:
            continue
        chosen = _choose(fitting, board.pools.get(run.pool_id or "", _PLAIN))
        chosen.free -= 1
        board.active_by_bot[run.bot_id] += 1
        board.active_in_pool[run.pool_id or "", run.bot_id] += 1
        pairings.append(Pairing(run.id, chosen.id))
    return pairings


def take_turns(runs: Sequence[WaitingRun], board: Board) -> list[WaitingRun]:
    """Return runs with those of each pool whose bots take turns put in turn; all others keep their places.

    A run's turn is how many runs of its bot hold slots in the pool or stand before it: the bot with the fewest comes
    first, and among equals the old order counts.
    """
    ordered = list(runs)
    for pool_id, rule in board.pools.items():
        places = (
            [index for index, run in enumerate(runs) if run.pool_id == pool_id] if rule.takes_turns else []
        )
        seen: Counter[str] = Counter()
        turns: list[tuple[int, int]] = []
        for index in places:
            bot_id = runs[index].bot_id
            turns.append((board.active_in_pool[pool_id, bot_id] + seen[bot_id], index))
            seen[bot_id] += 1
        for place, (_, index) in zip(places, sorted(turns), strict=True):
            ordered[place] = runs[index]
    return ordered


_PLAIN = PoolRule()
_MOST_POOLS_NAMED = 3


def _choose(fitting: Sequence[OpenDevice], rule: PoolRule) -> OpenDevice:
    if rule.ranks:
        return min(fitting, key=lambda device: (rule.ranks.get(device.id, len(rule.ranks)), device.id))
    return max(fitting, key=lambda device: (device.free / device.slots, -len(device.labels), device.id))


def explain_wait(run: WaitingRun, board: Board, names: Mapping[str, str]) -> str:
    """Say in one sentence why a run is not assigned. ``names`` gives the names of devices and pools by id."""
    if _bot_is_full(run, board.active_by_bot):
        return f"{run.bot_most_at_once} run(s) of this bot are allowed at once, and as many are active."
    if run.device_id is not None and all(device.id != run.device_id for device in board.devices):
        return f"It is meant for device '{names.get(run.device_id, run.device_id)}', which is not connected or takes no work."
    in_pool = [device for device in board.devices if run.pool_id is None or run.pool_id in device.pools]
    if not in_pool and run.pool_id is not None:
        return f"No device of pool '{names.get(run.pool_id, run.pool_id)}' is connected."
    if not board.devices:
        return "No device is connected."
    missing = [label for label in sorted(run.labels) if all(label not in device.labels for device in in_pool)]
    if missing:
        return f"It needs label '{missing[0]}': no connected device has it."
    suiting = [device for device in board.devices if _suits(run, device)]
    if not suiting:
        return (
            f"It needs the labels {', '.join(sorted(run.labels))} together: no connected device has them all."
        )
    able = [device for device in suiting if takes_files_of(run, device.takes_files)]
    if not able:
        return _too_old_for_files(suiting)
    fitting = [device for device in able if may_use(run, device.pools)]
    if not fitting:
        return _not_usable(run, able, names)
    if all(device.free <= 0 for device in fitting):
        return f"All {sum(device.slots for device in fitting)} slot(s) of the {sum(device.count for device in fitting)} device(s) that fit are taken."
    return "It is about to be assigned."


def _bot_is_full(run: WaitingRun, active_by_bot: Mapping[str, int]) -> bool:
    return run.bot_most_at_once is not None and active_by_bot.get(run.bot_id, 0) >= run.bot_most_at_once


def may_use(run: WaitingRun, pools: frozenset[str]) -> bool:
    """Say whether whoever asked for a run may use a device that is in these pools."""
    return run.usable_pools is None or not run.usable_pools.isdisjoint(pools)


def takes_files_of(run: WaitingRun, takes_files: bool) -> bool:
    """Say whether a run has no files, or its device's runner takes them."""
    return takes_files or not run.has_files


def _too_old_for_files(suiting: Sequence[OpenDevice]) -> str:
    count = sum(device.count for device in suiting)
    which = "the device that fits" if count == 1 else f"any of the {count:,} devices that fit"
    return f"It has files, and the Bot Runner on {which} is too old to fetch them: upgrade it."


def _not_usable(run: WaitingRun, suiting: Iterable[OpenDevice], names: Mapping[str, str]) -> str:
    pools = {pool for device in suiting for pool in device.pools}
    named = sorted(f"'{names[pool]}'" for pool in pools if names.get(pool))[:_MOST_POOLS_NAMED]
    who = run.asked_by or "Whoever asked for it"
    what = (
        f"pool {' or '.join(named)}, where devices would fit"
        if named
        else "any of the devices that would fit"
    )
    return (
        f"{who} may not use {what}: that needs the right 'device.use' at a pool of theirs; run it again then."
    )


def _fits(run: WaitingRun, device: OpenDevice) -> bool:
    return _suits(run, device) and takes_files_of(run, device.takes_files) and may_use(run, device.pools)


def _suits(run: WaitingRun, device: OpenDevice) -> bool:
    return (
        (run.device_id is None or run.device_id == device.id)
        and (run.pool_id is None or run.pool_id in device.pools)
        and run.labels <= device.labels
    )
