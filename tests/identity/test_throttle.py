from collections.abc import Iterable

import pytest

from controlroom.foundation.cache.memory import MemoryCache
from controlroom.foundation.errors import TooManyRequests
from controlroom.identity import throttle as rules
from controlroom.identity.known_devices import KnownDevices
from controlroom.identity.throttle import SignInThrottle, network_of


class Waits(list[float]):
    async def __call__(self, seconds: float) -> None:
        self.append(seconds)


@pytest.fixture
def waits() -> Waits:
    return Waits()


@pytest.fixture
def throttle(clock, waits: Waits) -> SignInThrottle:  # type: ignore[no-untyped-def]  # the steered clock is conftest's
    return SignInThrottle(MemoryCache(clock), clock, waits)


async def fail(throttle: SignInThrottle, account: str, address: str, times: int) -> None:
    for _ in range(times):
        await throttle.failed(await throttle.admit(account, address))


async def refused_seconds(throttle: SignInThrottle, account: str, address: str) -> int:
    with pytest.raises(TooManyRequests) as refused:
        await throttle.admit(account, address)
    assert refused.value.retry_after_seconds
    return refused.value.retry_after_seconds


async def test_waits_grow_with_each_wrong_try_and_stay_bounded(throttle: SignInThrottle, clock) -> None:  # type: ignore[no-untyped-def]
    await fail(throttle, "alice", "192.0.2.7", rules.FREE_PER_ACCOUNT_AND_NETWORK)
    seen = []
    for _ in range(11):
        await fail(throttle, "alice", "192.0.2.7", 1)
        seen.append(await refused_seconds(throttle, "alice", "192.0.2.7"))
        clock.advance(seen[-1])
    assert seen[:4] == [2, 4, 8, 16]
    assert seen == sorted(seen)
    assert max(seen) == rules.LONGEST_WAIT_SECONDS


async def test_a_guesser_does_not_lock_the_owner_out_from_elsewhere(
    throttle: SignInThrottle, waits: Waits
) -> None:
    await fail(throttle, "alice", "192.0.2.7", rules.FREE_PER_ACCOUNT_AND_NETWORK + 1)
    await refused_seconds(throttle, "alice", "192.0.2.99")
    await throttle.admit("alice", "198.51.100.7")
    await throttle.admit("bob", "192.0.2.7")
    assert waits == []


async def test_guesses_from_many_networks_slow_an_account_down_but_never_refuse_it(
    throttle: SignInThrottle, waits: Waits
) -> None:
    for number in range(rules.FREE_PER_ACCOUNT + 10):
        await fail(throttle, "alice", f"10.0.{number}.1", 1)
    await throttle.admit("alice", "198.51.100.7")
    assert waits[0] < waits[-1] == rules.LONGEST_DELAY_SECONDS


async def test_where_the_owner_signed_in_before_nothing_is_slow(
    throttle: SignInThrottle, waits: Waits
) -> None:
    await throttle.succeeded(await throttle.admit("alice", "198.51.100.7"))
    for number in range(rules.FREE_PER_ACCOUNT + 5):
        await fail(throttle, "alice", f"10.0.{number}.1", 1)
    waits.clear()
    await throttle.admit("alice", "198.51.100.7")
    assert waits == []


async def test_one_password_on_many_accounts_is_stopped_but_not_for_those_known_here(
    throttle: SignInThrottle, clock
) -> None:  # type: ignore[no-untyped-def]
    await throttle.succeeded(await throttle.admit("alice", "192.0.2.7"))
    for number in range(rules.FREE_PER_NETWORK + 1):
        await fail(throttle, f"user{number}", "192.0.2.8", 1)
    assert await refused_seconds(throttle, "another", "192.0.2.7") <= rules.LONGEST_NETWORK_WAIT_SECONDS
    await throttle.admit("alice", "192.0.2.7")
    clock.advance(rules.LONGEST_NETWORK_WAIT_SECONDS)
    await throttle.admit("another", "192.0.2.7")


async def test_success_forgives_what_was_wrong_before(throttle: SignInThrottle) -> None:
    for _ in range(3):
        await fail(throttle, "alice", "192.0.2.7", rules.FREE_PER_ACCOUNT_AND_NETWORK - 1)
        await throttle.succeeded(await throttle.admit("alice", "192.0.2.7"))


async def test_tries_side_by_side_are_counted_before_their_passwords_are_compared(
    throttle: SignInThrottle,
) -> None:
    for _ in range(rules.FREE_PER_ACCOUNT_AND_NETWORK + 1):
        await throttle.admit("alice", "192.0.2.7")
    await refused_seconds(throttle, "alice", "192.0.2.7")


async def test_an_hour_later_all_is_forgotten(throttle: SignInThrottle, clock) -> None:  # type: ignore[no-untyped-def]
    await fail(throttle, "alice", "192.0.2.7", rules.FREE_PER_ACCOUNT_AND_NETWORK + 1)
    clock.advance(rules.WINDOW_SECONDS)
    await fail(throttle, "alice", "192.0.2.7", rules.FREE_PER_ACCOUNT_AND_NETWORK)


@pytest.mark.parametrize(
    "addresses",
    [
        ("192.0.2.1", "192.0.2.254", "::ffff:192.0.2.9"),
        ("2001:db8:1:2::1", "2001:db8:1:2:ffff::9"),
        ("fe80::1%eth0", "fe80::2"),
    ],
)
def test_neighbours_are_one_network(addresses: Iterable[str]) -> None:
    assert len({network_of(address) for address in addresses}) == 1


@pytest.mark.parametrize("address", ["", "testclient", "not an address\ud800"])
def test_an_address_that_is_none_still_counts(address: str) -> None:
    assert network_of(address) != network_of("192.0.2.1")


async def test_guessers_on_the_owners_own_network_do_not_lock_out_the_browser_that_is_known(
    throttle: SignInThrottle, waits: Waits
) -> None:
    await fail(throttle, "alice", "192.0.2.7", rules.FREE_PER_ACCOUNT_AND_NETWORK + 1)
    await refused_seconds(throttle, "alice", "192.0.2.8")
    known = await throttle.admit("alice", "192.0.2.8", "her-browser")
    await throttle.succeeded(known)
    assert waits == []


async def test_a_stolen_known_browser_is_slowed_down_as_well(throttle: SignInThrottle) -> None:
    for _ in range(rules.FREE_PER_ACCOUNT_AND_NETWORK + 1):
        await throttle.failed(await throttle.admit("alice", "192.0.2.7", "her-browser"))
    with pytest.raises(TooManyRequests):
        await throttle.admit("alice", "198.51.100.9", "her-browser")
    await throttle.admit("alice", "192.0.2.7", "another-browser")


def test_a_device_cookie_counts_for_the_account_that_signed_in_and_for_no_other() -> None:
    devices = KnownDevices(b"k" * 32)
    value = devices.value_for("alice")
    assert devices.device_of(value, "alice")
    for forged, account in (
        (value, "bob"),
        (value[:-1] + ("0" if value[-1] != "0" else "1"), "alice"),
        ("", "alice"),
        ("x.y", "alice"),
        ("x" * 500, "alice"),
        ("\u00e9.\u00e9", "alice"),
    ):
        assert devices.device_of(forged, account) == ""
    assert KnownDevices(b"x" * 32).device_of(value, "alice") == ""
