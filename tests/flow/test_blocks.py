"""``with policy:`` and ``async with policy:``."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextvars import copy_context

import pytest

from otel_resilience import (
    BreakerState,
    CircuitBreaker,
    CircuitOpenError,
    Deadline,
    Pipeline,
    Retry,
    ServiceTimeoutError,
    Timeout,
)
from otel_resilience.context import attempt, guards
from otel_resilience.events import ExecutionFinished
from otel_resilience.outcome import Outcome
from otel_resilience.testing import ManualClock, Recorder


def test_a_block_that_fails_counts_and_its_error_passes() -> None:
    breaker = CircuitBreaker("b", failure_threshold=1)
    error = OSError()
    with pytest.raises(OSError) as caught, breaker:
        raise error
    assert caught.value is error
    assert breaker.state is BreakerState.OPEN


def test_an_open_circuit_does_not_run_the_block() -> None:
    breaker = CircuitBreaker("b")
    breaker.force_open()
    with pytest.raises(CircuitOpenError), breaker:
        pytest.fail("ran")


def test_one_object_nested_and_shared_is_left_in_order() -> None:
    breaker = CircuitBreaker("b", failure_threshold=1)
    with breaker, pytest.raises(KeyError), breaker:
        raise KeyError
    assert breaker.state is BreakerState.OPEN


def test_a_sync_block_that_ends_late_does_not_raise_and_is_a_timeout() -> None:
    with ManualClock() as clock, Recorder() as seen:
        with Timeout(1.0):
            assert Deadline.current() is not None
            clock.advance(2.0)
        assert Deadline.current() is None
        assert [f.outcome for f in seen.of(ExecutionFinished)] == [Outcome.TIMEOUT]


def test_a_deadline_looked_at_in_a_block_ends_in_a_timeout() -> None:
    with ManualClock() as clock, pytest.raises(ServiceTimeoutError), Timeout(1.0):
        clock.advance(2.0)
        Deadline.check()


@pytest.mark.parametrize("guard", [Retry("r", on=OSError), Pipeline("p", Timeout(1.0), Retry(on=OSError))])
def test_what_may_have_to_call_again_cannot_guard_a_block(guard: Pipeline) -> None:
    with pytest.raises(TypeError, match="cannot guard a block"), guard:
        pytest.fail("ran")


async def test_an_async_block_is_cancelled_by_its_timeout() -> None:
    breaker = CircuitBreaker("b", failure_threshold=1)
    with ManualClock() as clock:

        async def work() -> None:
            async with Pipeline("p", Timeout(2.0), breaker):
                await clock.asleep(60.0)

        pending = asyncio.ensure_future(work())
        await asyncio.sleep(0)
        clock.advance(2.0)
        with pytest.raises(ServiceTimeoutError):
            await pending
    assert breaker.state is BreakerState.OPEN


async def test_many_tasks_in_one_object_keep_apart() -> None:
    breaker = CircuitBreaker("b", failure_threshold=3)

    async def work(number: int) -> None:
        async with breaker:
            await asyncio.sleep(0)
            if number % 2:
                raise OSError

    await asyncio.gather(*(work(number) for number in range(6)), return_exceptions=True)
    snapshot = breaker.snapshot()
    assert (snapshot.successes, snapshot.failures, snapshot.generation) == (3, 1, 0)


def test_blocks_of_generators_that_take_turns_are_told_apart() -> None:
    fails, holds = CircuitBreaker("fails", failure_threshold=1), CircuitBreaker("holds", failure_threshold=1)

    def work(breaker: CircuitBreaker, error: Exception | None) -> Iterator[int]:
        with breaker, Timeout(5.0):
            yield 1
            if error is not None:
                raise error

    failing, holding = work(fails, OSError()), work(holds, None)
    assert [next(failing), next(holding)] == [1, 1]
    with pytest.raises(OSError):
        next(failing)
    assert next(holding, None) is None
    assert (attempt.current(), Deadline.current()) == (None, None)
    assert not guards.is_active("fails")
    assert (fails.state, holds.state) == (BreakerState.OPEN, BreakerState.CLOSED)


def test_a_block_is_left_in_a_copy_of_its_context() -> None:
    """As a web framework does that runs a generator's two halves in its pool of threads."""
    breaker = CircuitBreaker("b", failure_threshold=1)
    entered = copy_context()
    entered.run(breaker.__enter__)
    error = OSError()
    entered.copy().run(breaker.__exit__, OSError, error, None)
    assert breaker.state is BreakerState.OPEN
