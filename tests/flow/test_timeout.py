"""Deadlines and cancellation: a thread is told, a task is ended."""

from __future__ import annotations

import asyncio

import pytest

from otel_resilience import (
    BreakerState,
    CircuitBreaker,
    CircuitOpenError,
    Deadline,
    DeadlineExceededError,
    Pipeline,
    Retry,
    ServiceTimeoutError,
    Timeout,
)
from otel_resilience.context import deadline
from otel_resilience.events import (
    ExecutionFinished,
    ExecutionRejected,
    ExecutionTimedOut,
)
from otel_resilience.outcome import Outcome
from otel_resilience.testing import ManualClock, Recorder
from tests.flow.flaky import Flaky, no_wait
from tests.worlds import World


def test_a_late_result_of_a_thread_is_returned_counted_and_not_retried(
    clock: ManualClock, seen: Recorder
) -> None:
    breaker = CircuitBreaker(failure_threshold=1)
    calls = []

    def slow() -> str:
        calls.append(1)
        clock.advance(3.0)
        return "late"

    guard = Pipeline("p", Retry(on=Exception, results=lambda value: True), breaker, Timeout(2.0))
    assert guard.call(slow) == "late"
    assert calls == [1]
    assert breaker.state is BreakerState.OPEN
    assert [f.outcome for f in seen.of(ExecutionFinished)] == [Outcome.TIMEOUT]
    assert [t.seconds for t in seen.of(ExecutionTimedOut)] == [2.0]


def test_a_breaker_inside_the_timeout_learns_of_a_late_result_too(clock: ManualClock) -> None:
    breaker = CircuitBreaker(failure_threshold=1)
    guard = Pipeline("p", Timeout(2.0), breaker)
    guard.call(lambda: clock.advance(2.0))
    assert breaker.state is BreakerState.OPEN
    with pytest.raises(CircuitOpenError) as caught:
        guard.call(lambda: None)
    assert caught.value.cause is not None
    assert caught.value.cause.code == "SERVICE_TIMEOUT"


async def test_a_manual_clock_that_moves_by_itself_times_out_too(clock: ManualClock) -> None:
    with pytest.raises(ServiceTimeoutError):
        await Timeout(2.0).acall(clock.asleep, 60.0)


def test_a_deadline_that_is_looked_at_ends_in_a_timeout(
    world: World, clock: ManualClock, seen: Recorder
) -> None:
    breaker = CircuitBreaker(failure_threshold=1)

    def work() -> None:
        current = Deadline.current()
        assert current is not None
        assert current.remaining() == pytest.approx(2.0)
        clock.advance(2.5)
        Deadline.check()

    with pytest.raises(ServiceTimeoutError) as caught:
        world.call(Pipeline("p", Timeout(2.0), breaker), work)
    assert isinstance(caught.value.__cause__, DeadlineExceededError)
    assert caught.value.retryable is False
    assert breaker.state is BreakerState.OPEN
    assert [f.outcome for f in seen.of(ExecutionFinished)] == [Outcome.TIMEOUT]
    assert Deadline.current() is None


def test_a_call_behind_its_deadline_is_refused_before_it_begins(
    world: World, clock: ManualClock, seen: Recorder
) -> None:
    token = deadline.tighten(1.0)
    try:
        clock.advance(1.0)
        never = Flaky(0)
        with pytest.raises(DeadlineExceededError):
            world.call(Pipeline("p", Timeout(5.0)), never)
    finally:
        deadline.restore(token)
    assert never.calls == 0
    assert [(r.reason, r.policy_type) for r in seen.of(ExecutionRejected)] == [
        ("deadline_exceeded", "timeout")
    ]
    assert [f.outcome for f in seen.of(ExecutionFinished)] == [Outcome.REJECTED]


def test_a_deadline_that_was_inherited_is_told_as_what_was_left_of_it(
    world: World, clock: ManualClock, seen: Recorder
) -> None:
    def look() -> None:
        clock.advance(2.0)
        Deadline.check()

    token = deadline.tighten(1.5)
    try:
        with pytest.raises(
            ServiceTimeoutError, match=r"took longer than the 1\.5 s that were left of its deadline$"
        ):
            world.call(Timeout(5.0), look)
    finally:
        deadline.restore(token)
    assert [event.seconds for event in seen.of(ExecutionTimedOut)] == [1.5]


def test_an_attempt_that_times_out_is_retried_and_the_whole_call_is_not(clock: ManualClock) -> None:
    attempts = []

    def work() -> str:
        attempts.append(clock.monotonic())
        if len(attempts) == 1:
            clock.advance(1.5)
            Deadline.check()
        return "done"

    guard = Pipeline("p", Timeout(5.0), Retry(on=ServiceTimeoutError, backoff=no_wait()), Timeout(1.0))
    assert guard.call(work) == "done"
    assert len(attempts) == 2


async def test_asyncio_cancels_what_takes_too_long() -> None:
    cancelled = []

    async def hang() -> None:
        try:
            await manual.asleep(60.0)
        except asyncio.CancelledError:
            cancelled.append(True)
            raise

    breaker = CircuitBreaker(failure_threshold=1)
    with ManualClock() as manual:
        pending = asyncio.ensure_future(Pipeline("p", Timeout(2.0), breaker).acall(hang))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        manual.advance(2.0)
        with pytest.raises(ServiceTimeoutError):
            await pending
    assert cancelled == [True]
    assert breaker.state is BreakerState.OPEN


async def test_somebody_elses_cancellation_is_not_taken_for_our_timeout() -> None:
    breaker = CircuitBreaker(failure_threshold=1)
    with ManualClock() as manual, Recorder() as seen:
        pending = asyncio.ensure_future(Pipeline("p", Timeout(60.0), breaker).acall(manual.asleep, 30.0))
        await asyncio.sleep(0)
        pending.cancel()
        with pytest.raises(asyncio.CancelledError):
            await pending
        assert breaker.state is BreakerState.CLOSED
        assert [f.outcome for f in seen.of(ExecutionFinished)] == [Outcome.CANCELLED]


async def test_siblings_never_see_each_others_deadline() -> None:
    seen: dict[str, float | None] = {}

    async def look(name: str) -> None:
        await asyncio.sleep(0)
        seen[name] = deadline.remaining()

    with ManualClock():
        await asyncio.gather(Pipeline("p", Timeout(2.0)).acall(look, "guarded"), look("sibling"))
    assert seen == {"guarded": pytest.approx(2.0), "sibling": None}
