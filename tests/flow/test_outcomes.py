"""What callers get and listeners hear, for threads and for asyncio alike."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from otel_resilience import (
    BreakerState,
    BulkheadFullError,
    CircuitBreaker,
    Deadline,
    DeadlineExceededError,
    Pipeline,
    RateLimitedError,
    Retry,
    ServiceTimeoutError,
    Timeout,
)
from otel_resilience.events import (
    AttemptFinished,
    ExecutionFinished,
    ExecutionRejected,
    ExecutionTimedOut,
)
from otel_resilience.outcome import Outcome
from otel_resilience.testing import ManualClock, Recorder
from tests.flow.flaky import Flaky
from tests.worlds import World


def test_a_value_passes_through_as_it_is(world: World, seen: Recorder) -> None:
    value = object()
    assert world.call(Pipeline("passes"), lambda: value) is value
    # By name: a thread that another test left behind may come to its end here.
    (finished,) = [each for each in seen.of(ExecutionFinished) if each.name == "passes"]
    assert (finished.outcome, finished.error_type, finished.counted) == (Outcome.SUCCESS, None, True)
    attempts = [each for each in seen.of(AttemptFinished) if each.name == "passes"]
    assert [each.attempt_type for each in attempts] == ["initial"]


def test_the_functions_own_error_is_raised_as_the_same_object_with_its_cause(world: World) -> None:
    original = KeyError("mine")
    original.__cause__ = OSError("below")

    def fail() -> None:
        raise original

    guard = Pipeline("p", Timeout(5.0), Retry(on=OSError), CircuitBreaker())
    with pytest.raises(KeyError) as caught:
        world.call(guard, fail)
    assert caught.value is original
    assert isinstance(caught.value.__cause__, OSError)
    assert caught.value.__context__ is None


def deep(error: Exception, depth: int) -> Exception:
    for _ in range(depth):
        error = ExceptionGroup("g", [error])
    return error


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (lambda: ExceptionGroup("g", [BulkheadFullError(), RateLimitedError()]), Outcome.REJECTED),
        (lambda: deep(BulkheadFullError(), 10), Outcome.REJECTED),
        (lambda: ExceptionGroup("g", [BulkheadFullError(), OSError()]), Outcome.FAILURE),
        (lambda: ExceptionGroup("g", [ServiceTimeoutError()]), Outcome.TIMEOUT),
        (lambda: ExceptionGroup("g", [DeadlineExceededError()]), Outcome.TIMEOUT),
        (lambda: ExceptionGroup("g", [OSError()]), Outcome.FAILURE),
        (lambda: BaseExceptionGroup("g", [SystemExit()]), Outcome.CANCELLED),
        (lambda: BaseExceptionGroup("g", [asyncio.CancelledError(), OSError()]), Outcome.CANCELLED),
        (lambda: deep(OSError(), 100), Outcome.FAILURE),
    ],
)
def test_a_group_is_what_all_of_its_members_are(
    world: World, seen: Recorder, error: Callable[[], BaseException], outcome: Outcome
) -> None:
    with pytest.raises(BaseExceptionGroup):
        world.call(CircuitBreaker(), Flaky(1, error=error))
    assert [event.outcome for event in seen.of(ExecutionFinished)] == [outcome]


def test_nested_guards_of_one_name_count_a_call_once(world: World, seen: Recorder) -> None:
    breaker = CircuitBreaker("p")
    world.call(Pipeline("p"), lambda: breaker.call(lambda: 1))
    assert [f.counted for f in seen.of(ExecutionFinished)] == [False, True]


def test_shadow_decides_and_counts_but_never_blocks_delays_or_retries(
    world: World, clock: ManualClock, seen: Recorder
) -> None:
    breaker = CircuitBreaker("p", failure_threshold=1)
    guard = Pipeline("p", Timeout(1.0), Retry(on=OSError), breaker, mode="shadow")
    flaky = Flaky(1)
    with pytest.raises(OSError):
        world.call(guard, flaky)
    assert flaky.calls == 1
    assert breaker.state is BreakerState.OPEN
    assert world.call(guard, flaky) == "done"
    assert [r.enforced for r in seen.of(ExecutionRejected)] == [False]
    assert Deadline.current() is None
    world.call(guard, lambda: clock.advance(1.0))
    assert [t.enforced for t in seen.of(ExecutionTimedOut)] == [False]


def test_off_is_as_if_nothing_were_there(world: World, seen: Recorder) -> None:
    breaker = CircuitBreaker("p")
    breaker.force_open()
    forced = len(seen.events)
    assert world.call(Pipeline("p", breaker, mode="off"), lambda: 1) == 1
    assert seen.events[forced:] == []
