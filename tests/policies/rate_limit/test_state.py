"""The rate limiter's machine, against the algorithm's own definition."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otel_resilience.policies.rate_limit.options import RateLimiterOptions
from otel_resilience.policies.rate_limit.state import RateLimiterMachine, Slot


def machine(rate: float = 1.0, *, burst: int | None = None, per: float = 1.0) -> RateLimiterMachine:
    return RateLimiterMachine(RateLimiterOptions(rate=rate, burst=burst, per=per))


def slot(limiter: RateLimiterMachine, now: float, longest: float = 0.0) -> Slot:
    found = limiter.admit(now, longest)
    assert isinstance(found, Slot)
    return found


def test_a_burst_passes_at_once_and_then_one_call_an_interval() -> None:
    limiter = machine(4.0, per=2.0)  # one in 0.5 s, four after a pause
    assert [slot(limiter, 10.0).at for _ in range(4)] == [10.0] * 4
    assert limiter.admit(10.0, 0.0) == pytest.approx(0.5)
    assert limiter.admit(10.25, 0.0) == pytest.approx(0.25)
    assert slot(limiter, 10.5).at == 10.5
    assert limiter.admit(10.5, 0.0) == pytest.approx(0.5)


def test_a_pause_fills_the_burst_and_no_more() -> None:
    limiter = machine(2.0, burst=2)
    for _ in range(2):
        slot(limiter, 0.0)
    assert [isinstance(limiter.admit(1_000.0, 0.0), Slot) for _ in range(3)] == [True, True, False]


def test_a_half_pause_fills_half_the_burst() -> None:
    limiter = machine(1.0, burst=4)
    for _ in range(4):
        slot(limiter, 0.0)
    assert [isinstance(limiter.admit(2.0, 0.0), Slot) for _ in range(3)] == [True, True, False]


def test_who_may_wait_gets_the_next_time_in_order() -> None:
    limiter = machine(1.0, burst=1)
    assert [slot(limiter, 0.0, 3.0).at for _ in range(4)] == [0.0, 1.0, 2.0, 3.0]
    assert limiter.admit(0.0, 3.0) == pytest.approx(4.0)
    assert limiter.admit(0.0, 3.999) == pytest.approx(4.0)
    assert slot(limiter, 0.0, 4.0).at == pytest.approx(4.0)


def test_a_refusal_costs_nothing() -> None:
    limiter = machine(1.0, burst=1)
    slot(limiter, 0.0)
    assert [limiter.admit(0.5, 0.0) for _ in range(100)] == [pytest.approx(0.5)] * 100
    assert slot(limiter, 1.0).at == 1.0


def test_who_gives_up_last_leaves_his_time_to_the_next() -> None:
    limiter = machine(1.0, burst=1)
    slot(limiter, 0.0)
    given_up = slot(limiter, 0.0, 9.0)
    limiter.give_back(given_up)
    assert slot(limiter, 0.0, 9.0).at == 1.0


def test_a_time_that_somebody_stands_behind_is_given_back_when_he_goes_too() -> None:
    limiter = machine(1.0, burst=1)
    slot(limiter, 0.0)
    first, second, third = (slot(limiter, 0.0, 9.0) for _ in range(3))
    limiter.give_back(second)
    assert slot(limiter, 0.0, 9.0).at == 4.0  # behind the third, or two would come at his time
    again = machine(1.0, burst=1)
    slot(again, 0.0)
    first, second, third = (slot(again, 0.0, 9.0) for _ in range(3))
    again.give_back(first)
    again.give_back(second)
    again.give_back(third)
    assert slot(again, 0.0, 9.0).at == 1.0


def test_what_is_given_back_after_a_rest_changes_nothing() -> None:
    limiter = machine(1.0, burst=1)
    slot(limiter, 0.0)
    late = slot(limiter, 0.0, 9.0)
    slot(limiter, 100.0)
    limiter.give_back(late)
    assert limiter.admit(100.0, 0.0) == pytest.approx(1.0)


def test_times_that_have_passed_are_not_kept() -> None:
    limiter = machine(1.0, burst=1)
    for second in range(1_000):
        limiter.give_back(slot(limiter, float(second), 1.5))
        slot(limiter, float(second), 1.5)
    assert len(limiter._row) <= 2


@pytest.mark.parametrize("rate", [3.0, 7.0, 1_000.0, 0.001, 1e6])
def test_nothing_is_lost_by_rounding(rate: float) -> None:
    """Calls that come exactly in time pass, also long after the limiter was last at rest, and also late in a machine's life."""
    start = 1e6
    limiter = machine(rate, burst=1)
    passed = sum(isinstance(limiter.admit(start + number / rate, 1e-9), Slot) for number in range(3_000))
    assert passed == 3_000


@given(
    burst=st.integers(1, 5),
    gaps=st.lists(st.integers(0, 20), min_size=1, max_size=80),
    patience=st.sampled_from([0, 5, 30]),
)
def test_the_generic_cell_rate_algorithm(burst: int, gaps: list[int], patience: int) -> None:
    """Against virtual scheduling as the standard writes it, in whole numbers: an interval is 8."""
    limiter = machine(1.0, per=8.0, burst=burst)
    tolerance = 8 * (burst - 1)
    now, arrival = 0, 0
    for gap in gaps:
        now += gap
        decision = limiter.admit(float(now), float(patience))
        conforms_at = max(now, arrival - tolerance)
        if conforms_at - now > patience:
            assert decision == pytest.approx(conforms_at - now)
            continue
        assert isinstance(decision, Slot)
        assert decision.at == pytest.approx(conforms_at)
        arrival = max(now, arrival) + 8


@given(
    burst=st.integers(1, 4),
    steps=st.lists(st.tuples(st.integers(0, 12), st.booleans()), min_size=1, max_size=60),
)
def test_whoever_gives_up_nobody_comes_too_early(burst: int, steps: list[tuple[int, bool]]) -> None:
    limiter = machine(1.0, per=8.0, burst=burst)
    now = 0
    waiting: list[Slot] = []
    made: list[float] = []
    for gap, gives_up in steps:
        now += gap
        made += [each.at for each in waiting if each.at <= now]
        waiting = [each for each in waiting if each.at > now]
        decision = limiter.admit(float(now), 40.0)
        if isinstance(decision, Slot):
            waiting.append(decision)
        if gives_up and waiting and waiting[len(waiting) // 2].at > now:
            limiter.give_back(waiting.pop(len(waiting) // 2))
    made += [each.at for each in waiting]
    made.sort()
    arrival = 0.0
    for at in made:
        assert at >= arrival - 8 * (burst - 1) - 1e-6
        arrival = max(at, arrival) + 8


def test_a_call_whose_time_has_come_is_spent_though_it_is_not_made() -> None:
    limiter = machine(1.0, burst=1)
    limiter.give_back(slot(limiter, 0.0))
    assert limiter.admit(0.0, 0.0) == pytest.approx(1.0)


def test_a_waiting_calls_time_that_has_come_to_the_instant_is_spent_too() -> None:
    limiter = machine(1.0, burst=1)
    slot(limiter, 0.0)
    waiting = slot(limiter, 0.0, 3.0)
    assert limiter.admit(1.0, 0.0) == pytest.approx(1.0)
    limiter.give_back(waiting)
    assert limiter.admit(1.0, 0.0) == pytest.approx(1.0)
