"""A timeout that releases a thread in time, whatever the function does."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextvars import ContextVar

import pytest

from otel_resilience import (
    BreakerState,
    BulkheadFullError,
    CircuitBreaker,
    ConfigurationError,
    DeadlineExceededError,
    Pipeline,
    Retry,
    ServiceTimeoutError,
    Timeout,
)
from otel_resilience.context import deadline
from otel_resilience.events import AttemptFinished, ExecutionFinished, ExecutionRejected, ExecutionTimedOut
from otel_resilience.flow import workers
from otel_resilience.flow.workers import WorkerPool
from otel_resilience.outcome import Outcome
from otel_resilience.testing import Recorder
from tests.flow.flaky import Flaky, no_wait


class Hanging:
    """Hangs until it is released."""

    def __init__(self) -> None:
        self.calls = 0
        self.release = threading.Event()

    def __call__(self) -> None:
        self.calls += 1
        self.release.wait(30)


@pytest.fixture
def hang() -> Iterator[Hanging]:
    hanging = Hanging()
    yield hanging
    hanging.release.set()


def test_the_caller_is_released_in_time_and_everybody_inside_learns_of_it(
    hang: Hanging, seen: Recorder
) -> None:
    breaker = CircuitBreaker(failure_threshold=1)
    began = time.monotonic()
    with pytest.raises(ServiceTimeoutError) as caught:
        Pipeline("released", Timeout(0.1, thread=True), breaker).call(hang)
    assert time.monotonic() - began < 5.0
    assert isinstance(caught.value.__cause__, DeadlineExceededError)
    assert breaker.state is BreakerState.OPEN
    assert [f.outcome for f in seen.of(ExecutionFinished) if f.name == "released"] == [Outcome.TIMEOUT]
    assert [a.outcome for a in seen.of(AttemptFinished) if a.name == "released"] == [Outcome.TIMEOUT]
    assert [t.seconds for t in seen.of(ExecutionTimedOut) if t.name == "released"] == [0.1]


def test_what_comes_in_time_is_the_very_result() -> None:
    guard, error, value = Timeout(10.0, thread=True), OSError(), object()

    def fail() -> None:
        raise error

    assert guard.call(lambda: value) is value
    with pytest.raises(OSError) as caught:
        guard.call(fail)
    assert caught.value is error


def test_the_context_is_copied_and_nothing_leaks_back() -> None:
    tenant: ContextVar[str] = ContextVar("tenant")
    tenant.set("blue")

    def look() -> tuple[str, float | None, str]:
        found = tenant.get()
        tenant.set("red")
        return found, deadline.remaining(), threading.current_thread().name

    guard = Pipeline("shop", Timeout(10.0, thread=True))
    found, left, thread = guard.call(look)
    assert (found, tenant.get()) == ("blue", "blue")
    assert left is not None
    assert 0 < left <= 10
    assert thread.startswith("otel-resilience shop timeout #")
    assert deadline.remaining() is None


def test_a_full_pool_is_a_bulkhead_that_is_full_and_no_timeout(hang: Hanging, seen: Recorder) -> None:
    breaker = CircuitBreaker(failure_threshold=10)
    guard = Pipeline("p", Timeout(0.05, thread=True, max_threads=2), breaker)
    for _ in range(2):
        with pytest.raises(ServiceTimeoutError):
            guard.call(hang)
    never = Flaky(0)
    with pytest.raises(BulkheadFullError, match="all 2 threads"):
        guard.call(never)
    assert never.calls == 0
    assert breaker.snapshot().failures == 2
    assert [(r.policy_type, r.reason) for r in seen.of(ExecutionRejected)] == [("timeout", "bulkhead_full")]
    assert [f.outcome for f in seen.of(ExecutionFinished)][-1] is Outcome.REJECTED
    hang.release.set()
    for _ in range(500):
        try:
            assert guard.call(never) == "done"
            break
        except BulkheadFullError:
            time.sleep(0.01)
    assert never.calls == 1


def test_threads_are_used_again() -> None:
    guard = Timeout(10.0, thread=True, max_threads=1)
    names = {guard.call(lambda: threading.current_thread().name) for _ in range(20)}
    assert len(names) == 1


def test_a_retry_inside_uses_the_same_thread_one_attempt_after_the_other() -> None:
    flaky = Flaky(2)
    guard = Pipeline("p", Timeout(10.0, thread=True, max_threads=1), Retry(on=OSError, backoff=no_wait()))
    assert guard.call(flaky) == "done"
    assert flaky.calls == 3


def test_a_thread_is_free_before_anybody_hears_of_it() -> None:
    """Else the next attempt finds it at work still, and is made by the caller's own thread, which nothing releases."""
    worker = WorkerPool("free", 1).reserve()
    assert worker is not None
    again: list[bool] = []
    done = threading.Event()
    assert worker.run(lambda: None, then=lambda: again.append(worker.run(done.set)))
    assert done.wait(10)
    assert again == [True]
    worker.release()


def test_an_attempt_that_hangs_is_retried(hang: Hanging) -> None:
    guard = Pipeline(
        "hung attempts",
        Retry(on=ServiceTimeoutError, max_attempts=2, backoff=no_wait()),
        Timeout(0.05, thread=True),
    )
    with pytest.raises(ServiceTimeoutError):
        guard.call(hang)
    assert hang.calls == 2


def test_an_earlier_deadline_of_the_caller_counts(hang: Hanging) -> None:
    token = deadline.tighten(0.05)
    try:
        with pytest.raises(ServiceTimeoutError):
            Pipeline("p", Timeout(30.0, thread=True)).call(hang)
    finally:
        deadline.restore(token)


def test_sys_exit_in_the_thread_is_the_callers() -> None:
    with pytest.raises(SystemExit):
        Timeout(10.0, thread=True).call(sys.exit)


async def test_in_asyncio_it_cancels_as_ever() -> None:
    with pytest.raises(ServiceTimeoutError):
        await Timeout(0.02, thread=True).acall(asyncio.sleep, 60)


def test_a_block_cannot_be_moved_to_a_thread() -> None:
    with pytest.raises(TypeError, match="cannot guard a block"), Timeout(1.0, thread=True):
        pass


def test_idle_threads_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers, "IDLE_SECONDS", 0.01)
    pool = WorkerPool("idle", 2)
    worker = pool.reserve()
    assert worker is not None
    worker.release()
    for _ in range(500):
        if pool.threads == 0:
            break
        time.sleep(0.01)
    assert pool.threads == 0
    assert pool.reserve() is not None


HANG = "import threading, time; from otel_resilience import Hedge, RetryBudget, ServiceTimeoutError, Timeout, TimeoutHandler"


@pytest.mark.parametrize(
    "call",
    [
        "Timeout(0.05, thread=True).call(time.sleep, 60)",
        "TimeoutHandler(default=0.05).call_with_timeout('ledger', 'read', lambda: time.sleep(60))",
        "calls = iter([60, 0]); Hedge(after=0.05, budget=RetryBudget()).call(lambda: time.sleep(next(calls)))",
    ],
)
def test_a_hung_worker_delays_the_exit_by_no_second(call: str) -> None:
    program = f"{HANG}\ntry:\n    {call}\nexcept ServiceTimeoutError:\n    pass\nprint(time.monotonic(), threading.active_count())"

    def seconds_to_exit() -> float:
        done = subprocess.run(
            [sys.executable, "-c", program], capture_output=True, text=True, timeout=30, check=True
        )
        ended = time.monotonic()
        told, threads = done.stdout.split()
        assert (int(threads) > 1, done.stderr) == (True, ""), "something must hang"
        return ended - float(told)

    # The quickest of three, as the machine may be busy with something else.
    assert min(seconds_to_exit() for _ in range(3)) < 1.0


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_child_has_threads_of_its_own(hang: Hanging) -> None:
    guard = Timeout(0.3, thread=True, max_threads=1)
    with pytest.raises(ServiceTimeoutError):
        guard.call(hang)
    child = os.fork()
    if child == 0:
        status = 1
        try:
            status = 0 if guard.call(lambda: 42) == 42 else 2
        finally:
            os._exit(status)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_bad_options() -> None:
    with pytest.raises(ConfigurationError, match="thread must be true or false, got 1"):
        Timeout(1.0, thread=1)  # type: ignore[arg-type]  # the point
    with pytest.raises(ConfigurationError, match="max_threads must be a whole number >= 1, got 0"):
        Timeout(1.0, thread=True, max_threads=0)
