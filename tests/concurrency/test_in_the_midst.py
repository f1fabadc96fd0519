"""What comes up while a thread is in the midst of a decision: the garbage collector ends a call there, a signal makes one.

Whoever waited there for a lock would wait for himself, and for ever.
"""

from __future__ import annotations

import gc
import itertools
import random
import sys
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any

import pytest

from otel_resilience import (
    BreakerState,
    Bulkhead,
    CircuitBreaker,
    CircuitOpenError,
    Fallback,
    FaultInjector,
    Pipeline,
    RateLimiter,
    ResilienceError,
    Retry,
    Timeout,
)
from otel_resilience.context import guards
from otel_resilience.context.request import Request
from otel_resilience.errors.failed_call import FailedCall
from otel_resilience.events import CircuitStateChanged, ExecutionRejected
from otel_resilience.testing import Draws, ManualClock, Recorder
from tests.concurrency.holding import returns
from tests.concurrency.interrupting import happening_at
from tests.flow.flaky import Flaky
from tests.telemetry.observatory import Observatory

GUARDS: dict[str, Callable[[], Any]] = {
    "breaker": lambda: CircuitBreaker("collected"),
    "breaker by rates": lambda: CircuitBreaker("collected", failure_rate=1.0, window_seconds=5.0),
    "bulkhead": lambda: Bulkhead("collected", max_concurrency=10**6),
    "limiter": lambda: RateLimiter("collected", rate=1e9),
    "retry": lambda: Retry("collected", on=OSError),
    "last good": Fallback.last_good,
    "pipeline": lambda: Pipeline(
        "collected", Timeout(60.0), Bulkhead(max_concurrency=10**6), Retry(on=OSError), CircuitBreaker()
    ),
}


@pytest.fixture
def threshold() -> Iterator[None]:
    before = gc.get_threshold()
    yield
    gc.set_threshold(*before)


@pytest.mark.parametrize("kind", GUARDS)
def test_calls_that_the_collector_ends_anywhere(kind: str, threshold: None) -> None:
    guard = GUARDS[kind]()

    @guard
    def stream() -> Iterator[int]:
        yield from range(3)

    def forget_one() -> None:
        begun = stream()
        next(begun)
        cycle: list[object] = [begun]
        cycle.append(cycle)

    def work() -> None:
        draw = random.Random(7)
        for _ in range(3_000):
            gc.set_threshold(draw.randint(1, 60), 1, 1)
            forget_one()
            guard.call(len, "")

    with Observatory():  # which counts what ends
        assert returns(work)


#: No hedge: a handler that waits for other threads may wait for what the interrupted thread holds, whatever the lock.
SIGNALLED: dict[str, Callable[[], Any]] = GUARDS | {
    "timeout in a thread": lambda: Timeout(60.0, thread=True),
    "fault": lambda: FaultInjector(latency=0.0),
    "keyed": lambda: CircuitBreaker("signalled").for_key("a"),
}


def handled(guard: Any, place: int) -> tuple[str, int] | None:
    """One call, and another one that a handler makes at ``place``; where that was, ``None`` past the last one."""
    ends: list[object] = []

    def handler() -> None:
        try:
            ends.append(guard.call(len, "of a handler"))
        except ResilienceError as error:
            ends.append(error)

    met = happening_at(place, handler, lambda: guard.call(Flaky(0)))
    assert len(ends) == (met is not None)
    return met


@pytest.mark.timeout(180)
@pytest.mark.parametrize("kind", SIGNALLED)
def test_calls_that_a_signal_handler_makes_anywhere(kind: str) -> None:
    """It runs between two steps of whatever the main thread is in, and may call through the same guard."""
    guard, place = SIGNALLED[kind](), itertools.count(1)
    guard.call(len, "what the first call makes is there")

    def work() -> None:
        while handled(guard, next(place)) is not None:
            pass

    with Observatory():
        assert returns(work), f"it waits for itself at place {place}"
    assert next(place) > 30


class Meanwhile(float):
    """A draw that lets something happen while it is looked at, which is in the midst of a decision."""

    happens: Callable[[], object]

    def _happen(self) -> None:
        happens, self.happens = self.happens, lambda: None
        happens()

    def __rmul__(self, other: float) -> float:  # the open time is spread
        self._happen()
        return 0.0

    def __lt__(self, other: float) -> bool:  # a ramp lets a share pass
        self._happen()
        return True


def meanwhile(happens: Callable[[], object]) -> Draws:
    draw = Meanwhile(0.0)
    draw.happens = happens
    return Draws([draw])


def recovered(clock: ManualClock) -> CircuitBreaker:
    """Closed, and in its ramp."""
    breaker = CircuitBreaker("midst", failure_threshold=1, recovery_timeout=1.0, ramp_seconds=60.0)
    with Draws([0.0]):
        fail(breaker)
        clock.advance(1.0)
        breaker.call(len, "")
    assert breaker.state is BreakerState.CLOSED
    return breaker


def fail(breaker: CircuitBreaker) -> None:
    with pytest.raises(OSError):
        breaker.call(away)


def away() -> None:
    raise OSError


def one_item() -> Iterator[int]:
    yield 1


def test_a_call_that_fails_in_the_midst_of_an_admission_counts_right_after_it() -> None:
    with ManualClock() as clock, Recorder() as seen:
        breaker = recovered(clock)
        stream = breaker(one_item)()
        with Draws([0.0]):
            next(stream)
        seen.events.clear()

        def end() -> None:
            with pytest.raises(OSError):
                stream.throw(OSError())

        with meanwhile(end):
            assert returns(lambda: breaker.call(len, ""))
        assert breaker.state is BreakerState.OPEN
        assert [event.state for event in seen.of(CircuitStateChanged)] == ["open"]


def test_a_call_that_begins_in_the_midst_is_decided_by_the_state_alone() -> None:
    with ManualClock() as clock:
        breaker = recovered(clock)
        passed: list[int] = []
        with meanwhile(lambda: passed.append(breaker.call(len, "as a signal handler may"))):
            assert returns(lambda: breaker.call(len, ""))
        assert len(passed) == 1

        breaker.reset()
        refused: list[CircuitOpenError] = []

        def knock() -> None:
            try:
                breaker.call(len, "")
            except CircuitOpenError as error:
                refused.append(error)

        fail(breaker)
        clock.advance(2.0)
        with meanwhile(knock), Recorder() as seen:
            assert returns(lambda: fail(breaker)), "a probe that fails opens the circuit again"
        assert len(refused) == 1
        assert [event.reason for event in seen.of(ExecutionRejected)] == ["half_open_limit"]
        assert breaker.state is BreakerState.OPEN


def test_what_a_human_wants_in_the_midst_is_done_right_after() -> None:
    with ManualClock() as clock, Recorder() as seen:
        breaker = recovered(clock)
        with meanwhile(breaker.force_open):
            assert returns(lambda: breaker.call(len, ""))
        assert breaker.state is BreakerState.FORCED_OPEN
        assert seen.of(CircuitStateChanged)[-1].state == "forced_open"


def test_who_looks_in_the_midst_waits_for_nobody() -> None:
    with ManualClock() as clock:
        breaker = recovered(clock)
        with meanwhile(lambda: (breaker.snapshot(), breaker.tally())):
            assert returns(lambda: breaker.call(len, ""))


def test_a_call_that_fails_in_the_midst_of_a_requests_remembering_is_remembered_too() -> None:
    current = Request()

    def signal(frame: FrameType, event: str, arg: object) -> None:
        if frame.f_code is guards.current.__code__:
            sys.settrace(None)
            current.remember(FailedCall(code="INNER"))

    def work() -> None:
        sys.settrace(signal)
        try:
            current.remember(FailedCall(code="OUTER"))
        finally:
            sys.settrace(None)

    assert returns(work, 10.0)
    assert {failed.code for failed in current.failures} == {"INNER", "OUTER"}
