"""A model check: every interleaving of admit, settle, cancel, expire and manual control, and the invariants in each world."""

from __future__ import annotations

import pytest

from otel_resilience.outcome import Verdict
from otel_resilience.policies.circuit_breaker.options import CircuitBreakerOptions
from otel_resilience.policies.circuit_breaker.state import BreakerState, CircuitBreakerMachine, Permit
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

    worlds, _ = explorer.explore(explorer.begin(2, 4), 9, visit)
    assert len(pairs) == len(BreakerState) ** 2
    assert worlds > 1000


def test_the_check_finds_a_machine_that_forgets_a_lease() -> None:
    """The check is checked: a breaker whose probes never expire wedges, and is found out."""

    class Forgetful(CircuitBreakerMachine):
        __slots__ = ()

        def _expire(self, now: float, draw: float) -> tuple[()]:
            return ()

    wedged = Forgetful(CONSECUTIVE)
    for now in (0.0, 0.0):
        permit, _ = wedged.admit(now, 0.0)
        assert isinstance(permit, Permit)
        wedged.settle(permit, Verdict.FAILURE, now, 0.0)
    lost = [wedged.admit(20.0, 0.0)[0] for _ in range(2)]
    world = World((wedged,), (), tuple((0, permit) for permit in lost if isinstance(permit, Permit)), 20.0)
    with pytest.raises(AssertionError):
        check(world)
