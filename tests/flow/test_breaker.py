"""What opens a circuit and what does not, for threads and for asyncio alike."""

from __future__ import annotations

import asyncio

import pytest

from otel_resilience import (
    BreakerState,
    CircuitBreaker,
    CircuitOpenError,
    Pipeline,
    Retry,
)
from otel_resilience.events import (
    CircuitStateChanged,
    ExecutionFinished,
    ExecutionRejected,
    RetrySuppressed,
)
from otel_resilience.outcome import Outcome
from otel_resilience.testing import Draws, ManualClock, Recorder
from tests.flow.flaky import Flaky
from tests.worlds import World


def test_the_circuit_opens_rejects_probes_and_closes(
    world: World, clock: ManualClock, seen: Recorder
) -> None:
    breaker = CircuitBreaker("ledger", failure_threshold=2, recovery_timeout=10.0)
    with Draws([0.0]):
        for _ in range(2):
            with pytest.raises(OSError):
                world.call(breaker, Flaky(1))
        assert breaker.state is BreakerState.OPEN
        never = Flaky(0)
        with pytest.raises(CircuitOpenError) as caught:
            world.call(breaker, never)
        assert never.calls == 0
        assert (caught.value.error_code, caught.value.retryable) == ("CIRCUIT_OPEN", False)
        assert caught.value.retry_after == pytest.approx(10.0)
        assert caught.value.cause is not None and caught.value.cause.code == "INTERNAL"
        clock.advance(10.0)
        assert breaker.state is BreakerState.OPEN
        world.call(breaker, Flaky(0))
    assert breaker.state is BreakerState.CLOSED
    assert [(c.previous_state, c.state) for c in seen.of(CircuitStateChanged)] == [
        ("closed", "open"),
        ("open", "half_open"),
        ("half_open", "closed"),
    ]
    assert [(r.policy_type, r.reason, r.enforced) for r in seen.of(ExecutionRejected)] == [
        ("circuit_breaker", "circuit_open", True)
    ]
    assert [f.outcome for f in seen.of(ExecutionFinished)] == [
        Outcome.FAILURE,
        Outcome.FAILURE,
        Outcome.REJECTED,
        Outcome.SUCCESS,
    ]


def test_an_open_circuit_is_not_retried(world: World, clock: ManualClock, seen: Recorder) -> None:
    breaker = CircuitBreaker("ledger")
    breaker.force_open()
    with pytest.raises(CircuitOpenError):
        world.call(Pipeline("p", Retry(on=Exception), breaker), Flaky(0))
    assert clock.slept == []
    assert [s.reason for s in seen.of(RetrySuppressed)] == ["circuit_open"]


def test_an_exception_that_is_no_failure_leaves_the_breaker_alone(world: World) -> None:
    breaker = CircuitBreaker(failure_threshold=1, failures=OSError)
    with pytest.raises(KeyError):
        world.call(breaker, Flaky(1, error=KeyError))
    assert breaker.state is BreakerState.CLOSED


def test_results_can_be_failures(world: World, seen: Recorder) -> None:
    breaker = CircuitBreaker(failure_threshold=1, failure_results=lambda value: value == "sick")
    assert world.call(breaker, lambda: "sick") == "sick"
    assert breaker.state is BreakerState.OPEN


def test_a_predicate_that_raises_loses_no_permit(world: World) -> None:
    def judge(value: object) -> bool:
        raise RuntimeError("a bug of the user's")

    breaker = CircuitBreaker(failure_threshold=1, failure_results=judge)
    assert world.call(breaker, lambda: "fine") == "fine"
    assert breaker.state is BreakerState.OPEN


@pytest.mark.parametrize("leaving", [KeyboardInterrupt, SystemExit, GeneratorExit])
def test_leaving_the_process_says_nothing_of_the_dependency(
    leaving: type[BaseException], seen: Recorder
) -> None:
    breaker = CircuitBreaker(failure_threshold=1)
    flaky = Flaky(9, error=leaving)
    with pytest.raises(leaving):
        Pipeline("p", Retry(on=Exception), breaker).call(flaky)
    assert flaky.calls == 1
    assert breaker.state is BreakerState.CLOSED
    assert [f.outcome for f in seen.of(ExecutionFinished)] == [Outcome.CANCELLED]


def test_ten_thousand_rejections_leave_no_growing_traceback() -> None:
    breaker = CircuitBreaker("p")
    breaker.force_open()
    depths = set()
    for _ in range(10_000):
        try:
            breaker.call(lambda: None)
        except CircuitOpenError as error:
            at, depth = error.__traceback__, 0
            while at is not None:
                at, depth = at.tb_next, depth + 1
            depths.add(depth)
    assert len(depths) == 1


async def test_a_dependency_that_hangs_behind_an_outer_timeout_opens_the_breaker() -> None:
    breaker = CircuitBreaker(failure_threshold=1, hang_seconds=5.0)
    with ManualClock() as manual:
        pending = asyncio.ensure_future(breaker.acall(manual.asleep, 30.0))
        await asyncio.sleep(0)
        manual.advance(5.0)
        pending.cancel()
        with pytest.raises(asyncio.CancelledError):
            await pending
    assert breaker.state is BreakerState.OPEN
