"""In mode ``shadow`` everything is decided and told, and nothing is kept back, delayed, repeated or replaced, in every form."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest

from otel_resilience import (
    Bulkhead,
    CircuitBreaker,
    Deadline,
    Fallback,
    FaultInjector,
    Hedge,
    Pipeline,
    RateLimiter,
    Retry,
    Timeout,
)
from otel_resilience.events import (
    ExecutionRejected,
    ExecutionTimedOut,
    FallbackExecuted,
    FaultInjected,
    HedgeStarted,
    RetryScheduled,
)
from otel_resilience.testing import ManualClock, Recorder
from tests.flow.holder import Holder


class Dependency:
    """Each of its forms counts its calls, takes its time, and sees no deadline."""

    def __init__(self, clock: ManualClock, error: Exception | None = None) -> None:
        self.calls = 0
        self._clock = clock
        self._error = error

    def plain(self) -> str:
        self.calls += 1
        self._clock.advance(2.0)
        assert Deadline.current() is None
        if self._error is not None:
            raise self._error
        return "done"

    async def coroutine(self) -> str:
        return self.plain()

    def stream(self) -> Iterator[str]:
        yield self.plain()

    async def async_stream(self) -> AsyncIterator[str]:
        yield self.plain()


def forbidding(*more: Any) -> Pipeline:
    """Nothing would pass it, and nothing would be as it was."""
    breaker, bulkhead = CircuitBreaker(), Bulkhead(max_concurrency=1)
    breaker.force_open()
    Holder(bulkhead)
    limiter = RateLimiter(rate=0.001, max_wait=1.0)
    limiter.call(len, "")
    return Pipeline("shadow", *more, Timeout(1.0), limiter, bulkhead, breaker, mode="shadow")


def strategies() -> tuple[Any, ...]:
    return Fallback("replaced"), Retry(on=Exception), Hedge(after=0.0), FaultInjector()


def in_a_block(guard: Pipeline, dependency: Dependency) -> str:
    with guard:
        return dependency.plain()


async def in_an_async_block(guard: Pipeline, dependency: Dependency) -> str:
    async with guard:
        return await dependency.coroutine()


async def read(guard: Pipeline, dependency: Dependency) -> str:
    return "".join([item async for item in guard(dependency.async_stream)()])


FORMS: dict[str, Callable[[Dependency], str]] = {
    "call": lambda d: forbidding(*strategies()).call(d.plain),
    "decorated": lambda d: forbidding(*strategies())(d.plain)(),
    "acall": lambda d: asyncio.run(forbidding(*strategies()).acall(d.coroutine)),
    "stream": lambda d: "".join(forbidding(*strategies())(d.stream)()),
    "async stream": lambda d: asyncio.run(read(forbidding(*strategies()), d)),
    "block": lambda d: in_a_block(forbidding(), d),
    "async block": lambda d: asyncio.run(in_an_async_block(forbidding(), d)),
}


@pytest.mark.parametrize("form", FORMS)
def test_everything_is_told_and_nothing_is_done(form: str, clock: ManualClock, seen: Recorder) -> None:
    dependency = Dependency(clock)
    assert FORMS[form](dependency) == "done"
    assert dependency.calls == 1
    assert {(event.reason, event.enforced) for event in seen.of(ExecutionRejected)} == {
        ("rate_limited", False),
        ("bulkhead_full", False),
        ("circuit_open", False),
    }
    assert [event.enforced for event in seen.of(ExecutionTimedOut)] == [False]
    assert not (seen.of(HedgeStarted) or seen.of(FaultInjected) or seen.of(RetryScheduled))
    assert clock.slept == []


@pytest.mark.parametrize("form", FORMS)
def test_a_failure_stays_the_very_failure(form: str, clock: ManualClock, seen: Recorder) -> None:
    error = OSError()
    dependency = Dependency(clock, error)
    with pytest.raises(OSError) as caught:
        FORMS[form](dependency)
    assert caught.value is error
    assert dependency.calls == 1
    assert [event.enforced for event in seen.of(FallbackExecuted)] == ([] if "block" in form else [False])
