"""Rates, slowness, groups of exceptions and the ramp, through the whole guard."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator

import pytest

from otel_resilience import (
    BreakerState,
    BulkheadFullError,
    CircuitBreaker,
    CircuitOpenError,
    ServiceTimeoutError,
)
from otel_resilience.events import CircuitStateChanged
from otel_resilience.testing import Draws, ManualClock, Recorder
from tests.flow.flaky import Flaky
from tests.worlds import World


@pytest.fixture(autouse=True)
def no_spread() -> Iterator[None]:
    with Draws([0.0]):
        yield


def opened(world: World, **options: object) -> CircuitBreaker:
    breaker = CircuitBreaker(**({"failure_threshold": 1, "recovery_timeout": 10.0} | options))  # type: ignore[arg-type]  # spelled by each test
    with pytest.raises(OSError):
        world.call(breaker, Flaky(1))
    assert breaker.state is BreakerState.OPEN
    return breaker


def test_slow_calls_open_the_circuit_by_the_clock(world: World, clock: ManualClock) -> None:
    breaker = CircuitBreaker(
        slow_call_seconds=1.0, slow_call_rate=0.5, window_calls=4, minimum_calls=4, hang_seconds=60.0
    )
    for seconds in (0.0, 0.9, 1.0, 2.0):
        world.call(breaker, lambda: clock.advance(seconds))  # noqa: B023 — called at once
    assert breaker.state is BreakerState.OPEN
    assert (breaker.snapshot().slow_ratio, breaker.snapshot().failure_ratio) == (0.5, 0.0)


@pytest.mark.parametrize(
    ("failures", "error", "state"),
    [
        (OSError, lambda: ExceptionGroup("g", [ValueError(), OSError()]), BreakerState.OPEN),
        (OSError, lambda: ExceptionGroup("g", [ExceptionGroup("i", [OSError()])]), BreakerState.OPEN),
        (OSError, lambda: ExceptionGroup("g", [ValueError()]), BreakerState.CLOSED),
        (Exception, lambda: ExceptionGroup("g", [ValueError()]), BreakerState.OPEN),
        (Exception, lambda: BaseExceptionGroup("g", [asyncio.CancelledError()]), BreakerState.CLOSED),
        (Exception, lambda: BaseExceptionGroup("g", [KeyboardInterrupt()]), BreakerState.CLOSED),
        (
            Exception,
            lambda: ExceptionGroup("g", [BulkheadFullError(), CircuitOpenError()]),
            BreakerState.CLOSED,
        ),
        (Exception, lambda: ExceptionGroup("g", [BulkheadFullError(), OSError()]), BreakerState.OPEN),
        (
            OSError,
            lambda: ExceptionGroup("g", [ServiceTimeoutError(), ServiceTimeoutError()]),
            BreakerState.OPEN,
        ),
    ],
)
def test_exception_groups(
    world: World, failures: type[Exception], error: Callable[[], BaseException], state: BreakerState
) -> None:
    breaker = CircuitBreaker(failure_threshold=1, failures=failures)
    with pytest.raises(BaseExceptionGroup):
        world.call(breaker, Flaky(1, error=error))
    assert breaker.state is state


def test_the_cause_is_that_of_the_last_failure_where_a_success_trips(world: World, seen: Recorder) -> None:
    breaker = CircuitBreaker("rated", failure_rate=0.5, minimum_calls=2)
    with pytest.raises(ConnectionRefusedError):
        world.call(breaker, Flaky(1, error=ConnectionRefusedError))
    world.call(breaker, Flaky(0))
    (change,) = seen.of(CircuitStateChanged)
    assert change.signal == "failure_rate_reached"
    assert change.cause is not None
    assert change.cause.code == "CONNECT_FAILED"


def test_a_circuit_that_somebody_forces_open_names_no_failure(world: World) -> None:
    breaker = opened(world)
    breaker.force_open()
    with pytest.raises(CircuitOpenError) as caught:
        world.call(breaker, Flaky(0))
    assert caught.value.cause is None


def test_a_circuit_that_slowness_opened_names_no_failure_of_long_ago(
    world: World, clock: ManualClock, seen: Recorder
) -> None:
    breaker = CircuitBreaker(slow_call_seconds=1.0, slow_call_rate=0.5, minimum_calls=2)
    with pytest.raises(OSError):
        world.call(breaker, Flaky(1))
    world.call(breaker, lambda: clock.advance(1.0))
    (change,) = seen.of(CircuitStateChanged)
    assert (change.signal, change.cause) == ("slow_call_rate_reached", None)


def test_a_ramp_lets_calls_return_by_degrees(world: World, clock: ManualClock) -> None:
    breaker = opened(world, ramp_seconds=20.0)
    clock.advance(10.0)
    world.call(breaker, Flaky(0))
    with Draws([0.5]):
        with pytest.raises(CircuitOpenError, match="closed again and lets calls return by degrees") as caught:
            world.call(breaker, Flaky(0))
        assert caught.value.retry_after == pytest.approx(20.0)
        clock.advance(10.1)
        world.call(breaker, Flaky(0))
