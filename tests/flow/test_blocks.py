"""``with policy:`` and ``async with policy:``."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Iterator
from contextvars import copy_context
from typing import Any

import pytest

from otel_resilience import (
    BreakerState,
    Bulkhead,
    CircuitBreaker,
    CircuitOpenError,
    Deadline,
    Pipeline,
    RateLimiter,
    Retry,
    ServiceTimeoutError,
    Timeout,
)
from otel_resilience.context import attempt, guards
from otel_resilience.events import ExecutionFinished
from otel_resilience.outcome import Outcome
from otel_resilience.testing import ManualClock, Recorder, resilience_off


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
    breaker = CircuitBreaker("b", failure_threshold=1)
    entered = copy_context()
    entered.run(breaker.__enter__)
    error = OSError()
    entered.copy().run(breaker.__exit__, OSError, error, None)
    assert breaker.state is BreakerState.OPEN


GATES: list[Callable[[], Any]] = [
    lambda: CircuitBreaker("b"),
    lambda: Bulkhead("b", max_concurrency=1),
    lambda: RateLimiter("b", rate=100.0),
    lambda: Timeout(60.0),
    lambda: Pipeline("b", Timeout(60.0), Bulkhead(max_concurrency=1)),
]


@pytest.mark.parametrize("make", GATES)
def test_a_block_is_left_in_another_context(make: Callable[[], Any], seen: Recorder) -> None:
    """As a web framework does with a dependency that yields: each half runs in a copy of the request's context."""
    guard = make()

    def dependency() -> Iterator[int]:
        with guard:
            yield 1

    for _ in range(3):
        using = dependency()
        assert copy_context().run(next, using) == 1
        assert copy_context().run(next, using, None) is None
    assert [event.outcome for event in seen.of(ExecutionFinished)] == [Outcome.SUCCESS] * 3


async def test_an_async_block_is_left_by_another_task() -> None:
    """As a test framework does with a fixture that yields."""
    bulkhead = Bulkhead("b", max_concurrency=1)

    async def fixture() -> AsyncIterator[int]:
        async with bulkhead, Timeout(60.0):
            yield 1

    using = fixture()
    await asyncio.ensure_future(anext(using))  # type: ignore[arg-type]  # what anext gives can be awaited
    assert bulkhead.running == 1
    await asyncio.ensure_future(using.aclose())  # type: ignore[attr-defined]  # it is a generator
    assert bulkhead.running == 0


def test_blocks_that_are_left_elsewhere_leave_those_alone_that_are_not() -> None:
    bulkhead = Bulkhead("b", max_concurrency=3)

    def elsewhere() -> Iterator[int]:
        with bulkhead:
            yield 1

    using = elsewhere()
    copy_context().run(next, using)
    with bulkhead:
        assert bulkhead.running == 2
        using.close()  # type: ignore[attr-defined]  # it is a generator
        assert bulkhead.running == 1
        with bulkhead:
            assert bulkhead.running == 2
    assert bulkhead.running == 0


def test_what_was_not_entered_cannot_be_left() -> None:
    breaker = CircuitBreaker("b")
    with breaker, pytest.raises(RuntimeError, match="not entered"):
        CircuitBreaker("c").__exit__(None, None, None)


@pytest.mark.parametrize("make", GATES)
def test_guards_are_turned_off_and_on_while_a_block_is_run(make: Callable[[], Any]) -> None:
    guard = make()
    off = resilience_off()
    with guard:
        off.__enter__()
    with guard:
        off.__exit__(None, None, None)
    with guard, pytest.raises(KeyError):
        off.__enter__()
        with guard:
            off.__exit__(None, None, None)
            raise KeyError
    assert (attempt.current(), Deadline.current()) == (None, None)
    with guard:  # it holds nothing of the others
        pass


async def test_a_timeout_that_was_turned_off_in_its_block_cancels_nobody_later() -> None:
    with ManualClock() as clock:
        off = resilience_off()
        async with Timeout(1.0):
            off.__enter__()
        off.__exit__(None, None, None)
        clock.advance(2.0)
        await asyncio.sleep(0)
        assert Deadline.current() is None


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_child_leaves_the_block_that_it_is_in_and_no_other() -> None:
    breaker = CircuitBreaker("b")
    elsewhere = copy_context()
    elsewhere.run(breaker.__enter__)
    in_child = False
    with breaker:
        pid = os.fork()
        in_child = pid == 0
    if in_child:
        try:
            breaker.__exit__(None, None, None)
        except RuntimeError:
            os._exit(0)
        os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    elsewhere.run(breaker.__exit__, None, None, None)
