"""Eight threads through one policy: what it says that it did is exactly what was done, for every policy."""

from __future__ import annotations

import itertools
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator

import pytest

from otel_resilience import (
    Backoff,
    Bulkhead,
    BulkheadFullError,
    CircuitBreaker,
    Fallback,
    FaultInjectedError,
    FaultInjector,
    Hedge,
    Pipeline,
    RateLimitedError,
    RateLimiter,
    Retry,
    RetryBudget,
    ServiceTimeoutError,
    Timeout,
)
from otel_resilience.events import (
    AttemptFinished,
    ExecutionFinished,
    ExecutionRejected,
    FallbackExecuted,
    FaultInjected,
    HedgeFinished,
    HedgeStarted,
    RetryFinished,
    RetryScheduled,
    RetrySuppressed,
)
from otel_resilience.outcome import Outcome
from otel_resilience.testing import Draws, ManualClock, Recorder

THREADS, TURNS = 8, 50
CALLS = THREADS * TURNS


@pytest.fixture(autouse=True)
def tiny_switches() -> Iterator[None]:
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


@pytest.fixture
def seen() -> Iterator[Recorder]:
    with Recorder() as seen:
        yield seen


class Tally:
    """Counts exactly, whoever counts; ends calls as they come out."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.of = Counter[str]()

    def add(self, what: str) -> int:
        with self._lock:
            self.of[what] += 1
            return self.of[what]


def in_eight_threads(work: Callable[[], object]) -> Tally:
    """Each thread calls ``work`` fifty times; how often it came to what."""
    ends, barrier = Tally(), threading.Barrier(THREADS)

    def run() -> None:
        barrier.wait()
        for _ in range(TURNS):
            try:
                work()
            except Exception as error:  # counted, and compared by the test
                ends.add(type(error).__name__)
            else:
                ends.add("returned")

    threads = [threading.Thread(target=run) for _ in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive()
    return ends


def outcomes(seen: Recorder) -> Counter[str]:
    # By name, as threads of other tests may still come to their end.
    return Counter(str(event.outcome) for event in seen.of(ExecutionFinished) if event.name == "exact")


def test_bulkhead(seen: Recorder) -> None:
    bulkhead, made = Bulkhead("exact", max_concurrency=2), Tally()
    ends = in_eight_threads(lambda: bulkhead.call(made.add, "call")).of
    assert ends["returned"] == made.of["call"] > 0
    assert ends["returned"] + ends[BulkheadFullError.__name__] == CALLS
    assert len(seen.of(ExecutionRejected)) == ends[BulkheadFullError.__name__]
    assert outcomes(seen)["success"] == ends["returned"]
    with bulkhead, bulkhead:
        pass  # no permit was lost


def test_rate_limiter(seen: Recorder) -> None:
    with ManualClock():
        limiter, made = RateLimiter("exact", rate=100.0), Tally()
        ends = in_eight_threads(lambda: limiter.call(made.add, "call")).of
    assert ends == {"returned": 100, RateLimitedError.__name__: CALLS - 100}
    assert made.of["call"] == 100
    assert outcomes(seen) == {"success": 100, "rejected": CALLS - 100}


def test_circuit_breaker() -> None:
    breaker = CircuitBreaker("exact", failure_rate=1.0, window_calls=CALLS, minimum_calls=CALLS)
    turns = itertools.count()

    def half() -> None:
        if next(turns) % 2:
            raise OSError

    assert in_eight_threads(lambda: breaker.call(half)).of == {"returned": CALLS // 2, "OSError": CALLS // 2}
    snapshot = breaker.snapshot()
    assert (snapshot.successes, snapshot.failure_ratio) == (CALLS // 2, 0.5)


def test_retry_and_its_budget(seen: Recorder) -> None:
    budget = RetryBudget(ratio=0.0, min_per_second=10.0, window_seconds=10.0)
    retry = Retry("exact", on=OSError, backoff=Backoff(initial=0.0, jitter="none"), budget=budget)
    made = Tally()

    def fail() -> None:
        made.add("call")
        raise OSError

    with ManualClock():
        assert in_eight_threads(lambda: retry.call(fail)).of == {"OSError": CALLS}
    assert made.of["call"] == CALLS + 100
    assert len(seen.of(RetryScheduled)) == 100
    assert Counter(event.attempt_type for event in seen.of(AttemptFinished) if event.name == "exact") == {
        "initial": CALLS,
        "retry": 100,
    }
    assert sum(Counter(event.result for event in seen.of(RetryFinished)).values()) == CALLS
    assert {event.reason for event in seen.of(RetrySuppressed)} == {"budget"}


def test_timeout_in_a_thread(seen: Recorder) -> None:
    guard = Timeout(0.3, thread=True, max_threads=THREADS)
    guard.bind("exact")
    turns, hang = itertools.count(), threading.Event()

    def hangs_seldom() -> None:
        if next(turns) in (10, 200):
            hang.wait(30)

    try:
        ends = in_eight_threads(lambda: guard.call(hangs_seldom)).of
    finally:
        hang.set()
    assert ends[ServiceTimeoutError.__name__] >= 2
    told = outcomes(seen)
    assert told["success"] <= ends["returned"], "a result may come too late where nobody was waiting yet"
    assert told["success"] + told["timeout"] == ends["returned"] + ends[ServiceTimeoutError.__name__]
    assert told["rejected"] == ends[BulkheadFullError.__name__]
    assert sum(told.values()) == CALLS


def test_fallback(seen: Recorder) -> None:
    guard, turns = Pipeline("exact", Fallback("old")), itertools.count()

    def half() -> str:
        if next(turns) % 2:
            raise OSError
        return "new"

    assert in_eight_threads(lambda: guard.call(half)).of == {"returned": CALLS}
    assert len(seen.of(FallbackExecuted)) == CALLS // 2
    assert outcomes(seen) == {"success": CALLS // 2, "fallback": CALLS // 2}


def test_fault_injector(seen: Recorder) -> None:
    injector = FaultInjector(rate=0.5)
    guard, made = Pipeline("exact", injector), Tally()
    with Draws.seeded(4):
        ends = in_eight_threads(lambda: guard.call(made.add, "call")).of
    assert 0 < ends[FaultInjectedError.__name__] == len(seen.of(FaultInjected)) == CALLS - made.of["call"]
    assert injector.active == 0


def test_hedge(seen: Recorder) -> None:
    guard = Pipeline("exact", Hedge(after=0.001, budget=RetryBudget(ratio=0.0, min_per_second=2.0)))
    made, slow = Tally(), threading.Event()

    def first_ones_hang() -> None:
        if made.add("call") <= 4:
            slow.wait(30)

    try:
        ends = in_eight_threads(lambda: guard.call(first_ones_hang)).of
        assert ends == {"returned": CALLS}
    finally:
        slow.set()
    hedges = len(seen.of(HedgeStarted))
    assert 4 <= hedges <= 20, "as many as hung, and no more than the budget has"
    assert made.of["call"] == CALLS + hedges
    assert outcomes(seen) == {str(Outcome.SUCCESS): CALLS}
    assert len(seen.of(HedgeFinished)) <= hedges, "one that lost may still be on its way"
