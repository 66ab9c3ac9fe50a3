"""Which run goes to which device, and why a run waits."""

from collections import Counter
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from controlroom.runs.matching import Board, OpenDevice, PoolRule, WaitingRun, explain_wait, match, take_turns


def device(
    name: str, *, labels: str = "", pools: str = "", slots: int = 1, free: int | None = None
) -> OpenDevice:
    return OpenDevice(
        name,
        name,
        frozenset(labels.split()),
        frozenset(pools.split()),
        slots,
        slots if free is None else free,
    )


def run(
    name: str,
    *,
    labels: str = "",
    bot: str = "bot",
    at_once: int | None = None,
    on: str | None = None,
    pool: str | None = None,
) -> WaitingRun:
    return WaitingRun(name, bot, at_once, frozenset(labels.split()), on, pool)


def pairs(
    runs: list[WaitingRun], *devices: OpenDevice, active: dict[str, int] | None = None
) -> dict[str, str]:
    return {
        pairing.run_id: pairing.device_id for pairing in match(runs, Board(devices, Counter(active or {})))
    }


def test_a_run_goes_to_a_device_that_has_all_its_labels() -> None:
    assert pairs(
        [run("r", labels="excel gpu")], device("a", labels="excel"), device("b", labels="excel gpu")
    ) == {"r": "b"}


def test_a_special_device_is_kept_free_where_a_plain_one_fits() -> None:
    assert pairs([run("r")], device("special", labels="excel gpu"), device("plain")) == {"r": "plain"}


def test_the_emptier_device_is_taken() -> None:
    assert pairs([run("r")], device("a", slots=4, free=1), device("b", slots=4, free=3)) == {"r": "b"}


def test_a_run_that_fits_nowhere_does_not_hold_up_those_behind_it() -> None:
    assert pairs([run("first", labels="gpu"), run("second")], device("a")) == {"second": "a"}


def test_a_bot_has_no_more_runs_at_once_than_allowed() -> None:
    runs = [run("one", at_once=2), run("two", at_once=2), run("other", bot="another")]
    assert pairs(runs, device("a", slots=5), active={"bot": 1}) == {"one": "a", "other": "a"}


def test_files_go_to_no_runner_that_is_too_old_for_them() -> None:
    old = OpenDevice("old", "old", frozenset(), frozenset(), 9, 9, takes_files=False)
    waiting = [replace(run("r"), has_files=True), run("s")]
    assert pairs(waiting, replace(old)) == {"s": "old"}
    assert pairs(waiting, replace(old), device("new")) == {"r": "new", "s": "old"}


def test_a_named_device_and_a_pool_are_kept_to() -> None:
    devices = device("a"), device("b", pools="p")
    assert pairs([run("r", on="a"), run("s", pool="p")], *devices) == {"r": "a", "s": "b"}


def test_why_a_run_waits_is_said_in_words() -> None:
    board = Board([device("a", labels="word"), device("b", free=0)])
    assert (
        explain_wait(run("r", labels="excel"), board, {})
        == "It needs label 'excel': no connected device has it."
    )
    assert "is not connected" in explain_wait(run("r", on="c"), board, {"c": "Paris"})
    assert "Paris" in explain_wait(run("r", on="c"), board, {"c": "Paris"})
    assert explain_wait(run("r"), Board([]), {}) == "No device is connected."
    assert "slot(s)" in explain_wait(run("r"), Board([device("b", free=0)]), {})
    assert explain_wait(run("r", at_once=1), Board([device("a")], Counter(bot=1)), {}).startswith(
        "1 run(s) of this bot"
    )
    old = OpenDevice("a", "a", frozenset({"word"}), frozenset(), 1, 1, takes_files=False)
    with_files = replace(run("r", labels="word"), has_files=True)
    assert explain_wait(with_files, Board([old]), {}) == (
        "It has files, and the Bot Runner on the device that fits is too old to fetch them: upgrade it."
    )
    assert "any of the 3 devices" in explain_wait(with_files, Board([replace(old, count=3)]), {})
    assert explain_wait(with_files, board, {}) == "It is about to be assigned."
    assert "No device of pool 'Night'" in explain_wait(run("r", pool="p"), board, {"p": "Night"})


labels = st.frozensets(st.sampled_from(["excel", "gpu", "word"]))
devices = st.builds(
    OpenDevice,
    id=st.uuids().map(str),
    name=st.just("device"),
    labels=labels,
    pools=st.frozensets(st.sampled_from(["p", "q"])),
    slots=st.just(3),
    free=st.integers(0, 3),
    takes_files=st.booleans(),
)
runs = st.builds(
    WaitingRun,
    id=st.uuids().map(str),
    bot_id=st.sampled_from(["one", "two"]),
    bot_most_at_once=st.none() | st.integers(1, 3),
    labels=labels,
    device_id=st.none(),
    pool_id=st.none() | st.sampled_from(["p", "q"]),
    has_files=st.booleans(),
)


@given(
    st.lists(runs, max_size=12, unique_by=lambda run: run.id),
    st.lists(devices, max_size=5, unique_by=lambda device: device.id),
)
def test_no_pairing_breaks_a_limit_and_none_is_left_out_that_would_fit(
    waiting: list[WaitingRun], open_devices: list[OpenDevice]
) -> None:
    free_before = {device.id: device.free for device in open_devices}
    board = Board(open_devices)
    by_run = {pairing.run_id: pairing.device_id for pairing in match(waiting, board)}
    taken = Counter(by_run.values())
    by_id = {device.id: device for device in open_devices}
    active: Counter[str] = Counter()
    for each in waiting:
        if each.id in by_run:
            chosen = by_id[by_run[each.id]]
            assert each.labels <= chosen.labels
            assert chosen.takes_files or not each.has_files
            assert each.pool_id is None or each.pool_id in chosen.pools
            active[each.bot_id] += 1
            assert each.bot_most_at_once is None or active[each.bot_id] <= each.bot_most_at_once
    assert all(taken[device_id] <= free for device_id, free in free_before.items())
    for each in waiting:
        if each.id not in by_run and (each.bot_most_at_once is None):
            fitting = [
                d
                for d in open_devices
                if each.labels <= d.labels
                and (each.pool_id is None or each.pool_id in d.pools)
                and (d.takes_files or not each.has_files)
            ]
            assert all(d.free <= 0 for d in fitting)


def test_bots_take_turns_in_a_pool_that_says_so_and_others_keep_their_places() -> None:
    runs = [run(f"a{number}", bot="a", pool="p") for number in range(3)]
    runs += [run("free", bot="a"), run("b0", bot="b", pool="p"), run("c0", bot="c", pool="p")]
    board = Board([], pools={"p": PoolRule(takes_turns=True)})
    assert [each.id for each in take_turns(runs, board)] == ["a0", "b0", "c0", "free", "a1", "a2"]
    board.active_in_pool["p", "a"] = 2
    assert [each.id for each in take_turns(runs, board)] == ["b0", "c0", "a0", "free", "a1", "a2"]
    assert take_turns(runs, Board([], pools={"p": PoolRule()})) == runs


def test_a_pool_with_an_order_fills_its_first_device_first() -> None:
    devices = [device("z", pools="p", slots=2), device("a", pools="p", slots=2), device("m", slots=9)]
    rule = PoolRule(ranks={"z": 0, "a": 1})
    found = match([run(str(number), pool="p") for number in range(4)], Board(devices, pools={"p": rule}))
    assert [pairing.device_id for pairing in found] == ["z", "z", "a", "a"]


@given(
    bots=st.lists(st.sampled_from("abc"), max_size=30),
    active=st.dictionaries(st.sampled_from("abc"), st.integers(0, 5)),
)
def test_turns_lose_and_double_no_run_and_keep_each_bots_own_order(
    bots: list[str], active: dict[str, int]
) -> None:
    runs = [run(str(number), bot=bot, pool="p") for number, bot in enumerate(bots)]
    counts = Counter({("p", bot): count for bot, count in active.items()})
    turned = take_turns(runs, Board([], pools={"p": PoolRule(takes_turns=True)}, active_in_pool=counts))
    assert sorted(each.id for each in turned) == sorted(each.id for each in runs)
    for bot in set(bots):
        assert [each for each in turned if each.bot_id == bot] == [
            each for each in runs if each.bot_id == bot
        ]
