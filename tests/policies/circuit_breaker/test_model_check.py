"""A model check: every interleaving of admit, settle, cancel, expire and manual control, and the invariants in each world."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from otel_resilience.outcome import Verdict
from otel_resilience.policies.circuit_breaker.options import CircuitBreakerOptions
from otel_resilience.policies.circuit_breaker.state import (
    BreakerState,
    Change,
    CircuitBreakerMachine,
    Permit,
    Rejection,
    Signal,
)
from tests.policies.circuit_breaker.exploring import Explorer, World, check

CONSECUTIVE = CircuitBreakerOptions(
    failure_threshold=2,
    recovery_timeout=8.0,
    hang_seconds=4.0,
    half_open_max_concurrency=2,
    half_open_successes=2,
    window_calls=1,
)
RATED = CircuitBreakerOptions(
    failure_rate=0.5,
    window_calls=2,
    minimum_calls=2,
    recovery_timeout=4.0,
    hang_seconds=4.0,
    ramp_seconds=4.0,
)
BOUNDED = CircuitBreakerOptions(
    failure_threshold=1,
    recovery_timeout=4.0,
    hang_seconds=8.0,
    half_open_successes=2,
    half_open_max_seconds=4.0,
    window_calls=1,
)


@pytest.mark.parametrize(
    ("options", "draws"),
    [(CONSECUTIVE, (0.0,)), (RATED, (0.0, 0.9)), (BOUNDED, (0.0,))],
    ids=["consecutive", "rated", "bounded"],
)
def test_one_breaker_and_all_that_four_callers_can_do(
    options: CircuitBreakerOptions, draws: tuple[float, ...]
) -> None:
    explorer = Explorer(options, waits=(1.0, 4.0), draws=draws)
    states = set[BreakerState]()

    def visit(world: World) -> None:
        check(world)
        states.update(machine.state for machine in world.machines)

    worlds, deepest = explorer.explore(explorer.begin(1, 4), 60, visit)
    assert states == set(BreakerState)
    assert worlds > 300
    assert deepest < 60, "the search must have ended by itself: there is no world that it has not seen"


def test_two_breakers_and_their_callers_do_not_mix() -> None:
    explorer = Explorer(
        CircuitBreakerOptions(
            failure_threshold=1, recovery_timeout=4.0, hang_seconds=4.0, window_calls=1, minimum_calls=1
        ),
        waits=(2.0,),
    )
    pairs = set[tuple[BreakerState, ...]]()

    def visit(world: World) -> None:
        check(world)
        pairs.add(tuple(machine.state for machine in world.machines))

    worlds, deepest = explorer.explore(explorer.begin(2, 4), 60, visit)
    assert len(pairs) == len(BreakerState) ** 2
    assert worlds > 5_000
    assert deepest < 60, "here too the search ends by itself"


class Wedged(CircuitBreakerMachine):
    """A probe that never returns holds the circuit for ever."""

    __slots__ = ()

    def _expire(self, now: float, draw: float) -> tuple[()]:
        return ()


class Generous(CircuitBreakerMachine):
    """Everybody is a probe."""

    __slots__ = ()

    def _admit_probe(self, now: float) -> Permit | Rejection:
        permit = self._permit(now + self._options.lease)
        assert permit.lease_until is not None
        self._probes[permit.serial] = permit.lease_until
        return permit


class Credulous(CircuitBreakerMachine):
    """A late result counts for the present."""

    __slots__ = ()

    def settle(self, permit: Permit, *rest: Any, **more: Any) -> tuple[Change, ...]:
        return super().settle(replace(permit, generation=self._generation), *rest, **more)


class Losing(CircuitBreakerMachine):
    """A probe that is cancelled does not give its place back."""

    __slots__ = ()

    def settle(self, permit: Permit, verdict: Verdict, *rest: Any, **more: Any) -> tuple[Change, ...]:
        return () if verdict is Verdict.IGNORED else super().settle(permit, verdict, *rest, **more)


class Timeless(CircuitBreakerMachine):
    """What changes begins no generation."""

    __slots__ = ()

    def _move(self, signal: Signal) -> Change:
        change = super()._move(signal)
        self._generation -= 1
        return change


class Stubborn(CircuitBreakerMachine):
    """A human's word is nothing to it while probes run."""

    __slots__ = ()

    def force(self, signal: Signal) -> tuple[Change, ...]:
        return () if self._probes else super().force(signal)


@pytest.mark.parametrize("broken", [Wedged, Generous, Credulous, Losing, Timeless, Stubborn])
def test_the_check_finds_a_machine_that_is_broken(broken: type[CircuitBreakerMachine]) -> None:
    explorer = Explorer(CONSECUTIVE, waits=(4.0,), machine=broken)
    with pytest.raises(AssertionError):
        explorer.explore(explorer.begin(1, 4), 60, check)
