"""Attempts side by side: the first good answer wins and nobody waits for the others."""

from __future__ import annotations

import asyncio
import threading
import time
from collections import Counter
from contextvars import ContextVar
from typing import Any

import pytest

from otel_resilience import (
    BreakerState,
    CircuitBreaker,
    CircuitOpenError,
    ConfigurationError,
    Hedge,
    Pipeline,
    Retry,
    RetryBudget,
    ServiceTimeoutError,
    Timeout,
)
from otel_resilience.events import (
    AttemptFinished,
    ExecutionFinished,
    HedgeFinished,
    HedgeStarted,
    RetrySuppressed,
)
from otel_resilience.outcome import Outcome
from otel_resilience.testing import ManualClock, Recorder
from otel_resilience.windows.latencies import ENOUGH, KEPT, Latencies
from tests.flow.flaky import Flaky, no_wait
from tests.worlds import World

NONE = RetryBudget(ratio=0, min_per_second=0)


class Server:
    """Answers each call after the delay that is its turn's; knows how many run and were cancelled."""

    def __init__(self, *delays: float, errors: dict[int, BaseException] | None = None) -> None:
        self.delays = delays
        self.errors = errors or {}
        self.calls = 0
        self.cancelled = 0
        self._lock = threading.Lock()

    def _next(self) -> int:
        with self._lock:
            self.calls += 1
            return self.calls

    def _answer(self, number: int) -> int:
        if number in self.errors:
            raise self.errors[number]
        return number

    def sync(self) -> int:
        number = self._next()
        time.sleep(self.delays[number - 1])
        return self._answer(number)

    async def asynchronous(self) -> int:
        number = self._next()
        try:
            await asyncio.sleep(self.delays[number - 1])
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        return self._answer(number)


async def ask(guard: Any, server: Server, kind: str) -> Any:
    if kind == "tasks":
        return await guard.acall(server.asynchronous)
    return await asyncio.get_running_loop().run_in_executor(None, guard.call, server.sync)


KINDS = pytest.mark.parametrize("kind", ["tasks", "threads"])


@KINDS
async def test_a_hedge_wins_over_a_slow_first_attempt_and_returns_at_once(kind: str, seen: Recorder) -> None:
    server = Server(1.5, 0.0)
    began = time.monotonic()
    assert await ask(Pipeline("p", Hedge(after=0.05, budget=RetryBudget())), server, kind) == 2
    assert time.monotonic() - began < 1.0
    assert [(h.attempt, h.delay) for h in seen.of(HedgeStarted)] == [(2, 0.05)]
    assert [h.outcome for h in seen.of(HedgeFinished)] == [Outcome.SUCCESS]
    await asyncio.sleep(0)
    if kind == "tasks":
        assert server.cancelled == 1
        assert Counter((a.attempt_type, a.outcome) for a in seen.of(AttemptFinished)) == {
            ("hedge", Outcome.SUCCESS): 1,
            ("initial", Outcome.CANCELLED): 1,
        }
    assert [f.outcome for f in seen.of(ExecutionFinished)] == [Outcome.SUCCESS]


@KINDS
async def test_a_quick_call_is_made_once(kind: str, seen: Recorder) -> None:
    server = Server(0.0, 0.0)
    assert await ask(Pipeline("p", Hedge(after=5.0)), server, kind) == 1
    assert server.calls == 1
    assert seen.of(HedgeStarted) == []


@KINDS
async def test_a_failed_attempt_is_waited_past_while_another_runs(kind: str) -> None:
    server = Server(0.15, 0.3, errors={1: OSError()})
    guard = Pipeline("p", Hedge(after=0.02, budget=RetryBudget()))
    assert await ask(guard, server, kind) == 2


@KINDS
async def test_where_all_fail_the_first_error_is_raised(kind: str, seen: Recorder) -> None:
    first = OSError("first")
    server = Server(0.2, 0.0, errors={1: first, 2: KeyError()})
    with pytest.raises(OSError) as caught:
        await ask(Pipeline("p", Hedge(after=0.02, budget=RetryBudget())), server, kind)
    assert caught.value is first
    assert [h.outcome for h in seen.of(HedgeFinished)] == [Outcome.FAILURE]


@KINDS
async def test_a_failure_before_any_hedge_is_the_end(kind: str) -> None:
    server = Server(0.0, errors={1: OSError()})
    with pytest.raises(OSError):
        await ask(Pipeline("p", Hedge(after=5.0)), server, kind)
    assert server.calls == 1


@KINDS
async def test_no_more_than_max_hedges(kind: str, seen: Recorder) -> None:
    server = Server(0.4, 0.4, 0.4, 0.4, 0.4)
    guard = Pipeline("p", Hedge(after=0.02, max_hedges=2, budget=RetryBudget()))
    assert await ask(guard, server, kind) in (1, 2, 3)
    assert server.calls == 3
    assert [h.attempt for h in seen.of(HedgeStarted)] == [2, 3]


@KINDS
async def test_a_zero_budget_means_no_hedge(kind: str, seen: Recorder) -> None:
    server = Server(0.15, 0.0)
    assert await ask(Pipeline("p", Hedge(after=0.02, budget=NONE)), server, kind) == 1
    assert server.calls == 1
    assert [s.reason for s in seen.of(RetrySuppressed)] == ["budget"]


def test_hedges_and_retries_of_one_name_share_one_budget() -> None:
    hedge, retry = Hedge(after=1.0), Retry(on=OSError)
    Pipeline("shared by both", hedge, retry)
    assert hedge.budget is retry.budget


@KINDS
async def test_attempts_side_by_side_are_told_apart_by_the_breaker(kind: str) -> None:
    breaker = CircuitBreaker(failure_threshold=2)
    server = Server(0.15, 0.0, errors={1: OSError(), 2: OSError()})
    with pytest.raises(OSError):
        await ask(Pipeline("p", Hedge(after=0.02, budget=RetryBudget()), breaker), server, kind)
    assert breaker.state is BreakerState.OPEN
    with pytest.raises(CircuitOpenError):
        await ask(Pipeline("p", Hedge(after=0.02), breaker), server, kind)


@KINDS
async def test_a_deadline_ends_all_of_them(kind: str) -> None:
    breaker = CircuitBreaker(failure_threshold=1)
    server = Server(1.5, 1.5)
    guard = Pipeline("p", Timeout(0.1), breaker, Hedge(after=0.02, budget=RetryBudget()))
    began = time.monotonic()
    with pytest.raises(ServiceTimeoutError):
        await ask(guard, server, kind)
    assert time.monotonic() - began < 1.0
    assert breaker.state is BreakerState.OPEN
    await asyncio.sleep(0)
    if kind == "tasks":
        assert server.cancelled == 2


async def test_a_caller_who_leaves_takes_all_of_them_along() -> None:
    server = Server(60.0, 60.0)
    guard = Pipeline("p", Hedge(after=0.01, budget=RetryBudget()))
    pending = asyncio.ensure_future(guard.acall(server.asynchronous))
    while server.calls < 2:  # noqa: ASYNC110 — what is waited for is the policy's doing
        await asyncio.sleep(0.005)
    pending.cancel()
    with pytest.raises(asyncio.CancelledError):
        await pending
    await asyncio.sleep(0)
    assert server.cancelled == 2


@KINDS
async def test_the_context_of_the_caller_is_seen(kind: str) -> None:
    tenant: ContextVar[str] = ContextVar("tenant")
    tenant.set("blue")
    hedge = Hedge(after=0.02, budget=RetryBudget())
    if kind == "tasks":

        async def look() -> str:
            return tenant.get()

        assert await hedge.acall(look) == "blue"
    else:
        assert hedge.call(tenant.get) == "blue"


def test_where_no_thread_is_free_the_call_is_made_without() -> None:
    hedge = Hedge(after=0.01, max_threads=2, budget=RetryBudget())
    hedge.bind("p")
    release, started = threading.Event(), threading.Barrier(3)

    def hang() -> None:
        started.wait(10)
        release.wait(10)

    callers = [threading.Thread(target=hedge.call, args=(hang,)) for _ in range(2)]
    for caller in callers:
        caller.start()
    started.wait(10)
    assert hedge.call(threading.current_thread) is threading.current_thread()
    release.set()
    for caller in callers:
        caller.join(10)


@KINDS
async def test_in_shadow_nothing_is_hedged(kind: str, seen: Recorder) -> None:
    server = Server(0.1, 0.0)
    assert await ask(Pipeline("p", Hedge(after=0.01), mode="shadow"), server, kind) == 1
    assert server.calls == 1


def test_a_call_that_must_not_be_repeated_is_not_hedged() -> None:
    server = Server(0.1, 0.0)
    guard = Pipeline("p", Hedge(after=0.01))
    assert guard.execute(server.sync, not_replayable="not_idempotent") == 1
    assert server.calls == 1


def test_sys_exit_in_an_attempt_is_raised(world: World) -> None:
    with pytest.raises(GeneratorExit):
        world.call(Pipeline("p", Hedge(after=0.2)), Flaky(1, error=GeneratorExit))


def test_a_retry_around_it_counts_its_attempts(world: World, seen: Recorder) -> None:
    guard = Pipeline("p", Retry(on=OSError, backoff=no_wait()), Hedge(after=5.0))
    assert world.call(guard, Flaky(1)) == "done"
    assert [a.attempt_type for a in seen.of(AttemptFinished)] == ["initial", "retry"]


def test_a_quantile_says_nothing_before_enough_calls_are_known(clock: ManualClock) -> None:
    hedge = Hedge(after_quantile=0.9)
    for turn in range(ENOUGH):
        assert hedge.delay is None
        hedge.call(clock.advance, 1.0 + turn)
    assert hedge.delay == 1.0 + 0.9 * ENOUGH


def test_latencies_are_bounded_and_forget_the_oldest() -> None:
    latencies = Latencies()
    for seconds in [9.0] * KEPT + [float(n) for n in range(KEPT)]:
        latencies.add(seconds)
    assert latencies.quantile(0.5) == KEPT / 2
    assert latencies.quantile(0.999) == KEPT - 1
    assert len(latencies._by_size) == len(latencies._by_age) == KEPT


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: Hedge(after=-1), "Hedge after must be seconds >= 0, got -1"),
        (lambda: Hedge(after_quantile=1.0), "after_quantile must be a number between 0 and 1, got 1.0"),
        (lambda: Hedge(after_quantile=0), "after_quantile must be a number between 0 and 1, got 0"),
        (
            lambda: Hedge(after=1, after_quantile=0.9),
            "after_quantile must be absent where after is given, got 0.9",
        ),
        (lambda: Hedge(after=1, max_hedges=0), "max_hedges must be a whole number >= 1, got 0"),
        (lambda: Hedge(after=1, budget=3), "budget must be a RetryBudget, got 3"),  # type: ignore[arg-type]  # the point
        (lambda: Hedge(after=1, max_threads=1), "max_threads must be a whole number >= 2, got 1"),
    ],
)
def test_bad_options(build: Any, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        build()


def test_one_of_both_delays_is_required() -> None:
    with pytest.raises(TypeError, match="after"):
        Hedge()
