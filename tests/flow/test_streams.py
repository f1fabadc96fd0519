"""Generators and async generators: one call from the first item asked for to the end, made again only before the first item."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncIterator, Generator, Iterator
from typing import Any

import pytest

from otel_resilience import (
    BreakerState,
    CircuitBreaker,
    CircuitOpenError,
    Fallback,
    FaultInjector,
    Hedge,
    Pipeline,
    Retry,
    ServiceTimeoutError,
    Timeout,
)
from otel_resilience.context import deadline, guards
from otel_resilience.events import ExecutionFinished, RetrySuppressed
from otel_resilience.outcome import Outcome
from otel_resilience.testing import ManualClock, Recorder
from tests.flow.flaky import no_wait


class Source:
    """Gives 1, 2, 3; fails as often as told, before the item of that number."""

    def __init__(self, failures: int = 0, before: int = 1) -> None:
        self.failures = failures
        self.before = before
        self.begun = 0
        self.closed = 0

    def sync(self) -> Iterator[int]:
        self.begun += 1
        try:
            for item in (1, 2, 3):
                self._perhaps_fail(item)
                yield item
        finally:
            self.closed += 1

    async def asynchronous(self) -> AsyncIterator[int]:
        self.begun += 1
        try:
            for item in (1, 2, 3):
                await asyncio.sleep(0)
                self._perhaps_fail(item)
                yield item
        finally:
            self.closed += 1

    def _perhaps_fail(self, item: int) -> None:
        if item == self.before and self.begun <= self.failures:
            raise OSError(item)


async def items(guard: Any, source: Source, kind: str) -> list[int]:
    if kind == "generator":
        return list(guard(source.sync)())
    return [item async for item in guard(source.asynchronous)()]


KINDS = pytest.mark.parametrize("kind", ["generator", "async generator"])


@KINDS
async def test_a_stream_is_one_call(kind: str, seen: Recorder) -> None:
    assert await items(Pipeline("p", CircuitBreaker()), Source(), kind) == [1, 2, 3]
    assert [f.outcome for f in seen.of(ExecutionFinished)] == [Outcome.SUCCESS]


@KINDS
async def test_it_is_made_again_before_its_first_item(kind: str) -> None:
    source = Source(failures=2)
    assert await items(Pipeline("p", Retry(on=OSError, backoff=no_wait())), source, kind) == [1, 2, 3]
    assert (source.begun, source.closed) == (3, 3)


@KINDS
async def test_it_is_never_made_again_after_its_first_item(kind: str, seen: Recorder) -> None:
    source = Source(failures=2, before=2)
    with pytest.raises(OSError):
        await items(Pipeline("p", Retry(on=OSError, backoff=no_wait())), source, kind)
    assert source.begun == 1
    assert [s.reason for s in seen.of(RetrySuppressed)] == ["not_idempotent"]


@KINDS
async def test_a_breaker_learns_of_a_failure_in_the_middle_and_refuses_the_next(kind: str) -> None:
    breaker = CircuitBreaker(failure_threshold=1)
    source = Source(failures=9, before=3)
    with pytest.raises(OSError):
        await items(breaker, source, kind)
    assert breaker.state is BreakerState.OPEN
    with pytest.raises(CircuitOpenError):
        await items(breaker, source, kind)
    assert source.begun == 1


@KINDS
async def test_a_fallback_stands_in_before_the_first_item_only(kind: str, seen: Recorder) -> None:
    guard = Pipeline("p", Fallback([7, 8]))
    assert await items(guard, Source(failures=1), kind) == [7, 8]
    with pytest.raises(OSError):
        await items(guard, Source(failures=1, before=2), kind)
    assert [f.outcome for f in seen.of(ExecutionFinished)] == [Outcome.FALLBACK, Outcome.FAILURE]


@KINDS
async def test_a_fault_may_be_another_stream(kind: str) -> None:
    assert await items(FaultInjector(result=(9,)), Source(), kind) == [9]


@KINDS
async def test_a_stream_is_not_hedged(kind: str) -> None:
    source = Source()
    assert await items(Pipeline("p", Hedge(after=0.0)), source, kind) == [1, 2, 3]
    assert source.begun == 1


@KINDS
async def test_who_stops_reading_is_neither_success_nor_failure(kind: str, seen: Recorder) -> None:
    breaker, source = CircuitBreaker(failure_threshold=1), Source()
    if kind == "generator":
        stream = breaker(source.sync)()
        assert next(stream) == 1
        stream.close()
    else:
        running = breaker(source.asynchronous)()
        assert await anext(running) == 1
        await running.aclose()  # type: ignore[attr-defined]  # an async generator
    assert source.closed == 1
    assert breaker.state is BreakerState.CLOSED
    assert [f.outcome for f in seen.of(ExecutionFinished)] == [Outcome.CANCELLED]


@KINDS
async def test_the_consumer_sees_nothing_of_what_is_set_inside(kind: str) -> None:
    inside: list[bool] = []

    def look() -> Iterator[int]:
        for item in (1, 2):
            inside.append(deadline.remaining() is not None and guards.is_active("p"))
            yield item

    async def alook() -> AsyncIterator[int]:
        for item in look():
            yield item

    def outside() -> bool:
        return deadline.remaining() is None and not guards.is_active("p")

    guard = Pipeline("p", Timeout(60.0))
    if kind == "generator":
        assert [outside() for _ in guard(look)()] == [True, True]
    else:
        assert [outside() async for _ in guard(alook)()] == [True, True]
    assert inside == [True, True]


def test_what_is_sent_thrown_and_returned_goes_through() -> None:
    @Pipeline("p", CircuitBreaker())
    def echo() -> Generator[Any, Any, str]:
        got: Any = "begun"
        while got != "end":
            try:
                got = yield got
            except KeyError as error:
                got = error.args[0]
        return "over"

    stream = echo()
    assert next(stream) == "begun"
    assert stream.send(3) == 3
    assert stream.throw(KeyError("x")) == "x"
    with pytest.raises(StopIteration) as stop:
        stream.send("end")
    assert stop.value.value == "over"


async def test_what_is_sent_and_thrown_goes_through_in_asyncio() -> None:
    @Pipeline("p", CircuitBreaker())
    async def echo() -> Any:
        got: Any = "begun"
        while got != "end":
            try:
                got = yield got
            except KeyError as error:
                got = error.args[0]

    for guard_mode in ("enforce", "off"):
        stream = Pipeline("q", mode=guard_mode)(echo)()
        assert await anext(stream) == "begun"
        assert await stream.asend(3) == 3
        assert await stream.athrow(KeyError("x")) == "x"
        with pytest.raises(StopAsyncIteration):
            await stream.asend("end")


async def test_a_timeout_cancels_a_stream_and_not_its_consumer() -> None:
    breaker = CircuitBreaker(failure_threshold=1)

    async def hang() -> AsyncIterator[int]:
        yield 1
        await asyncio.sleep(60)
        yield 2

    got = []
    with pytest.raises(ServiceTimeoutError):
        async for item in Pipeline("p", Timeout(0.05), breaker)(hang)():
            got.append(item)  # noqa: PERF401 — what came before the end is looked at
    assert got == [1]
    assert breaker.state is BreakerState.OPEN
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0


async def test_a_consumer_that_is_cancelled_takes_the_stream_along(seen: Recorder) -> None:
    ended = []

    async def hang() -> AsyncIterator[int]:
        try:
            await asyncio.sleep(60)
            yield 1
        finally:
            ended.append(True)

    async def consume() -> None:
        async for _ in Pipeline("p", CircuitBreaker())(hang)():
            pass

    pending = asyncio.ensure_future(consume())
    await asyncio.sleep(0.01)
    pending.cancel()
    with pytest.raises(asyncio.CancelledError):
        await pending
    assert ended == [True]
    assert [f.outcome for f in seen.of(ExecutionFinished)] == [Outcome.CANCELLED]


def test_a_late_generator_is_reported_as_late(clock: ManualClock, seen: Recorder) -> None:
    def slow() -> Iterator[int]:
        yield 1
        clock.advance(5.0)
        yield 2

    assert list(Pipeline("p", Timeout(1.0))(slow)()) == [1, 2]
    assert [f.outcome for f in seen.of(ExecutionFinished)] == [Outcome.TIMEOUT]


def test_nothing_begins_before_an_item_is_asked_for(seen: Recorder) -> None:
    breaker, source = CircuitBreaker(), Source()
    breaker(source.sync)()
    assert source.begun == 0
    assert seen.of(ExecutionFinished) == []


async def test_a_generator_stays_one() -> None:
    guard, source = CircuitBreaker(), Source()
    assert inspect.isgeneratorfunction(guard(source.sync))
    assert inspect.isasyncgenfunction(guard(source.asynchronous))
    assert inspect.isgenerator(guard(source.sync)())
    assert inspect.isasyncgen(guard(source.asynchronous)())
    assert list(guard.call(source.sync)) == [1, 2, 3]
    assert [item async for item in await guard.acall(source.asynchronous)] == [1, 2, 3]  # type: ignore[misc,attr-defined]  # call gives what it is given
    with pytest.raises(TypeError, match="use acall"):
        guard.call(source.asynchronous)


async def test_off_means_off() -> None:
    guard, source = Pipeline("p", FaultInjector(), mode="off"), Source()
    assert await items(guard, source, "generator") == [1, 2, 3]
    assert await items(guard, source, "async generator") == [1, 2, 3]
