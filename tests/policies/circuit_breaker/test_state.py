"""The pure machine: every rule at both sides of its boundary, no clock, no threads."""

from __future__ import annotations

import pytest

from otel_resilience.outcome import Verdict
from otel_resilience.policies.circuit_breaker.options import CircuitBreakerOptions
from otel_resilience.policies.circuit_breaker.state import (
    TRANSITIONS,
    BreakerState,
    Change,
    CircuitBreakerMachine,
    Permit,
    Refusal,
    Rejection,
    Signal,
)

OPTIONS = CircuitBreakerOptions(failure_threshold=2, recovery_timeout=10.0, hang_seconds=4.0)


def admitted(machine: CircuitBreakerMachine, now: float) -> Permit:
    decision, _ = machine.admit(now, 0.0)
    assert isinstance(decision, Permit)
    return decision


def refused(machine: CircuitBreakerMachine, now: float) -> Rejection:
    decision, _ = machine.admit(now, 0.0)
    assert isinstance(decision, Rejection)
    return decision


def fail(machine: CircuitBreakerMachine, now: float, times: int = 1) -> tuple[Change, ...]:
    changes: tuple[Change, ...] = ()
    for _ in range(times):
        changes += machine.settle(admitted(machine, now), Verdict.FAILURE, now, 0.0)
    return changes


def opened(options: CircuitBreakerOptions = OPTIONS) -> CircuitBreakerMachine:
    machine = CircuitBreakerMachine(options)
    fail(machine, 0.0, options.failure_threshold)
    assert machine.state is BreakerState.OPEN
    return machine


def test_opens_at_the_threshold_and_not_before() -> None:
    machine = CircuitBreakerMachine(OPTIONS)
    assert fail(machine, 0.0) == ()
    assert machine.state is BreakerState.CLOSED
    assert fail(machine, 0.0) == (Change(BreakerState.CLOSED, BreakerState.OPEN, Signal.THRESHOLD_REACHED),)


def test_a_success_breaks_a_row_of_failures_and_an_ignored_call_does_not() -> None:
    machine = CircuitBreakerMachine(OPTIONS)
    fail(machine, 0.0)
    machine.settle(admitted(machine, 0.0), Verdict.IGNORED, 0.0, 0.0)
    assert machine.failures == 1
    machine.settle(admitted(machine, 0.0), Verdict.SUCCESS, 0.0, 0.0)
    assert machine.failures == 0
    fail(machine, 0.0)
    assert machine.state is BreakerState.CLOSED


def test_stays_open_until_the_open_time_is_over_and_then_lets_one_probe_pass() -> None:
    machine = opened()
    assert refused(machine, 9.999) == Rejection(Refusal.CIRCUIT_OPEN, pytest.approx(0.001))
    decision, changes = machine.admit(10.0, 0.0)
    assert isinstance(decision, Permit)
    assert changes == (Change(BreakerState.OPEN, BreakerState.HALF_OPEN, Signal.RECOVERY_ELAPSED),)
    assert refused(machine, 10.0) == Rejection(Refusal.HALF_OPEN_LIMIT, 4.0)


def test_the_open_time_is_lengthened_by_up_to_a_tenth_never_shortened() -> None:
    for draw, ends in ((0.0, 10.0), (0.5, 10.5), (0.999, 10.999)):
        machine = CircuitBreakerMachine(OPTIONS)
        fail(machine, 0.0)
        machine.settle(admitted(machine, 0.0), Verdict.FAILURE, 0.0, draw)
        assert machine.retry_after(0.0) == pytest.approx(ends)


def test_a_successful_probe_closes_and_a_failed_one_opens_again() -> None:
    machine = opened()
    assert machine.settle(admitted(machine, 10.0), Verdict.SUCCESS, 11.0, 0.0) == (
        Change(BreakerState.HALF_OPEN, BreakerState.CLOSED, Signal.PROBES_SUCCEEDED),
    )
    machine = opened()
    assert machine.settle(admitted(machine, 10.0), Verdict.FAILURE, 11.0, 0.0) == (
        Change(BreakerState.HALF_OPEN, BreakerState.OPEN, Signal.PROBE_FAILED),
    )
    assert refused(machine, 20.9).refusal is Refusal.CIRCUIT_OPEN


def test_a_cancelled_probe_gives_its_slot_back() -> None:
    machine = opened()
    machine.settle(admitted(machine, 10.0), Verdict.IGNORED, 10.0, 0.0)
    assert machine.state is BreakerState.HALF_OPEN
    admitted(machine, 10.0)


def test_concurrent_probes_and_needed_successes_are_separate_limits() -> None:
    machine = opened(
        CircuitBreakerOptions(
            failure_threshold=1, recovery_timeout=10.0, half_open_max_concurrency=2, half_open_successes=3
        )
    )
    first, second = admitted(machine, 10.0), admitted(machine, 10.0)
    assert refused(machine, 10.0).refusal is Refusal.HALF_OPEN_LIMIT
    assert machine.settle(first, Verdict.SUCCESS, 10.0, 0.0) == ()
    assert machine.settle(second, Verdict.SUCCESS, 10.0, 0.0) == ()
    third = admitted(machine, 10.0)
    assert machine.settle(third, Verdict.SUCCESS, 10.0, 0.0)[0].state is BreakerState.CLOSED


def test_a_probe_that_never_returns_counts_as_failed_when_its_lease_runs_out() -> None:
    machine = opened()
    probe = admitted(machine, 10.0)
    assert refused(machine, 13.999).refusal is Refusal.HALF_OPEN_LIMIT
    decision, changes = machine.admit(14.0, 0.0)
    assert isinstance(decision, Rejection)
    assert changes == (Change(BreakerState.HALF_OPEN, BreakerState.OPEN, Signal.PROBE_LEASE_EXPIRED),)
    assert machine.settle(probe, Verdict.SUCCESS, 14.0, 0.0) == ()
    assert machine.state is BreakerState.OPEN


def test_the_late_success_of_a_probe_past_its_lease_opens_again() -> None:
    machine = opened()
    probe = admitted(machine, 10.0)
    changes = machine.settle(probe, Verdict.SUCCESS, 14.0, 0.0)
    assert [change.signal for change in changes] == [Signal.PROBE_LEASE_EXPIRED]


def test_half_open_without_a_verdict_opens_when_its_longest_time_is_over() -> None:
    machine = opened(
        CircuitBreakerOptions(
            failure_threshold=1, recovery_timeout=10.0, half_open_max_seconds=2.0, half_open_successes=2
        )
    )
    machine.settle(admitted(machine, 10.0), Verdict.SUCCESS, 10.0, 0.0)
    _, changes = machine.admit(12.0, 0.0)
    assert [change.signal for change in changes] == [Signal.HALF_OPEN_EXPIRED]


def test_results_of_an_earlier_generation_count_for_nothing() -> None:
    machine = CircuitBreakerMachine(OPTIONS)
    overhanging = admitted(machine, 0.0)
    fail(machine, 0.0, 2)
    assert machine.settle(overhanging, Verdict.SUCCESS, 1.0, 0.0) == ()
    probe_of_first_round = admitted(machine, 10.0)
    machine.settle(probe_of_first_round, Verdict.FAILURE, 10.0, 0.0)
    probe_of_second_round = admitted(machine, 20.0)
    # The ABA problem: the same state, another half-open. Neither counted nor allowed to free a slot.
    assert machine.settle(probe_of_first_round, Verdict.SUCCESS, 20.0, 0.0) == ()
    assert refused(machine, 20.0).refusal is Refusal.HALF_OPEN_LIMIT
    assert machine.settle(probe_of_second_round, Verdict.SUCCESS, 20.0, 0.0)[0].state is BreakerState.CLOSED


def test_a_permit_settled_twice_counts_once() -> None:
    machine = opened(CircuitBreakerOptions(failure_threshold=1, recovery_timeout=10.0, half_open_successes=2))
    probe = admitted(machine, 10.0)
    machine.settle(probe, Verdict.SUCCESS, 10.0, 0.0)
    machine.settle(probe, Verdict.SUCCESS, 10.0, 0.0)
    assert machine.state is BreakerState.HALF_OPEN


def test_open_time_grows_without_a_recovery_between_and_is_bounded() -> None:
    machine = opened(
        CircuitBreakerOptions(
            failure_threshold=1, recovery_timeout=10.0, recovery_growth=2.0, recovery_max=25.0
        )
    )
    now = 0.0
    for expected in (10.0, 20.0, 25.0, 25.0):
        assert machine.retry_after(now) == pytest.approx(expected)
        now += expected
        machine.settle(admitted(machine, now), Verdict.FAILURE, now, 0.0)
    now += 25.0
    machine.settle(admitted(machine, now), Verdict.SUCCESS, now, 0.0)
    fail(machine, now)
    assert machine.retry_after(now) == pytest.approx(10.0)


def test_growth_never_leaves_the_range_of_a_float() -> None:
    machine = opened(CircuitBreakerOptions(failure_threshold=1, recovery_timeout=10.0, recovery_growth=1e9))
    now = 0.0
    for _ in range(50):
        left = machine.retry_after(now)
        assert left is not None
        now += left
        machine.settle(admitted(machine, now), Verdict.FAILURE, now, 0.0)
    assert machine.state is BreakerState.OPEN


@pytest.mark.parametrize(
    ("hint", "recovery_max", "expected"),
    [(5.0, None, 10.0), (20.0, None, 20.0), (99.0, None, 30.0), (99.0, 50.0, 50.0), (None, None, 10.0)],
)
def test_the_servers_retry_after_lengthens_the_open_time_within_bounds(
    hint: float | None, recovery_max: float | None, expected: float
) -> None:
    machine = CircuitBreakerMachine(
        CircuitBreakerOptions(failure_threshold=1, recovery_timeout=10.0, recovery_max=recovery_max)
    )
    machine.settle(admitted(machine, 0.0), Verdict.FAILURE, 0.0, 0.0, hint)
    assert machine.retry_after(0.0) == pytest.approx(expected)


def test_forcing_and_reset() -> None:
    machine = CircuitBreakerMachine(OPTIONS)
    assert machine.force(Signal.FORCE_OPEN)[0].state is BreakerState.FORCED_OPEN
    assert refused(machine, 1e9) == Rejection(Refusal.CIRCUIT_OPEN, None)
    assert machine.force(Signal.FORCE_OPEN) == ()
    machine.force(Signal.FORCE_CLOSED)
    fail(machine, 0.0, 10)
    assert machine.state is BreakerState.FORCED_CLOSED
    machine.force(Signal.RESET)
    assert machine.state is BreakerState.CLOSED
    fail(machine, 0.0)
    assert machine.force(Signal.RESET) == ()
    assert machine.failures == 0


def test_looking_never_changes_the_state() -> None:
    machine = opened()
    for now in (0.0, 10.0, 1e6):
        machine.retry_after(now)
        assert (machine.state, machine.generation) == (BreakerState.OPEN, 1)


def test_only_listed_pairs_can_happen_and_every_state_leads_back_to_closed() -> None:
    reachable = {BreakerState.CLOSED}
    while True:
        more = {before for (before, _), after in TRANSITIONS.items() if after in reachable} - reachable
        if not more:
            break
        reachable |= more
    assert reachable == set(BreakerState)
    assert (BreakerState.CLOSED, Signal.PROBES_SUCCEEDED) not in TRANSITIONS
