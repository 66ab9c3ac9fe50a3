"""A lease is believed in no longer than the Control Room grants it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controlroom.runner.agent import lease
from controlroom.runner.agent.lease import LeaseBook

LEASE = 45.0


class SteeredLeaseClock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> SteeredLeaseClock:
    steered = SteeredLeaseClock()
    monkeypatch.setattr(lease, "lease_clock", steered)
    return steered


def test_a_late_answer_does_not_make_a_lease_longer(clock: SteeredLeaseClock) -> None:
    book = LeaseBook()
    book.hello_sent()
    book.welcomed(LEASE)
    book.heartbeat_sent()
    clock.now += 20
    book.renewed()

    assert book.lasts_until() <= 1000 + LEASE


def test_answers_that_were_left_out_do_not_shorten_leases_for_ever(clock: SteeredLeaseClock) -> None:
    book = LeaseBook()
    book.welcomed(LEASE)
    for _ in range(10):
        book.heartbeat_sent()
        clock.now += 10
    book.heartbeat_sent()
    book.renewed()

    assert book.lasts_until() > clock.now + 10


def test_a_welcome_counts_from_its_hello(clock: SteeredLeaseClock) -> None:
    book = LeaseBook()
    book.hello_sent()
    clock.now += 30
    book.welcomed(LEASE)

    assert book.lasts_until() <= 1000 + LEASE


@given(delays=st.lists(st.floats(0, LEASE / 2 - 1), min_size=1, max_size=20))
def test_with_every_answer_given_in_time_the_belief_is_never_longer_than_the_lease(
    delays: list[float],
) -> None:
    steered = SteeredLeaseClock()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lease, "lease_clock", steered)
        book = LeaseBook()
        book.welcomed(LEASE)
        for delay in delays:
            sent = steered.now
            book.heartbeat_sent()
            steered.now += delay
            book.renewed()
            assert book.lasts_until() <= sent + LEASE
