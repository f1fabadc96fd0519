"""A healthy call through any one policy, in any form, calls nothing of OpenTelemetry, in no thread."""

from __future__ import annotations

import asyncio
import os
import sys
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from types import FrameType
from typing import Any

import pytest

from otel_resilience import (
    Bulkhead,
    CircuitBreaker,
    Fallback,
    FaultInjector,
    Hedge,
    Pipeline,
    RateLimiter,
    Retry,
    Timeout,
    TimeoutHandler,
)
from tests.telemetry.observatory import Observatory

#: Each makes a policy that nobody has used.
POLICIES: dict[str, Callable[[], Any]] = {
    "breaker": lambda: CircuitBreaker("healthy"),
    "breaker by rates": lambda: CircuitBreaker(
        "healthy", failure_rate=0.5, slow_call_seconds=5.0, slow_call_rate=0.5
    ),
    "breaker of a key": lambda: CircuitBreaker("healthy").for_key("a"),
    "retry": lambda: Retry("healthy", on=OSError),
    "timeout": lambda: Timeout(30.0),
    "timeout in a thread": lambda: Timeout(30.0, thread=True),
    "bulkhead": lambda: Bulkhead("healthy", max_concurrency=2, max_queue=1),
    "limiter": lambda: RateLimiter("healthy", rate=1000.0),
    "hedge": lambda: Hedge(after=30.0),
    "hedge by quantile": lambda: Hedge(after_quantile=0.9),
    "fallback": lambda: Fallback(None),
    "last good": lambda: Fallback.last_good(),
    "fault": lambda: FaultInjector(rate=0.0),
    "pipeline": lambda: Pipeline("healthy", Timeout(30.0), Retry(on=OSError), CircuitBreaker()),
    "pipeline in shadow": lambda: Pipeline("healthy", Timeout(30.0), CircuitBreaker(), mode="shadow"),
}
BLOCKS = ("breaker", "breaker by rates", "breaker of a key", "timeout", "bulkhead", "limiter")


def calls_into_opentelemetry(run: Callable[[], object]) -> list[str]:
    """The functions of the API and the SDK that ``run`` calls, in this thread and in those that it begins."""
    seen: list[str] = []

    def profile(frame: FrameType, event: str, argument: Any) -> None:
        if event == "call" and f"{os.sep}opentelemetry{os.sep}" in frame.f_code.co_filename:
            seen.append(frame.f_code.co_qualname)

    threading.setprofile(profile)
    sys.setprofile(profile)
    try:
        run()
    finally:
        sys.setprofile(None)
        threading.setprofile(None)
    return seen


async def coroutine() -> None:
    return None


def stream() -> Iterator[int]:
    yield from range(3)


async def async_stream() -> AsyncIterator[int]:
    for number in range(3):
        yield number


def in_a_task(policy: Any) -> None:
    asyncio.run(policy.acall(coroutine))


def as_streams(policy: Any) -> None:
    async def read() -> list[int]:
        return [number async for number in policy(async_stream)()]

    assert list(policy(stream)()) == asyncio.run(read()) == [0, 1, 2]


def as_blocks(policy: Any) -> None:
    async def enter() -> None:
        async with policy:
            pass

    with policy:
        pass
    asyncio.run(enter())


@pytest.mark.parametrize("kind", POLICIES)
def test_a_healthy_call_calls_nothing_of_opentelemetry(kind: str, observatory: Observatory) -> None:
    policy = POLICIES[kind]()
    with observatory.tracer().start_as_current_span("work"):
        for _ in range(2):  # the first call of all may make what the others find
            assert calls_into_opentelemetry(lambda: policy.call(len, "")) == []
            assert calls_into_opentelemetry(lambda: in_a_task(policy)) == []
            if "thread" not in kind:
                assert calls_into_opentelemetry(lambda: as_streams(policy)) == []
            if kind in BLOCKS:
                assert calls_into_opentelemetry(lambda: as_blocks(policy)) == []


def test_nor_does_a_call_by_the_timeout_handler(observatory: Observatory) -> None:
    with TimeoutHandler(default=30.0) as handler, observatory.tracer().start_as_current_span("work"):
        assert calls_into_opentelemetry(lambda: handler.call_with_timeout("ledger", "read", dict)) == []
        run = calls_into_opentelemetry(
            lambda: asyncio.run(handler.acall_with_timeout("ledger", "read", coroutine))
        )
        assert run == []


def test_the_spy_sees_other_threads_too(observatory: Observatory) -> None:
    span = observatory.tracer().start_span("work")
    guard = Timeout(30.0, thread=True)
    assert "Span.end" in calls_into_opentelemetry(lambda: guard.call(span.end))
