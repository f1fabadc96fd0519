"""Calls that nobody brings to their end: nothing is counted against the dependency, and nothing is complained of."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Generator
from contextvars import copy_context

import pytest

from otel_resilience import BreakerState, CircuitBreaker, Pipeline, ServiceTimeoutError, Timeout
from otel_resilience.events import ExecutionFinished
from otel_resilience.outcome import Outcome
from otel_resilience.testing import ManualClock, Recorder

pytestmark = pytest.mark.filterwarnings("error::pytest.PytestUnraisableExceptionWarning")


class Forever:
    def __await__(self) -> Generator[None, None, None]:
        yield


async def forever() -> None:
    await Forever()


def guarded() -> tuple[CircuitBreaker, Pipeline]:
    breaker = CircuitBreaker(failure_threshold=1)
    return breaker, Pipeline("abandoned", Timeout(3.0), breaker, trace=True)


def test_a_parked_call_that_is_never_finished() -> None:
    breaker, pipeline = guarded()
    parked = pipeline.park()
    del parked
    gc.collect()
    assert breaker.state is BreakerState.CLOSED


def test_a_coroutine_that_is_closed_in_another_context() -> None:
    breaker, pipeline = guarded()

    async def main() -> None:
        coroutine = pipeline.acall(forever)
        copy_context().run(coroutine.send, None)
        coroutine.close()
        gc.collect()

    asyncio.run(main())
    assert breaker.state is BreakerState.CLOSED


class TestCancelledByTheTimeoutOfACallAround:
    """The deadline is somebody else's, and yet it says that the dependency hangs."""

    def test_is_a_timeout_and_a_failure(self) -> None:
        breaker = CircuitBreaker("inner", failure_threshold=1)

        async def outer() -> None:
            await breaker.acall(asyncio.sleep, 3600.0)

        async def main() -> None:
            with pytest.raises(ServiceTimeoutError):
                await Timeout(0.01).acall(outer)

        with Recorder() as seen:
            asyncio.run(main())
        assert breaker.state is BreakerState.OPEN
        ended = {event.name: event.outcome for event in seen.of(ExecutionFinished)}
        assert ended["inner"] is Outcome.TIMEOUT

    def test_a_caller_that_leaves_before_it_says_nothing(self) -> None:
        breaker = CircuitBreaker("inner", failure_threshold=1)

        async def outer() -> None:
            await breaker.acall(asyncio.sleep, 3600.0)

        async def main() -> None:
            task = asyncio.create_task(Timeout(60.0).acall(outer))
            await asyncio.sleep(0)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

        asyncio.run(main())
        assert breaker.state is BreakerState.CLOSED

    def test_a_result_after_it_is_what_it_is(self) -> None:
        breaker = CircuitBreaker("inner", failure_threshold=1)
        with ManualClock() as clock:
            Timeout(1.0).call(lambda: breaker.call(clock.advance, 2.0))
        assert breaker.state is BreakerState.CLOSED
