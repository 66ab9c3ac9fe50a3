"""A lease is believed in no longer than the Control Room grants it."""

from dataclasses import dataclass, field

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
    number = book.heartbeat_sent()
    clock.now += 20

    assert 1000 + LEASE - 5 <= book.renewed(number) <= 1000 + LEASE


def test_a_welcome_counts_from_its_hello(clock: SteeredLeaseClock) -> None:
    book = LeaseBook()
    book.hello_sent()
    clock.now += 30
    book.welcomed(LEASE)

    assert book.renewed(0) <= 1000 + LEASE


def test_an_answer_to_no_heartbeat_of_this_connection_gives_nothing(clock: SteeredLeaseClock) -> None:
    book = LeaseBook()
    book.welcomed(LEASE)
    before = book.heartbeat_sent()
    book.welcomed(LEASE)

    assert book.renewed(before) < clock.now
    assert book.renewed(before + 1) < clock.now


@dataclass
class Sides:
    """An attempt as the server and its runner know it, and a network between them that is as slow as it likes."""

    book: LeaseBook
    expires: float
    """The lease that the server gave when it wrote the order, then whatever it renewed."""
    taken: bool = False
    believes_until: float = float("-inf")
    upward: list[tuple[int, bool]] = field(default_factory=list)
    """Heartbeats under way: number, and whether they name the attempt."""
    downward: list[int] = field(default_factory=list)
    unanswered: int | None = None

    def step(self, what: str, now: float) -> None:
        match what:
            case "order arrives":
                self.taken = True
            case "heartbeat":
                self.upward.append((self.book.heartbeat_sent(), self.taken))
            case "arrives" if self.upward:
                number, names_it = self.upward.pop(0)
                self.unanswered = number if names_it else None  # a newer heartbeat replaces an older one
            case "renews" if self.unanswered is not None:
                number, self.unanswered = self.unanswered, None
                if now < self.expires:
                    self.expires = now + LEASE
                    self.downward.append(number)
            case "answered" if self.downward:
                self.believes_until = max(self.believes_until, self.book.renewed(self.downward.pop(0)))


STEPS = st.tuples(
    st.sampled_from(["order arrives", "heartbeat", "arrives", "renews", "answered"]), st.floats(0, LEASE)
)


@given(steps=st.lists(STEPS, min_size=5, max_size=60))
def test_a_runner_never_believes_in_a_lease_for_longer_than_the_server(
    steps: list[tuple[str, float]],
) -> None:
    """Whatever was late: the order, heartbeats, their answers. While the bot may run, no other attempt can begin."""
    steered = SteeredLeaseClock()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lease, "lease_clock", steered)
        book = LeaseBook()
        book.welcomed(LEASE)
        sides = Sides(book, expires=steered.now + LEASE)
        for what, seconds in steps:
            steered.now += seconds
            sides.step(what, steered.now)
            assert sides.believes_until < sides.expires
