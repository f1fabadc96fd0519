"""Shares of failed and slow calls: what trips, what does not, both sides of each boundary."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otel_resilience.exceptions import ConfigurationError
from otel_resilience.outcome import Verdict
from otel_resilience.policies.circuit_breaker.options import CircuitBreakerOptions
from otel_resilience.policies.circuit_breaker.state import (
    BreakerState,
    CircuitBreakerMachine,
    Permit,
    Signal,
)
from otel_resilience.windows.tally import Tally

F, S, I = Verdict.FAILURE, Verdict.SUCCESS, Verdict.IGNORED  # noqa: E741 — read as a row of results


def ended(
    machine: CircuitBreakerMachine,
    *verdicts: Verdict,
    now: float = 0.0,
    slow: bool = False,
    hint: float | None = None,
) -> list[Signal]:
    signals = []
    for verdict in verdicts:
        permit, changes = machine.admit(now, 0.0)
        assert isinstance(permit, Permit)
        changes += machine.settle(permit, verdict, now, 0.0, hint, slow=slow)
        signals += [change.signal for change in changes]
    return signals


def machine(**options: object) -> CircuitBreakerMachine:
    return CircuitBreakerMachine(CircuitBreakerOptions(**options))  # type: ignore[arg-type]  # spelled by each test


def test_a_share_trips_at_the_rate_and_not_below_it() -> None:
    breaker = machine(failure_rate=0.5, window_calls=4, minimum_calls=4)
    assert ended(breaker, S, S, S, F) == []
    assert ended(breaker, F) == [Signal.FAILURE_RATE_REACHED]
    assert breaker.tally(0.0) == Tally(4, 2, 0)


def test_nothing_is_judged_before_the_minimum() -> None:
    breaker = machine(failure_rate=0.1, window_calls=20, minimum_calls=5)
    assert ended(breaker, F, F, F, F) == []
    assert ended(breaker, F) == [Signal.FAILURE_RATE_REACHED]


def test_a_success_can_be_the_call_that_trips() -> None:
    breaker = machine(failure_rate=0.5, window_calls=10, minimum_calls=3)
    assert ended(breaker, F, F) == []
    assert ended(breaker, S) == [Signal.FAILURE_RATE_REACHED]


def test_ignored_calls_are_in_no_window_and_judge_nothing() -> None:
    breaker = machine(failure_rate=0.5, window_calls=10, minimum_calls=2)
    assert ended(breaker, F, I, I, I) == []
    assert breaker.tally(0.0) == Tally(1, 1, 0)
    assert ended(breaker, S) == [Signal.FAILURE_RATE_REACHED]


def test_a_rate_alone_has_no_threshold_and_both_can_be_given() -> None:
    alone = machine(failure_rate=1.0, minimum_calls=50)
    assert ended(alone, *[F] * 49) == []
    both = machine(failure_rate=1.0, minimum_calls=50, failure_threshold=7)
    assert ended(both, *[F] * 7) == [Signal.THRESHOLD_REACHED]


def test_the_defaults_of_the_window() -> None:
    assert CircuitBreakerOptions().failure_threshold == 5
    for given_options, expected in (
        ({}, (100, None, 10)),
        ({"window_calls": 5}, (5, None, 5)),
        ({"window_calls": 50}, (50, None, 10)),
        ({"window_seconds": 5.0}, (None, 5.0, 10)),
        ({"window_seconds": 5.0, "window_calls": 7}, (7, 5.0, 7)),
    ):
        options = CircuitBreakerOptions(**given_options)  # type: ignore[arg-type]  # spelled above
        assert (options.window_calls, options.window_seconds, options.minimum_calls) == expected


def test_a_window_of_seconds_forgets() -> None:
    breaker = machine(failure_rate=0.5, window_seconds=10.0, minimum_calls=4)
    ended(breaker, F, F, F, now=100.0)
    assert ended(breaker, F, now=111.0) == []
    assert breaker.tally(111.0) == Tally(1, 1, 0)
    assert ended(breaker, F, F, F, now=111.0) == [Signal.FAILURE_RATE_REACHED]


def test_slow_calls_trip_at_their_rate_whatever_they_came_to() -> None:
    breaker = machine(slow_call_seconds=1.0, slow_call_rate=0.5, window_calls=4, minimum_calls=4)
    assert breaker.failures == 0
    ended(breaker, S, S, S)
    assert ended(breaker, S, slow=True) == []
    assert ended(breaker, S, slow=True) == [Signal.SLOW_CALL_RATE_REACHED]
    assert breaker.tally(0.0) == Tally(4, 0, 2)


def test_slowness_without_a_rate_is_only_told() -> None:
    breaker = machine(slow_call_seconds=1.0)
    assert ended(breaker, *[S] * 100, slow=True) == []
    assert breaker.tally(0.0) == Tally(100, 0, 100)


def test_a_call_is_slow_from_the_very_second_on() -> None:
    options = CircuitBreakerOptions(slow_call_seconds=1.0)
    assert not options.is_slow(0.999)
    assert options.is_slow(1.0)
    assert not CircuitBreakerOptions().is_slow(1e9)


def test_patience_is_the_shorter_of_hanging_and_slowness() -> None:
    assert CircuitBreakerOptions(hang_seconds=5.0).patience == 5.0
    assert CircuitBreakerOptions(hang_seconds=5.0, slow_call_seconds=2.0).patience == 2.0
    assert CircuitBreakerOptions(hang_seconds=5.0, slow_call_seconds=7.0).patience == 5.0


@pytest.mark.parametrize(
    ("options", "signal"),
    [
        ({"slow_call_seconds": 1.0, "slow_call_rate": 0.5, "failure_threshold": 1}, Signal.PROBE_FAILED),
        ({"slow_call_seconds": 1.0, "failure_threshold": 1}, Signal.PROBES_SUCCEEDED),
    ],
)
def test_a_slow_probe_proves_recovery_only_where_slowness_opens_nothing(
    options: dict[str, object], signal: Signal
) -> None:
    breaker = machine(**options)
    ended(breaker, F)
    assert ended(breaker, S, now=30.0, slow=True) == [Signal.RECOVERY_ELAPSED, signal]


def test_the_window_is_readable_while_open_and_empty_after_the_recovery() -> None:
    breaker = machine(failure_rate=0.5, minimum_calls=2)
    ended(breaker, F, F)
    assert breaker.tally(0.0) == Tally(2, 2, 0)
    assert ended(breaker, S, now=30.0)[-1] is Signal.PROBES_SUCCEEDED
    assert breaker.tally(30.0) == Tally()
    assert ended(breaker, F, now=30.0) == []


def test_a_circuit_that_is_forced_closed_counts_and_does_not_judge() -> None:
    breaker = machine(failure_rate=0.1, minimum_calls=1, failure_threshold=1)
    breaker.force(Signal.FORCE_CLOSED)
    assert ended(breaker, *[F] * 5) == []
    assert breaker.tally(0.0) == Tally(5, 5, 0)
    assert breaker.failures == 5
    for forced in (Signal.FORCE_OPEN, Signal.RESET):
        breaker.force(forced)
        assert breaker.tally(0.0) == Tally()


def test_reset_forgets_the_window_where_it_is_closed_already() -> None:
    breaker = machine(failure_rate=0.5, minimum_calls=2)
    ended(breaker, F)
    breaker.force(Signal.RESET)
    assert breaker.tally(0.0) == Tally()
    assert ended(breaker, S) == []


def test_the_last_failures_hint_holds_where_a_success_trips_and_only_for_what_is_left_of_it() -> None:
    breaker = machine(failure_rate=0.5, minimum_calls=2, recovery_timeout=5.0)
    ended(breaker, F, now=0.0, hint=20.0)
    ended(breaker, S, now=4.0)
    assert breaker.state is BreakerState.OPEN
    assert breaker.retry_after(4.0) == pytest.approx(16.0)


def test_a_failure_without_a_hint_takes_an_earlier_one_back() -> None:
    breaker = machine(failure_threshold=2, recovery_timeout=5.0)
    ended(breaker, F, hint=20.0)
    ended(breaker, F)
    assert breaker.retry_after(0.0) == pytest.approx(5.0)


@given(
    st.lists(st.sampled_from([F, S]), max_size=60), st.integers(1, 12), st.sampled_from([0.25, 0.3, 0.5, 1.0])
)
def test_the_first_opening_is_where_the_list_says(verdicts: list[Verdict], size: int, rate: float) -> None:
    breaker = machine(failure_rate=rate, window_calls=size, minimum_calls=min(3, size))
    for number, verdict in enumerate(verdicts, 1):
        last = verdicts[max(0, number - size) : number]
        expected = len(last) >= min(3, size) and last.count(F) / len(last) >= rate
        assert bool(ended(breaker, verdict)) is expected
        if expected:
            return


def test_what_the_counts_say_in_each_state() -> None:
    breaker = machine(failure_threshold=2, half_open_successes=2)
    ended(breaker, S, S, F)
    assert (breaker.successes, breaker.failures) == (2, 1)
    ended(breaker, F)
    assert (breaker.successes, breaker.failures) == (0, 2)
    ended(breaker, S, now=30.0)
    assert (breaker.state, breaker.successes, breaker.failures) == (BreakerState.HALF_OPEN, 1, 0)
    ended(breaker, S, now=30.0)
    assert (breaker.state, breaker.successes) == (BreakerState.CLOSED, 0)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"failure_rate": 0.0}, "failure_rate must be a number > 0 and <= 1, got 0.0"),
        ({"failure_rate": 1.01}, "failure_rate must be a number > 0 and <= 1, got 1.01"),
        ({"slow_call_rate": float("nan"), "slow_call_seconds": 1.0}, "slow_call_rate must be a number > 0"),
        ({"slow_call_rate": 0.5}, "slow_call_rate must be given with slow_call_seconds, got 0.5"),
        ({"slow_call_seconds": 0}, "slow_call_seconds must be seconds > 0, got 0"),
        ({"window_calls": 0}, "window_calls must be a whole number >= 1, got 0"),
        ({"window_seconds": -1.0}, "window_seconds must be seconds > 0, got -1.0"),
        ({"minimum_calls": True}, "minimum_calls must be a whole number >= 1, got True"),
        ({"minimum_calls": 6, "window_calls": 5}, r"minimum_calls must be <= window_calls \(5\), got 6"),
        ({"ramp_seconds": -0.1}, "ramp_seconds must be seconds >= 0, got -0.1"),
    ],
)
def test_a_bad_option_names_field_value_and_rule(options: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        machine(**options)
