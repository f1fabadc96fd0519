"""Retrying, for threads and for asyncio alike."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from otel_resilience import (
    Backoff,
    CircuitBreaker,
    Pipeline,
    RetriesExhaustedError,
    Retry,
    RetryBudget,
    Timeout,
)
from otel_resilience.context import request
from otel_resilience.events import (
    AttemptFinished,
    ExecutionFinished,
    RetryExhausted,
    RetryFinished,
    RetryScheduled,
    RetrySuppressed,
)
from otel_resilience.outcome import Outcome
from otel_resilience.testing import Draws, ManualClock, Recorder
from tests.flow.flaky import Flaky, no_wait
from tests.worlds import World


def test_retry_until_it_works(world: World, clock: ManualClock, seen: Recorder) -> None:
    flaky = Flaky(2)
    guard = Pipeline("p", Retry(on=OSError, backoff=Backoff(initial=1.0, jitter="none")))
    assert world.call(guard, flaky) == "done"
    assert flaky.calls == 3
    assert clock.slept == [1.0, 2.0]
    assert [(s.attempt, s.delay, s.error_code) for s in seen.of(RetryScheduled)] == [
        (2, 1.0, "INTERNAL"),
        (3, 2.0, "INTERNAL"),
    ]
    assert [f.result for f in seen.of(RetryFinished)] == ["success_with_retry"]
    assert [(a.attempt_type, a.outcome) for a in seen.of(AttemptFinished)] == [
        ("initial", Outcome.FAILURE),
        ("retry", Outcome.FAILURE),
        ("retry", Outcome.SUCCESS),
    ]


def test_the_last_error_itself_ends_an_exhausted_retry(
    world: World, clock: ManualClock, seen: Recorder
) -> None:
    errors = [OSError(number) for number in range(3)]
    waiting = list(errors)

    def fail() -> None:
        raise waiting.pop(0)

    with pytest.raises(OSError) as caught:
        world.call(Pipeline("p", Retry(on=OSError)), fail)
    assert caught.value is errors[-1]
    assert [e.attempts for e in seen.of(RetryExhausted)] == [3]
    assert [f.result for f in seen.of(RetryFinished)] == ["failure_with_retry"]


def test_results_that_ask_for_another_try(world: World, clock: ManualClock) -> None:
    flaky = Flaky(0, value=None)
    with pytest.raises(RetriesExhaustedError) as caught:
        world.call(Pipeline("p", Retry(on=OSError, results=lambda value: value is None)), flaky)
    assert flaky.calls == 3
    assert caught.value.last_result is None
    assert caught.value.error_code == "MAX_RETRIES_EXCEEDED"


def test_other_errors_are_not_retried(world: World, seen: Recorder) -> None:
    flaky = Flaky(5, error=ValueError)
    with pytest.raises(ValueError):
        world.call(Pipeline("p", Retry(on=OSError)), flaky)
    assert flaky.calls == 1
    assert [f.result for f in seen.of(RetryFinished)] == ["failure_without_retry"]


def test_an_empty_budget_ends_the_retrying(world: World, clock: ManualClock, seen: Recorder) -> None:
    flaky = Flaky(5)
    guard = Pipeline("p", Retry(on=OSError, budget=RetryBudget(ratio=0, min_per_second=0)))
    with pytest.raises(OSError):
        world.call(guard, flaky)
    assert flaky.calls == 1
    assert [s.reason for s in seen.of(RetrySuppressed)] == ["budget"]


def test_three_nested_retries_make_three_calls_not_twenty_seven(
    world: World, clock: ManualClock, seen: Recorder
) -> None:
    flaky = Flaky(99)
    guard = Pipeline("p", Retry("a", on=OSError), Retry("b", on=OSError), Retry("c", on=OSError))
    with pytest.raises(OSError):
        world.call(guard, flaky)
    assert flaky.calls == 3
    assert [s.reason for s in seen.of(RetrySuppressed)] == ["nested", "nested"]


@pytest.mark.parametrize(
    ("inner", "reason"),
    [
        (lambda: Retry("inner", on=OSError, backoff=no_wait()), "nested"),
        (lambda: CircuitBreaker(failure_threshold=1, recovery_timeout=1e6), "circuit_open"),
    ],
)
async def test_what_a_task_group_raises_is_retried_no_more_than_each_of_its_members(
    inner: Callable[[], Any], reason: str, seen: Recorder
) -> None:
    guard, flaky = inner(), Flaky(99)
    if reason == "circuit_open":
        guard.force_open()

    async def fan_out() -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(guard.acall(flaky))
            group.create_task(asyncio.sleep(0))

    with pytest.raises(ExceptionGroup):
        await Retry("outer", on=Exception, backoff=no_wait()).acall(fan_out)
    assert flaky.calls == (3 if reason == "nested" else 0)
    assert [event.reason for event in seen.of(RetrySuppressed)] == [reason]


def test_a_group_is_retried_where_it_is_said_to_be(world: World, clock: ManualClock) -> None:
    flaky = Flaky(2, error=lambda: ExceptionGroup("g", [OSError()]))
    assert world.call(Retry("group", on=ExceptionGroup), flaky) == "done"
    flaky = Flaky(2, error=lambda: ExceptionGroup("g", [OSError()]))
    with pytest.raises(ExceptionGroup):
        world.call(Retry("members", on=OSError), flaky)
    assert flaky.calls == 1, "what it is to be retried on was said: an OSError"


def test_a_request_that_is_a_retry_is_not_retried_below(
    world: World, clock: ManualClock, seen: Recorder
) -> None:
    token = request.enter(request.Request(attempt=2))
    try:
        flaky = Flaky(99)
        with pytest.raises(OSError):
            world.call(Pipeline("p", Retry(on=OSError)), flaky)
    finally:
        request.leave(token)
    assert flaky.calls == 1
    assert [s.reason for s in seen.of(RetrySuppressed)] == ["nested"]


def test_retry_after_is_waited_for_and_a_longer_one_ends_the_retrying(
    world: World, clock: ManualClock, seen: Recorder
) -> None:
    class Busy(Exception):
        def __init__(self, retry_after: float) -> None:
            self.retry_after = retry_after

    with Draws([0.0]):
        flaky = Flaky(1, error=lambda: Busy(7.0))
        world.call(Pipeline("p", Retry(on=Busy)), flaky)
    assert clock.slept == [7.0]
    flaky = Flaky(1, error=lambda: Busy(31.0))
    with pytest.raises(Busy):
        world.call(Pipeline("q", Retry(on=Busy)), flaky)
    assert flaky.calls == 1
    assert [s.reason for s in seen.of(RetrySuppressed)] == ["not_retryable"]


def test_no_retry_that_the_deadline_would_not_see(world: World, clock: ManualClock, seen: Recorder) -> None:
    flaky = Flaky(99)
    guard = Pipeline("p", Timeout(2.5), Retry(on=OSError, backoff=Backoff(initial=1.0, jitter="none")))
    with pytest.raises(OSError):
        world.call(guard, flaky)
    assert flaky.calls == 2
    assert [s.reason for s in seen.of(RetrySuppressed)] == ["deadline"]


def test_max_elapsed_bounds_the_retrying(world: World, clock: ManualClock, seen: Recorder) -> None:
    flaky = Flaky(99)
    retry = Retry(on=OSError, max_attempts=9, max_elapsed=3.0, backoff=Backoff(initial=1.0, jitter="none"))
    with pytest.raises(OSError):
        world.call(Pipeline("p", retry), flaky)
    assert flaky.calls == 2


async def test_a_cancelled_wait_between_attempts_ends_the_call() -> None:
    flaky = Flaky(99)
    breaker = CircuitBreaker(half_open_max_concurrency=1)
    with ManualClock() as manual, Recorder() as seen:
        guard = Pipeline("p", breaker, Retry(on=OSError, backoff=Backoff(initial=5.0, jitter="none")))
        pending = asyncio.ensure_future(guard.acall(flaky))
        await asyncio.sleep(0)
        pending.cancel()
        with pytest.raises(asyncio.CancelledError):
            await pending
        assert flaky.calls == 1
        assert [f.outcome for f in seen.of(ExecutionFinished)] == [Outcome.CANCELLED]
        assert manual.slept == [5.0]
