"""Failures that were asked for."""

from __future__ import annotations

import threading
import traceback
from typing import Any

import pytest

from otel_resilience import (
    BreakerState,
    CircuitBreaker,
    ConfigurationError,
    FaultInjectedError,
    FaultInjector,
    Pipeline,
    Retry,
    ServiceTimeoutError,
    Timeout,
)
from otel_resilience.events import AttemptFinished, FaultInjected
from otel_resilience.outcome import Outcome
from otel_resilience.testing import Draws, ManualClock, Recorder
from tests.flow.flaky import Flaky, no_wait
from tests.worlds import World


def test_alone_it_raises_its_own_error(world: World, seen: Recorder) -> None:
    never = Flaky(0)
    with pytest.raises(FaultInjectedError, match="injected into p"):
        world.call(Pipeline("p", FaultInjector(rate=1)), never)
    assert never.calls == 0
    [fault] = seen.of(FaultInjected)
    assert (fault.name, fault.outcome, fault.latency, fault.error_type) == (
        "p",
        Outcome.FAILURE,
        0.0,
        "FAULT_INJECTED",
    )


def test_only_the_given_share_meets_it(world: World, seen: Recorder) -> None:
    guard, flaky = Pipeline("p", FaultInjector(rate=0.5, result="fault")), Flaky(0)
    with Draws([0.1, 0.5, 0.49, 0.9]):
        assert [world.call(guard, flaky) for _ in range(4)] == ["fault", "done", "fault", "done"]
    assert len(seen.of(FaultInjected)) == 2
    assert [a.outcome for a in seen.of(AttemptFinished)] == [Outcome.SUCCESS] * 4


def test_a_rate_of_zero_does_nothing(world: World) -> None:
    assert world.call(Pipeline("p", FaultInjector(rate=0)), Flaky(0)) == "done"


def test_latency_alone_delays_and_lets_the_call_go_on(
    world: World, clock: ManualClock, seen: Recorder
) -> None:
    began = clock.monotonic()
    assert world.call(Pipeline("p", FaultInjector(latency=2.0)), Flaky(0)) == "done"
    assert clock.monotonic() - began == 2.0
    assert [(f.outcome, f.latency) for f in seen.of(FaultInjected)] == [(Outcome.SUCCESS, 2.0)]


@pytest.mark.parametrize("error", [KeyError, lambda: KeyError("made"), KeyError("given")])
def test_an_error_may_be_a_type_a_factory_or_an_instance(world: World, error: Any) -> None:
    with pytest.raises(KeyError):
        world.call(Pipeline("p", FaultInjector(error=error)), Flaky(0))


def test_one_instance_collects_no_tracebacks() -> None:
    guard = Pipeline("p", FaultInjector(error=KeyError("given")))
    depths = set()
    for _ in range(100):
        with pytest.raises(KeyError, match="given") as caught:
            guard.call(Flaky(0))
        depths.add(len(traceback.extract_tb(caught.value.__traceback__)))
    assert len(depths) == 1


def test_a_factory_that_makes_no_exception_is_named() -> None:
    with pytest.raises(TypeError, match="must make an exception, got 3"):
        Pipeline("p", FaultInjector(error=lambda: 3)).call(Flaky(0))  # type: ignore[arg-type,return-value]  # the point


def test_a_predicate_sees_the_arguments(world: World) -> None:
    guard = FaultInjector(
        result="fault", when=lambda args, kwargs: args[0] > 1 and kwargs["currency"] == "EUR"
    )

    def charge(amount: int, *, currency: str) -> str:
        return "done"

    answers = [guard.call(charge, n, currency=c) for n, c in ((1, "EUR"), (2, "EUR"), (2, "CHF"))]
    assert answers == ["done", "fault", "done"]


def test_policies_around_it_take_it_for_the_dependencys_own(clock: ManualClock, seen: Recorder) -> None:
    breaker = CircuitBreaker(failure_threshold=2)
    guard = Pipeline(
        "p", Retry(on=OSError, max_attempts=2, backoff=no_wait()), breaker, FaultInjector(error=OSError)
    )
    with pytest.raises(OSError):
        guard.call(Flaky(0))
    assert breaker.state is BreakerState.OPEN
    assert [(a.attempt_type, a.outcome) for a in seen.of(AttemptFinished)] == [
        ("initial", Outcome.FAILURE),
        ("retry", Outcome.FAILURE),
    ]


def test_a_latency_longer_than_the_deadline_ends_as_a_timeout(world: World, clock: ManualClock) -> None:
    breaker = CircuitBreaker(failure_threshold=1)
    began = clock.monotonic()
    with pytest.raises(ServiceTimeoutError):
        world.call(Pipeline("p", Timeout(1.0), breaker, FaultInjector(latency=60.0)), Flaky(0))
    assert breaker.state is BreakerState.OPEN
    if repr(world) == "threads":
        assert clock.monotonic() - began == 1.0


def test_no_more_than_the_cap_are_active_at_once() -> None:
    most = FaultInjector(latency=0.2, result="fault", max_concurrency=2)
    active: list[int] = []
    answers: list[object] = []
    barrier = threading.Barrier(8)

    def run() -> None:
        barrier.wait()
        answers.append(most.call(lambda: active.append(most.active)))

    threads = [threading.Thread(target=run) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert answers.count("fault") == 2
    assert len(active) == 6
    assert max(active) <= 2
    assert most.active == 0


def test_in_shadow_it_does_nothing(world: World, seen: Recorder) -> None:
    assert world.call(Pipeline("p", FaultInjector(), mode="shadow"), Flaky(0)) == "done"
    assert seen.of(FaultInjected) == []


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: FaultInjector(rate=1.1), "FaultInjector rate must be a number from 0 to 1, got 1.1"),
        (lambda: FaultInjector(rate=-0.1), "FaultInjector rate must be a number >= 0, got -0.1"),
        (lambda: FaultInjector(latency=-1), "FaultInjector latency must be seconds >= 0, got -1"),
        (
            lambda: FaultInjector(error=3),
            "FaultInjector error must be an exception, its type or a factory of it, got 3",
        ),
        (lambda: FaultInjector(error=int), "FaultInjector error must be an exception"),
        (
            lambda: FaultInjector(error=KeyError, result=None),
            "result must be absent where error is given, got None",
        ),
        (lambda: FaultInjector(when=True), "when must be a predicate"),
        (lambda: FaultInjector(max_concurrency=0), "max_concurrency must be a whole number >= 1, got 0"),
    ],
)
def test_bad_options(build: Any, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        build()
