"""How long a circuit stays open, and the ramp by which calls return."""

from __future__ import annotations

import pytest

from otel_resilience.outcome import Verdict
from otel_resilience.policies.circuit_breaker.options import CircuitBreakerOptions
from otel_resilience.policies.circuit_breaker.recovery import LONGEST_OPEN, open_seconds, passes_ramp
from otel_resilience.policies.circuit_breaker.state import (
    BreakerState,
    CircuitBreakerMachine,
    Permit,
    Refusal,
    Rejection,
    Signal,
)

RAMPED = CircuitBreakerOptions(failure_threshold=1, recovery_timeout=10.0, ramp_seconds=20.0)


def recovered(now: float = 10.0) -> CircuitBreakerMachine:
    machine = CircuitBreakerMachine(RAMPED)
    for instant, verdict in ((now - 10.0, Verdict.FAILURE), (now, Verdict.SUCCESS)):
        permit, _ = machine.admit(instant, 0.0)
        assert isinstance(permit, Permit)
        machine.settle(permit, verdict, instant, 0.0)
    assert machine.state is BreakerState.CLOSED
    return machine


@pytest.mark.parametrize(
    ("options", "openings", "hint", "draw", "seconds"),
    [
        ({}, 0, None, 0.0, 10.0),
        ({}, 7, None, 0.0, 10.0),
        ({"recovery_growth": 2.0}, 0, None, 0.0, 10.0),
        ({"recovery_growth": 2.0}, 3, None, 0.0, 80.0),
        ({"recovery_growth": 2.0, "recovery_max": 50.0}, 3, None, 0.0, 50.0),
        ({"recovery_growth": 2.0, "recovery_max": 50.0}, 3, None, 0.9, 50.0),
        ({}, 0, None, 0.5, 10.5),
        ({}, 0, 20.0, 0.0, 20.0),
        ({}, 0, 20.0, 0.5, 21.0),
        ({}, 0, 1e9, 0.0, 30.0),
        ({"recovery_max": 70.0}, 0, 1e9, 0.0, 70.0),
        ({}, 0, -5.0, 0.0, 10.0),
        ({"recovery_growth": 2.0}, 3, 30.0, 0.0, 80.0),
        ({"recovery_growth": 10.0}, 400, None, 0.0, LONGEST_OPEN),
        ({"recovery_growth": 10.0}, 20, None, 0.0, LONGEST_OPEN),
        ({"recovery_timeout": 2 * LONGEST_OPEN}, 0, None, 0.0, 2 * LONGEST_OPEN),
        ({"recovery_growth": 10.0, "recovery_max": 60.0}, 400, None, 0.0, 60.0),
    ],
)
def test_the_open_time(
    options: dict[str, float], openings: int, hint: float | None, draw: float, seconds: float
) -> None:
    told = CircuitBreakerOptions(**({"recovery_timeout": 10.0} | options))  # type: ignore[arg-type]  # spelled above
    assert open_seconds(told, openings=openings, hint=hint, draw=draw) == pytest.approx(seconds)


def test_a_hint_that_is_no_number_is_none() -> None:
    options = CircuitBreakerOptions(recovery_timeout=10.0)
    assert open_seconds(options, openings=0, hint=float("nan"), draw=0.0) == 10.0


@pytest.mark.parametrize(
    ("left", "draw", "passes"),
    [
        (20.0, 0.099, True),
        (20.0, 0.1, False),
        (10.0, 0.499, True),
        (10.0, 0.5, False),
        (1.0, 0.949, True),
        (1.0, 0.95, False),
    ],
)
def test_the_share_that_passes_grows_evenly_from_a_tenth(left: float, draw: float, passes: bool) -> None:
    assert passes_ramp(left, 20.0, draw) is passes


def test_after_a_recovery_the_rest_is_told_to_come_later() -> None:
    machine = recovered()
    assert isinstance(machine.admit(15.0, 0.0)[0], Permit)
    assert machine.admit(15.0, 0.5)[0] == Rejection(Refusal.HALF_OPEN_LIMIT, 15.0)
    assert machine.admit(29.0, 0.96)[0] == Rejection(Refusal.HALF_OPEN_LIMIT, 1.0)
    assert isinstance(machine.admit(30.0, 0.999)[0], Permit)
    # Once over, it is over: a clock that another thread read earlier brings nothing back.
    assert isinstance(machine.admit(29.0, 0.999)[0], Permit)


def test_a_ramp_ends_with_its_stay_in_closed() -> None:
    for end in (Signal.RESET, Signal.FORCE_CLOSED):
        machine = recovered()
        machine.force(end)
        assert isinstance(machine.admit(10.0, 0.999)[0], Permit)
    machine = recovered()
    permit, _ = machine.admit(11.0, 0.0)
    assert isinstance(permit, Permit)
    machine.settle(permit, Verdict.FAILURE, 11.0, 0.0)
    assert machine.state is BreakerState.OPEN


def test_there_is_no_ramp_before_a_failure_and_none_unless_asked_for() -> None:
    assert isinstance(CircuitBreakerMachine(RAMPED).admit(0.0, 0.999)[0], Permit)
    plain = CircuitBreakerMachine(CircuitBreakerOptions(failure_threshold=1))
    for instant, verdict in ((0.0, Verdict.FAILURE), (30.0, Verdict.SUCCESS)):
        permit, _ = plain.admit(instant, 0.0)
        assert isinstance(permit, Permit)
        plain.settle(permit, verdict, instant, 0.0)
    assert isinstance(plain.admit(30.0, 0.999)[0], Permit)


def test_a_recovery_ends_the_growth_of_the_open_time() -> None:
    machine = CircuitBreakerMachine(
        CircuitBreakerOptions(failure_threshold=1, recovery_timeout=10.0, recovery_growth=2.0)
    )
    now, expected = 0.0, []
    for verdict in (Verdict.FAILURE, Verdict.FAILURE, Verdict.SUCCESS, Verdict.FAILURE):
        permit, _ = machine.admit(now, 0.0)
        assert isinstance(permit, Permit)
        machine.settle(permit, verdict, now, 0.0)
        expected.append(machine.retry_after(now))
        now += machine.retry_after(now) or 0.0
    assert expected == [10.0, 20.0, None, 10.0]


def test_the_successor_in_a_forked_child() -> None:
    machine = recovered()
    overhanging, _ = machine.admit(40.0, 0.0)
    new = machine.successor()
    assert (new.state, new.generation) == (BreakerState.CLOSED, machine.generation + 1)
    assert isinstance(overhanging, Permit)
    new.settle(overhanging, Verdict.FAILURE, 40.0, 0.0)
    assert new.state is BreakerState.CLOSED
    for forced in (Signal.FORCE_OPEN, Signal.FORCE_CLOSED):
        machine.force(forced)
        assert machine.successor().state is machine.state


def test_idle_is_what_nothing_is_lost_by() -> None:
    machine = CircuitBreakerMachine(
        CircuitBreakerOptions(
            failure_threshold=1, recovery_timeout=10.0, hang_seconds=4.0, half_open_max_concurrency=2
        )
    )
    assert machine.is_idle(0.0)
    permit, _ = machine.admit(0.0, 0.0)
    assert isinstance(permit, Permit)
    machine.settle(permit, Verdict.FAILURE, 0.0, 0.0)
    assert [machine.is_idle(now) for now in (0.0, 9.9, 10.0, 99.0)] == [False, False, True, True]
    machine.admit(10.0, 0.0)
    machine.admit(12.0, 0.0)
    assert [machine.is_idle(now) for now in (12.0, 14.0, 15.9, 16.0, 99.0)] == [
        False,
        False,
        False,
        True,
        True,
    ]
    for forced in (Signal.FORCE_OPEN, Signal.FORCE_CLOSED):
        machine.force(forced)
        assert machine.is_idle(1e9) is False
    machine.force(Signal.RESET)
    assert machine.is_idle(0.0) is True


def test_a_probe_is_known_by_its_permit_while_it_counts() -> None:
    machine = CircuitBreakerMachine(
        CircuitBreakerOptions(
            failure_threshold=1,
            recovery_timeout=10.0,
            half_open_max_concurrency=2,
            half_open_successes=3,
        )
    )
    plain, _ = machine.admit(0.0, 0.0)
    assert isinstance(plain, Permit)
    assert machine.is_probing(plain) is False
    machine.settle(plain, Verdict.FAILURE, 0.0, 0.0)
    one, two = machine.admit(10.0, 0.0)[0], machine.admit(10.0, 0.0)[0]
    assert isinstance(one, Permit)
    assert isinstance(two, Permit)
    assert (machine.is_probing(one), machine.is_probing(two), machine.is_probing(plain)) == (
        True,
        True,
        False,
    )
    assert not machine.is_probing(Permit(one.generation + 1, one.serial))
    machine.settle(one, Verdict.SUCCESS, 10.0, 0.0)
    assert (machine.is_probing(one), machine.is_probing(two)) == (False, True)
    machine.force(Signal.RESET)
    assert machine.is_probing(two) is False


def test_a_human_ends_the_growth_of_the_open_time_too() -> None:
    machine = CircuitBreakerMachine(
        CircuitBreakerOptions(failure_threshold=1, recovery_timeout=10.0, recovery_growth=2.0)
    )
    for now in (0.0, 10.0):
        permit, _ = machine.admit(now, 0.0)
        assert isinstance(permit, Permit)
        machine.settle(permit, Verdict.FAILURE, now, 0.0)
    assert machine.retry_after(10.0) == 20.0
    machine.force(Signal.RESET)
    permit, _ = machine.admit(10.0, 0.0)
    assert isinstance(permit, Permit)
    machine.settle(permit, Verdict.FAILURE, 10.0, 0.0)
    assert machine.retry_after(10.0) == 10.0


def test_a_probe_settled_twice_changes_nothing_the_second_time() -> None:
    machine = CircuitBreakerMachine(
        CircuitBreakerOptions(failure_threshold=1, recovery_timeout=10.0, half_open_successes=3)
    )
    for now, verdict in ((0.0, Verdict.FAILURE), (10.0, Verdict.SUCCESS)):
        permit, _ = machine.admit(now, 0.0)
        assert isinstance(permit, Permit)
        machine.settle(permit, verdict, now, 0.0)
    assert machine.settle(permit, Verdict.FAILURE, 10.0, 0.0) == ()
    assert (machine.state, machine.successes) == (BreakerState.HALF_OPEN, 1)


def test_a_call_is_slow_only_where_it_is_said_to_be() -> None:
    machine = CircuitBreakerMachine(RAMPED)
    permit, _ = machine.admit(0.0, 0.0)
    assert isinstance(permit, Permit)
    machine.settle(permit, Verdict.SUCCESS, 0.0, 0.0)
    assert machine.tally(0.0).slow == 0


def test_who_finds_no_place_among_the_probes_is_told_when_the_first_lease_ends() -> None:
    machine = CircuitBreakerMachine(
        CircuitBreakerOptions(
            failure_threshold=1, recovery_timeout=10.0, hang_seconds=4.0, half_open_max_concurrency=2
        )
    )
    permit, _ = machine.admit(0.0, 0.0)
    assert isinstance(permit, Permit)
    assert permit.lease_until is None
    machine.settle(permit, Verdict.FAILURE, 0.0, 0.0)
    for now in (10.0, 11.0):
        probe, _ = machine.admit(now, 0.0)
        assert isinstance(probe, Permit)
        assert probe.lease_until == now + 4.0
    assert machine.admit(13.5, 0.0)[0] == Rejection(Refusal.HALF_OPEN_LIMIT, 0.5)


def test_a_ramp_of_less_than_a_second_is_one_too() -> None:
    machine = CircuitBreakerMachine(
        CircuitBreakerOptions(failure_threshold=1, recovery_timeout=10.0, ramp_seconds=0.5)
    )
    for instant, verdict in ((0.0, Verdict.FAILURE), (10.0, Verdict.SUCCESS)):
        permit, _ = machine.admit(instant, 0.0)
        assert isinstance(permit, Permit)
        machine.settle(permit, verdict, instant, 0.0)
    assert machine.admit(10.0, 0.999)[0] == Rejection(Refusal.HALF_OPEN_LIMIT, 0.5)
