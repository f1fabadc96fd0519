"""A failed call is freed at once: its exception, and all that the user's frames hold, wait for no garbage collector.

In an outage every call fails. What each of them leaves in a cycle is there until the collector comes, which may be long after.
"""

from __future__ import annotations

import asyncio
import gc
import weakref
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest

from otel_resilience import (
    Bulkhead,
    CircuitBreaker,
    CircuitOpenError,
    Deadline,
    Fallback,
    FaultInjector,
    Hedge,
    Pipeline,
    RateLimiter,
    Retry,
    Timeout,
)
from otel_resilience.testing import ManualClock
from tests.flow.flaky import no_wait


class AppError(Exception):
    pass


GUARDS: dict[str, Callable[[], Any]] = {
    "breaker": lambda: CircuitBreaker(failure_threshold=1_000),
    "bulkhead": lambda: Bulkhead(max_concurrency=1),
    "limiter": lambda: RateLimiter(rate=1_000.0),
    "timeout": lambda: Timeout(60.0),
    "timeout in a thread": lambda: Timeout(60.0, thread=True),
    "retry": lambda: Retry(on=AppError, backoff=no_wait()),
    "hedge": lambda: Hedge(after=60.0),
    "fallback": lambda: Fallback(None, on=KeyError),
    "fault": lambda: FaultInjector(error=AppError),
    "pipeline": lambda: Pipeline(
        "p",
        Timeout(60.0),
        Retry(on=AppError, backoff=no_wait()),
        CircuitBreaker(failure_threshold=1_000),
    ),
    "traced": lambda: Pipeline("p", Timeout(60.0), CircuitBreaker(), trace=True),
}


@pytest.fixture(autouse=True)
def no_collector() -> Iterator[None]:
    gc.disable()
    yield
    gc.enable()


def freed(work: Callable[[], object], expected: type[BaseException] = AppError) -> bool:
    """Whether the exception that ``work`` ends with is gone as soon as nobody holds it."""
    error: weakref.ref[BaseException] | None = None
    try:
        work()
    except expected as raised:
        error = weakref.ref(raised)
    assert error is not None
    return error() is None


def fail() -> None:
    raise AppError


async def afail() -> None:
    raise AppError


def fail_later() -> Iterator[int]:
    yield 1
    raise AppError


async def afail_later() -> AsyncIterator[int]:
    yield 1
    raise AppError


@pytest.mark.parametrize("kind", GUARDS)
def test_in_a_thread(kind: str) -> None:
    guard = GUARDS[kind]()
    assert freed(lambda: guard.call(fail))
    assert freed(lambda: guard(fail)())


@pytest.mark.parametrize("kind", GUARDS)
def test_in_a_task(kind: str) -> None:
    guard = GUARDS[kind]()

    async def main() -> bool:
        error: weakref.ref[AppError] | None = None
        try:
            await guard.acall(afail)
        except AppError as raised:
            error = weakref.ref(raised)
        await asyncio.sleep(0)
        assert error is not None
        return error() is None

    assert asyncio.run(main())


@pytest.mark.parametrize("kind", GUARDS)
def test_a_stream(kind: str) -> None:
    guard = GUARDS[kind]()
    assert freed(lambda: list(guard(fail_later)()))


@pytest.mark.parametrize("kind", GUARDS)
def test_a_stream_in_a_task(kind: str) -> None:
    guard = GUARDS[kind]()

    async def main() -> bool:
        error: weakref.ref[AppError] | None = None
        try:
            async for _ in guard(afail_later)():
                pass
        except AppError as raised:
            error = weakref.ref(raised)
        await asyncio.sleep(0)
        assert error is not None
        return error() is None

    assert asyncio.run(main())


@pytest.mark.parametrize("kind", [kind for kind, make in GUARDS.items() if make().guards_blocks])
def test_a_block(kind: str) -> None:
    guard = GUARDS[kind]()

    def enter() -> None:
        with guard:
            raise AppError

    assert freed(enter)


def test_a_refusal() -> None:
    breaker = CircuitBreaker()
    breaker.force_open()

    def enter() -> None:
        with breaker:
            pass

    assert freed(lambda: breaker.call(fail), CircuitOpenError)
    assert freed(enter, CircuitOpenError)
    assert freed(lambda: list(breaker(fail_later)()), CircuitOpenError)


def test_the_end_of_a_timeout() -> None:
    with ManualClock() as clock:

        def look() -> None:
            clock.advance(2.0)
            Deadline.check()

        def enter() -> None:
            with Timeout(1.0):
                look()

        assert freed(lambda: Timeout(1.0).call(look), Exception)
        assert freed(enter, Exception)


def test_a_wait_that_is_interrupted(monkeypatch: pytest.MonkeyPatch) -> None:
    class Stop(BaseException):
        pass

    def stop(*_: object) -> None:
        raise Stop

    with ManualClock() as clock:
        monkeypatch.setattr(clock, "sleep", stop)
        guard = Pipeline(
            "p", Timeout(60.0), Bulkhead(max_concurrency=1), Retry(on=AppError), CircuitBreaker()
        )
        assert freed(lambda: guard.call(fail), Stop)
        assert freed(lambda: list(guard(fail_at_once)()), Stop)


def fail_at_once() -> Iterator[int]:
    fail()
    yield 1


async def test_a_wait_that_is_cancelled() -> None:
    guard = Pipeline("p", Timeout(60.0), Bulkhead(max_concurrency=1), Retry(on=AppError), CircuitBreaker())
    held: list[weakref.ref[AppError]] = []

    def kept(error: AppError) -> AppError:
        held.append(weakref.ref(error))
        return error

    async def remembered() -> None:
        raise kept(AppError())

    task = asyncio.ensure_future(guard.acall(remembered))
    for _ in range(3):
        await asyncio.sleep(0)
    assert held
    task.cancel()
    await asyncio.wait((task,))
    assert task.cancelled()
    del task
    await asyncio.sleep(0)
    assert [error() for error in held] == [None]
