"""Threads released from a barrier, switching as often as the interpreter can."""

from __future__ import annotations

import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator

import pytest

from otel_resilience import (
    BreakerState,
    CircuitBreaker,
    CircuitOpenError,
    Pipeline,
    Retry,
    RetryBudget,
    Timeout,
)
from otel_resilience.context import deadline
from otel_resilience.events import AttemptFinished, ExecutionFinished, ExecutionRejected
from otel_resilience.testing import ManualClock, Recorder


@pytest.fixture(autouse=True)
def tiny_switches() -> Iterator[None]:
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


def together(count: int, work: Callable[[int], None]) -> None:
    barrier = threading.Barrier(count)
    failures: list[BaseException] = []

    def run(number: int) -> None:
        barrier.wait()
        try:
            work(number)
        except BaseException as error:  # carried to the test's own thread
            failures.append(error)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive()
    assert failures == []


def test_totals_are_exact_under_eight_threads() -> None:
    guard = Pipeline("exact", Timeout(60.0), Retry(on=OSError), CircuitBreaker(failure_threshold=10**9))

    def work(number: int) -> None:
        for turn in range(200):
            try:
                guard.call(fail if turn % 4 == 0 else succeed)
            except KeyError:
                pass

    def fail() -> None:
        raise KeyError

    def succeed() -> None:
        return None

    with Recorder() as seen:
        together(8, work)
    outcomes = Counter(event.outcome for event in seen.of(ExecutionFinished))
    assert outcomes == {"success": 1200, "failure": 400}
    assert len(seen.of(AttemptFinished)) == 1600


def test_never_more_probes_than_permitted_under_thirty_two_threads() -> None:
    breaker = CircuitBreaker(
        "stampede", failure_threshold=1, recovery_timeout=1.0, half_open_max_concurrency=2
    )
    inside, most = 0, 0
    counting = threading.Lock()
    full = threading.Event()

    def probe() -> None:
        nonlocal inside, most
        with counting:
            inside += 1
            most = max(most, inside)
            if inside == 2:
                full.set()
        full.wait(10)
        finished.wait(10)
        with counting:
            inside -= 1

    rejected = 0
    finished = threading.Event()

    def work(number: int) -> None:
        nonlocal rejected
        try:
            breaker.call(probe)
        except CircuitOpenError:
            with counting:
                rejected += 1
                if rejected == 30:
                    finished.set()

    with ManualClock() as clock:
        with pytest.raises(OSError):
            breaker.call(_raise_oserror)
        clock.advance(2.0)
        with Recorder() as seen:
            together(32, work)
    assert (most, rejected) == (2, 30)
    assert {event.reason for event in seen.of(ExecutionRejected)} == {"half_open_limit"}
    assert breaker.state is BreakerState.CLOSED


def _raise_oserror() -> None:
    raise OSError


def test_a_budget_is_never_overspent() -> None:
    budget = RetryBudget(ratio=0.0, min_per_second=5.0, window_seconds=10.0)
    taken = Counter[bool]()
    counting = threading.Lock()

    def work(number: int) -> None:
        for _ in range(50):
            took = budget.take(100.0)
            with counting:
                taken[took] += 1

    together(8, work)
    assert taken[True] == 50


def test_a_thread_never_sees_anothers_deadline() -> None:
    seen: dict[int, bool] = {}

    def work(number: int) -> None:
        if number % 2:
            Timeout(60.0).call(look, number)
        else:
            look(number)

    def look(number: int) -> None:
        seen[number] = deadline.remaining() is not None

    together(8, work)
    assert seen == {number: bool(number % 2) for number in range(8)}
