"""The windows against a list that forgets nothing."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otel_resilience.windows.call_window import call_window
from otel_resilience.windows.last_calls import LastCalls
from otel_resilience.windows.last_seconds import SLOTS, LastSeconds
from otel_resilience.windows.tally import Tally

Ended = tuple[float, bool, bool]  # seconds since the one before, failed, slow

calls_that_ended = st.lists(
    st.tuples(st.sampled_from([0.0, 0.25, 1.0, 3.0, 10.0]), st.booleans(), st.booleans()), max_size=80
)


def tallied(calls: list[Ended]) -> Tally:
    return Tally(len(calls), sum(failed for _, failed, _ in calls), sum(slow for _, _, slow in calls))


@given(calls_that_ended, st.integers(1, 40))
def test_the_last_calls_are_exact_after_every_one(calls: list[Ended], size: int) -> None:
    window = LastCalls(size)
    for number, (_, failed, slow) in enumerate(calls, 1):
        window.add(0.0, failed=failed, slow=slow)
        assert window.tally(1e9) == tallied(calls[max(0, number - size) : number])


@given(calls_that_ended, st.integers(1, 40))
def test_the_last_calls_of_the_last_seconds_are_exact(calls: list[Ended], size: int) -> None:
    window, now, seen = LastCalls(size, 5.0), 100.0, list[Ended]()
    for wait, failed, slow in calls:
        now += wait
        window.add(now, failed=failed, slow=slow)
        seen.append((now, failed, slow))
        assert window.tally(now) == tallied([each for each in seen[-size:] if each[0] > now - 5.0])


@given(calls_that_ended)
def test_the_last_seconds_forget_at_most_a_slot_early_and_never_late(calls: list[Ended]) -> None:
    window, now, seen = LastSeconds(8.0), 100.0, list[Ended]()
    for wait, failed, slow in calls:
        now += wait
        window.add(now, failed=failed, slow=slow)
        seen.append((now, failed, slow))
        at_most = tallied([each for each in seen if each[0] >= now - 8.0])
        at_least = tallied([each for each in seen if each[0] > now - 8.0 * (1 - 1 / SLOTS)])
        for least, found, most in zip(at_least, window.tally(now), at_most, strict=True):
            assert least <= found <= most


def test_a_call_as_old_as_the_window_has_left_it() -> None:
    for window in (LastCalls(10, 8.0), LastSeconds(8.0)):
        window.add(16.0, failed=True, slow=True)
        assert window.tally(23.8) == Tally(1, 1, 1)
        assert window.tally(24.0) == Tally(0, 0, 0)
        window.add(24.0, failed=True, slow=False)
        assert window.tally(24.0) == Tally(1, 1, 0)


def test_a_call_that_ended_a_moment_before_the_newest_is_counted() -> None:
    window = LastSeconds(64.0)
    window.add(100.0, failed=False, slow=False)
    window.add(97.0, failed=True, slow=False)  # its thread took the time first and the lock second
    assert window.tally(100.0) == Tally(2, 1, 0)


def test_a_pause_longer_than_the_window_empties_it_at_once() -> None:
    window = LastSeconds(64.0)
    for second in range(200):
        window.add(float(second), failed=True, slow=True)
    assert window.tally(199.0) == Tally(64, 64, 64)
    assert window.tally(1e12) == Tally()


@pytest.mark.parametrize("window", [LastCalls(3), LastCalls(3, 8.0), LastSeconds(8.0)])
def test_clearing_forgets_all(window: LastCalls | LastSeconds) -> None:
    for _ in range(5):
        window.add(10.0, failed=True, slow=True)
    window.clear()
    assert window.tally(10.0) == Tally()
    window.add(10.0, failed=False, slow=True)
    assert window.tally(10.0) == Tally(1, 0, 1)


def test_a_window_of_no_length_that_a_clock_could_measure_still_works() -> None:
    window = LastSeconds(5e-324)
    window.add(1e6, failed=True, slow=False)
    assert window.tally(1e6) == Tally(1, 1, 0)
    assert window.tally(1e6 + 1) == Tally()


def test_what_is_meant_by_calls_seconds_or_both() -> None:
    assert isinstance(call_window(None, 1.0), LastSeconds)
    for seconds in (None, 1.0):
        window = call_window(2, seconds)
        for _ in range(3):
            window.add(5.0, failed=True, slow=False)
        assert window.tally(5.0) == Tally(2, 2, 0)
        assert window.tally(6.0) == (Tally(2, 2, 0) if seconds is None else Tally())
    with pytest.raises(ValueError, match="a number of calls or of seconds"):
        call_window(None, None)


def test_ratios_are_shares_and_0_of_nothing() -> None:
    assert (Tally().failure_ratio, Tally().slow_ratio) == (0.0, 0.0)
    tally = Tally(100, 7, 29)
    assert (tally.failure_ratio, tally.slow_ratio) == (0.07, 0.29)
    assert tally.plus(Tally(1, 1, 0)) == Tally(101, 8, 29)
