"""What callers, breakers and events see, for threads and for asyncio alike."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from otel_resilience import (
    Backoff,
    BreakerState,
    CircuitBreaker,
    CircuitOpenError,
    ConfigurationError,
    Deadline,
    DeadlineExceededError,
    Pipeline,
    RetriesExhaustedError,
    Retry,
    RetryBudget,
    ServiceTimeoutError,
    Timeout,
)
from otel_resilience.context import deadline, request
from otel_resilience.events import (
    AttemptFinished,
    CircuitStateChanged,
    ExecutionFinished,
    ExecutionRejected,
    ExecutionTimedOut,
    RetryExhausted,
    RetryFinished,
    RetryScheduled,
    RetrySuppressed,
)
from otel_resilience.outcome import Outcome
from otel_resilience.testing import Draws, ManualClock, Recorder
from tests.worlds import WORLDS, World

_ERAS = itertools.count(1_000.0, 1_000.0)


class Flaky:
    """Fails ``failures`` times, then returns ``value``."""

    def __init__(
        self, failures: int, value: object = "done", error: Callable[[], BaseException] = OSError
    ) -> None:
        self.failures = failures
        self.value = value
        self.error = error
        self.calls = 0

    def __call__(self) -> object:
        self.calls += 1
        if self.calls <= self.failures:
            raise self.error()
        return self.value


@pytest.fixture(params=WORLDS, ids=repr)
def world(request: pytest.FixtureRequest) -> World:
    chosen: World = request.param
    return chosen


@pytest.fixture
def clock() -> Iterator[ManualClock]:
    # Each test in a time of its own: policies of one name share a budget while they live.
    with ManualClock(next(_ERAS), auto=True) as clock:
        yield clock


@pytest.fixture
def seen() -> Iterator[Recorder]:
    with Recorder() as seen:
        yield seen


def no_wait() -> Backoff:
    return Backoff(initial=0.0)


def test_a_value_passes_through_as_it_is(world: World, seen: Recorder) -> None:
    value = object()
    assert world.call(Pipeline("p"), lambda: value) is value
    (finished,) = seen.of(ExecutionFinished)
    assert (finished.outcome, finished.error_type, finished.counted) == (Outcome.SUCCESS, None, True)
    assert [a.attempt_type for a in seen.of(AttemptFinished)] == ["initial"]


def test_the_functions_own_error_is_raised_as_the_same_object_with_its_cause(world: World) -> None:
    original = KeyError("mine")
    original.__cause__ = OSError("below")

    def fail() -> None:
        raise original

    guard = Pipeline("p", Timeout(5.0), Retry(on=OSError), CircuitBreaker())
    with pytest.raises(KeyError) as caught:
        world.call(guard, fail)
    assert caught.value is original
    assert isinstance(caught.value.__cause__, OSError)
    assert caught.value.__context__ is None


def test_retry_until_it_works(world: World, clock: ManualClock, seen: Recorder) -> None:
    flaky = Flaky(2)
    guard = Pipeline("p", Retry(on=OSError, backoff=Backoff(initial=1.0, jitter="none")))
    assert world.call(guard, flaky) == "done"
    assert flaky.calls == 3
    assert clock.slept == [1.0, 2.0]
    assert [(s.attempt, s.delay, s.error_code) for s in seen.of(RetryScheduled)] == [
        (2, 1.0, "INTERNAL"),
        (3, 2.0, "INTERNAL"),
    ]
    assert [f.result for f in seen.of(RetryFinished)] == ["success_with_retry"]
    assert [(a.attempt_type, a.outcome) for a in seen.of(AttemptFinished)] == [
        ("initial", Outcome.FAILURE),
        ("retry", Outcome.FAILURE),
        ("retry", Outcome.SUCCESS),
    ]


def test_the_last_error_itself_ends_an_exhausted_retry(
    world: World, clock: ManualClock, seen: Recorder
) -> None:
    errors = [OSError(number) for number in range(3)]
    waiting = list(errors)

    def fail() -> None:
        raise waiting.pop(0)

    with pytest.raises(OSError) as caught:
        world.call(Pipeline("p", Retry(on=OSError)), fail)
    assert caught.value is errors[-1]
    assert [e.attempts for e in seen.of(RetryExhausted)] == [3]
    assert [f.result for f in seen.of(RetryFinished)] == ["failure_with_retry"]


def test_results_that_ask_for_another_try(world: World, clock: ManualClock) -> None:
    flaky = Flaky(0, value=None)
    with pytest.raises(RetriesExhaustedError) as caught:
        world.call(Pipeline("p", Retry(on=OSError, results=lambda value: value is None)), flaky)
    assert flaky.calls == 3
    assert caught.value.last_result is None
    assert caught.value.error_code == "MAX_RETRIES_EXCEEDED"


def test_other_errors_are_not_retried(world: World, seen: Recorder) -> None:
    flaky = Flaky(5, error=ValueError)
    with pytest.raises(ValueError):
        world.call(Pipeline("p", Retry(on=OSError)), flaky)
    assert flaky.calls == 1
    assert [f.result for f in seen.of(RetryFinished)] == ["failure_without_retry"]


def test_an_empty_budget_ends_the_retrying(world: World, clock: ManualClock, seen: Recorder) -> None:
    flaky = Flaky(5)
    guard = Pipeline("p", Retry(on=OSError, budget=RetryBudget(ratio=0, min_per_second=0)))
    with pytest.raises(OSError):
        world.call(guard, flaky)
    assert flaky.calls == 1
    assert [s.reason for s in seen.of(RetrySuppressed)] == ["budget"]


def test_three_nested_retries_make_three_calls_not_twenty_seven(
    world: World, clock: ManualClock, seen: Recorder
) -> None:
    flaky = Flaky(99)
    guard = Pipeline("p", Retry("a", on=OSError), Retry("b", on=OSError), Retry("c", on=OSError))
    with pytest.raises(OSError):
        world.call(guard, flaky)
    assert flaky.calls == 3
    assert [s.reason for s in seen.of(RetrySuppressed)] == ["nested", "nested"]


def test_a_request_that_is_a_retry_is_not_retried_below(
    world: World, clock: ManualClock, seen: Recorder
) -> None:
    token = request.enter(request.Request(attempt=2))
    try:
        flaky = Flaky(99)
        with pytest.raises(OSError):
            world.call(Pipeline("p", Retry(on=OSError)), flaky)
    finally:
        request.leave(token)
    assert flaky.calls == 1
    assert [s.reason for s in seen.of(RetrySuppressed)] == ["nested"]


def test_retry_after_is_waited_for_and_a_longer_one_ends_the_retrying(
    world: World, clock: ManualClock, seen: Recorder
) -> None:
    class Busy(Exception):
        def __init__(self, retry_after: float) -> None:
            self.retry_after = retry_after

    with Draws([0.0]):
        flaky = Flaky(1, error=lambda: Busy(7.0))
        world.call(Pipeline("p", Retry(on=Busy)), flaky)
    assert clock.slept == [7.0]
    flaky = Flaky(1, error=lambda: Busy(31.0))
    with pytest.raises(Busy):
        world.call(Pipeline("q", Retry(on=Busy)), flaky)
    assert flaky.calls == 1
    assert [s.reason for s in seen.of(RetrySuppressed)] == ["not_retryable"]


def test_no_retry_that_the_deadline_would_not_see(world: World, clock: ManualClock, seen: Recorder) -> None:
    flaky = Flaky(99)
    guard = Pipeline("p", Timeout(2.5), Retry(on=OSError, backoff=Backoff(initial=1.0, jitter="none")))
    with pytest.raises(OSError):
        world.call(guard, flaky)
    assert flaky.calls == 2
    assert [s.reason for s in seen.of(RetrySuppressed)] == ["deadline"]


def test_max_elapsed_bounds_the_retrying(world: World, clock: ManualClock, seen: Recorder) -> None:
    flaky = Flaky(99)
    retry = Retry(on=OSError, max_attempts=9, max_elapsed=3.0, backoff=Backoff(initial=1.0, jitter="none"))
    with pytest.raises(OSError):
        world.call(Pipeline("p", retry), flaky)
    assert flaky.calls == 2


def test_the_circuit_opens_rejects_probes_and_closes(
    world: World, clock: ManualClock, seen: Recorder
) -> None:
    breaker = CircuitBreaker("ledger", failure_threshold=2, recovery_timeout=10.0)
    with Draws([0.0]):
        for _ in range(2):
            with pytest.raises(OSError):
                world.call(breaker, Flaky(1))
        assert breaker.state is BreakerState.OPEN
        never = Flaky(0)
        with pytest.raises(CircuitOpenError) as caught:
            world.call(breaker, never)
        assert never.calls == 0
        assert (caught.value.error_code, caught.value.retryable) == ("CIRCUIT_OPEN", False)
        assert caught.value.retry_after == pytest.approx(10.0)
        assert caught.value.cause is not None and caught.value.cause.code == "INTERNAL"
        clock.advance(10.0)
        assert breaker.state is BreakerState.OPEN
        world.call(breaker, Flaky(0))
    assert breaker.state is BreakerState.CLOSED
    assert [(c.previous_state, c.state) for c in seen.of(CircuitStateChanged)] == [
        ("closed", "open"),
        ("open", "half_open"),
        ("half_open", "closed"),
    ]
    assert [(r.policy_type, r.reason, r.enforced) for r in seen.of(ExecutionRejected)] == [
        ("circuit_breaker", "circuit_open", True)
    ]
    assert [f.outcome for f in seen.of(ExecutionFinished)] == [
        Outcome.FAILURE,
        Outcome.FAILURE,
        Outcome.REJECTED,
        Outcome.SUCCESS,
    ]


def test_an_open_circuit_is_not_retried(world: World, clock: ManualClock, seen: Recorder) -> None:
    breaker = CircuitBreaker("ledger")
    breaker.force_open()
    with pytest.raises(CircuitOpenError):
        world.call(Pipeline("p", Retry(on=Exception), breaker), Flaky(0))
    assert clock.slept == []
    assert [s.reason for s in seen.of(RetrySuppressed)] == ["circuit_open"]


def test_an_exception_that_is_no_failure_leaves_the_breaker_alone(world: World) -> None:
    breaker = CircuitBreaker(failure_threshold=1, failures=OSError)
    with pytest.raises(KeyError):
        world.call(breaker, Flaky(1, error=KeyError))
    assert breaker.state is BreakerState.CLOSED


def test_results_can_be_failures(world: World, seen: Recorder) -> None:
    breaker = CircuitBreaker(failure_threshold=1, failure_results=lambda value: value == "sick")
    assert world.call(breaker, lambda: "sick") == "sick"
    assert breaker.state is BreakerState.OPEN


def test_a_predicate_that_raises_loses_no_permit(world: World) -> None:
    def judge(value: object) -> bool:
        raise RuntimeError("a bug of the user's")

    breaker = CircuitBreaker(failure_threshold=1, failure_results=judge)
    assert world.call(breaker, lambda: "fine") == "fine"
    assert breaker.state is BreakerState.OPEN


@pytest.mark.parametrize("leaving", [KeyboardInterrupt, SystemExit, GeneratorExit])
def test_leaving_the_process_says_nothing_of_the_dependency(
    leaving: type[BaseException], seen: Recorder
) -> None:
    breaker = CircuitBreaker(failure_threshold=1)
    flaky = Flaky(9, error=leaving)
    with pytest.raises(leaving):
        Pipeline("p", Retry(on=Exception), breaker).call(flaky)
    assert flaky.calls == 1
    assert breaker.state is BreakerState.CLOSED
    assert [f.outcome for f in seen.of(ExecutionFinished)] == [Outcome.CANCELLED]


def test_a_late_result_of_a_thread_is_returned_counted_and_not_retried(
    clock: ManualClock, seen: Recorder
) -> None:
    breaker = CircuitBreaker(failure_threshold=1)
    calls = []

    def slow() -> str:
        calls.append(1)
        clock.advance(3.0)
        return "late"

    guard = Pipeline("p", Retry(on=Exception, results=lambda value: True), breaker, Timeout(2.0))
    assert guard.call(slow) == "late"
    assert calls == [1]
    assert breaker.state is BreakerState.OPEN
    assert [f.outcome for f in seen.of(ExecutionFinished)] == [Outcome.TIMEOUT]
    assert [t.seconds for t in seen.of(ExecutionTimedOut)] == [2.0]


def test_a_breaker_inside_the_timeout_learns_of_a_late_result_too(clock: ManualClock) -> None:
    breaker = CircuitBreaker(failure_threshold=1)
    Pipeline("p", Timeout(2.0), breaker).call(lambda: clock.advance(2.0))
    assert breaker.state is BreakerState.OPEN


def test_a_deadline_that_is_looked_at_ends_in_a_timeout(
    world: World, clock: ManualClock, seen: Recorder
) -> None:
    breaker = CircuitBreaker(failure_threshold=1)

    def work() -> None:
        current = Deadline.current()
        assert current is not None
        assert current.remaining() == pytest.approx(2.0)
        clock.advance(2.5)
        Deadline.check()

    with pytest.raises(ServiceTimeoutError) as caught:
        world.call(Pipeline("p", Timeout(2.0), breaker), work)
    assert isinstance(caught.value.__cause__, DeadlineExceededError)
    assert caught.value.retryable is False
    assert breaker.state is BreakerState.OPEN
    assert [f.outcome for f in seen.of(ExecutionFinished)] == [Outcome.TIMEOUT]
    assert Deadline.current() is None


def test_a_call_behind_its_deadline_is_refused_before_it_begins(
    world: World, clock: ManualClock, seen: Recorder
) -> None:
    token = deadline.tighten(1.0)
    try:
        clock.advance(1.0)
        never = Flaky(0)
        with pytest.raises(DeadlineExceededError):
            world.call(Pipeline("p", Timeout(5.0)), never)
    finally:
        deadline.restore(token)
    assert never.calls == 0
    assert [(r.reason, r.policy_type) for r in seen.of(ExecutionRejected)] == [
        ("deadline_exceeded", "timeout")
    ]
    assert [f.outcome for f in seen.of(ExecutionFinished)] == [Outcome.REJECTED]


def test_an_attempt_that_times_out_is_retried_and_the_whole_call_is_not(clock: ManualClock) -> None:
    attempts = []

    def work() -> str:
        attempts.append(clock.monotonic())
        if len(attempts) == 1:
            clock.advance(1.5)
            Deadline.check()
        return "done"

    guard = Pipeline("p", Timeout(5.0), Retry(on=ServiceTimeoutError, backoff=no_wait()), Timeout(1.0))
    assert guard.call(work) == "done"
    assert len(attempts) == 2


def test_nested_guards_of_one_name_count_a_call_once(world: World, seen: Recorder) -> None:
    breaker = CircuitBreaker("p")
    world.call(Pipeline("p"), lambda: breaker.call(lambda: 1))
    assert [f.counted for f in seen.of(ExecutionFinished)] == [False, True]


def test_shadow_decides_and_counts_but_never_blocks_delays_or_retries(
    world: World, clock: ManualClock, seen: Recorder
) -> None:
    breaker = CircuitBreaker("p", failure_threshold=1)
    guard = Pipeline("p", Timeout(1.0), Retry(on=OSError), breaker, mode="shadow")
    flaky = Flaky(1)
    with pytest.raises(OSError):
        world.call(guard, flaky)
    assert flaky.calls == 1
    assert breaker.state is BreakerState.OPEN
    assert world.call(guard, flaky) == "done"
    assert [r.enforced for r in seen.of(ExecutionRejected)] == [False]
    assert Deadline.current() is None
    world.call(guard, lambda: clock.advance(1.0))
    assert [t.enforced for t in seen.of(ExecutionTimedOut)] == [False]


def test_off_is_as_if_nothing_were_there(world: World, seen: Recorder) -> None:
    breaker = CircuitBreaker("p")
    breaker.force_open()
    forced = len(seen.events)
    assert world.call(Pipeline("p", breaker, mode="off"), lambda: 1) == 1
    assert seen.events[forced:] == []


def test_ten_thousand_rejections_leave_no_growing_traceback() -> None:
    breaker = CircuitBreaker("p")
    breaker.force_open()
    depths = set()
    for _ in range(10_000):
        try:
            breaker.call(lambda: None)
        except CircuitOpenError as error:
            at, depth = error.__traceback__, 0
            while at is not None:
                at, depth = at.tb_next, depth + 1
            depths.add(depth)
    assert len(depths) == 1


async def test_asyncio_cancels_what_takes_too_long() -> None:
    cancelled = []

    async def hang() -> None:
        try:
            await manual.asleep(60.0)
        except asyncio.CancelledError:
            cancelled.append(True)
            raise

    breaker = CircuitBreaker(failure_threshold=1)
    with ManualClock() as manual:
        pending = asyncio.ensure_future(Pipeline("p", Timeout(2.0), breaker).acall(hang))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        manual.advance(2.0)
        with pytest.raises(ServiceTimeoutError):
            await pending
    assert cancelled == [True]
    assert breaker.state is BreakerState.OPEN


async def test_somebody_elses_cancellation_is_not_taken_for_our_timeout() -> None:
    breaker = CircuitBreaker(failure_threshold=1)
    with ManualClock() as manual, Recorder() as seen:
        pending = asyncio.ensure_future(Pipeline("p", Timeout(60.0), breaker).acall(manual.asleep, 30.0))
        await asyncio.sleep(0)
        pending.cancel()
        with pytest.raises(asyncio.CancelledError):
            await pending
        assert breaker.state is BreakerState.CLOSED
        assert [f.outcome for f in seen.of(ExecutionFinished)] == [Outcome.CANCELLED]


async def test_a_dependency_that_hangs_behind_an_outer_timeout_opens_the_breaker() -> None:
    breaker = CircuitBreaker(failure_threshold=1, hang_seconds=5.0)
    with ManualClock() as manual:
        pending = asyncio.ensure_future(breaker.acall(manual.asleep, 30.0))
        await asyncio.sleep(0)
        manual.advance(5.0)
        pending.cancel()
        with pytest.raises(asyncio.CancelledError):
            await pending
    assert breaker.state is BreakerState.OPEN


async def test_a_cancelled_wait_between_attempts_ends_the_call() -> None:
    flaky = Flaky(99)
    breaker = CircuitBreaker(half_open_max_concurrency=1)
    with ManualClock() as manual, Recorder() as seen:
        guard = Pipeline("p", breaker, Retry(on=OSError, backoff=Backoff(initial=5.0, jitter="none")))
        pending = asyncio.ensure_future(guard.acall(flaky))
        await asyncio.sleep(0)
        pending.cancel()
        with pytest.raises(asyncio.CancelledError):
            await pending
        assert flaky.calls == 1
        assert [f.outcome for f in seen.of(ExecutionFinished)] == [Outcome.CANCELLED]
        assert manual.slept == [5.0]


async def test_siblings_never_see_each_others_deadline() -> None:
    seen: dict[str, float | None] = {}

    async def look(name: str) -> None:
        await asyncio.sleep(0)
        seen[name] = deadline.remaining()

    with ManualClock():
        await asyncio.gather(Pipeline("p", Timeout(2.0)).acall(look, "guarded"), look("sibling"))
    assert seen == {"guarded": pytest.approx(2.0), "sibling": None}


def test_call_refuses_a_coroutine_function() -> None:
    async def coroutine() -> None: ...

    with pytest.raises(TypeError, match="use acall"):
        Pipeline("p").call(coroutine)


def test_decorating_keeps_name_signature_and_method_binding() -> None:
    class Shop:
        @CircuitBreaker()
        def charge(self, amount: int, *, currency: str = "EUR") -> str:
            """Charge it."""
            return f"{amount} {currency}"

        @Retry(on=OSError)
        async def acharge(self, amount: int) -> int:
            return amount

    assert Shop().charge(3, currency="CHF") == "3 CHF"
    assert asyncio.run(Shop().acharge(4)) == 4
    assert (Shop.charge.__name__, Shop.charge.__doc__) == ("charge", "Charge it.")
    assert asyncio.iscoroutinefunction(Shop.acharge)


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: Timeout(0), "Timeout seconds must be seconds > 0, got 0"),
        (lambda: Timeout(True), "Timeout seconds must be seconds > 0, got True"),
        (lambda: CircuitBreaker(failure_threshold=0), "failure_threshold must be a whole number >= 1, got 0"),
        (
            lambda: CircuitBreaker(recovery_max=1.0),
            r"recovery_max must be >= recovery_timeout \(30\), got 1.0",
        ),
        (lambda: CircuitBreaker(failures="x"), "failures must be exception types or a predicate, got 'x'"),
        (lambda: CircuitBreaker(""), "name must be a text that is not empty, got ''"),
        (lambda: Retry(on=OSError, max_attempts=0), "max_attempts must be a whole number >= 1, got 0"),
        (lambda: Retry(on=()), r"on must be exception types or a predicate, got \(\)"),
        (lambda: Backoff(jitter="some"), "jitter must be one of full, equal, decorrelated, none, got 'some'"),
        (lambda: RetryBudget(ratio=-1), "ratio must be a number >= 0, got -1"),
        (lambda: Pipeline("p", mode="loud"), "mode must be one of enforce, shadow, off, got 'loud'"),
        (lambda: Pipeline("p", object()), "policies must be policies"),  # type: ignore[arg-type]  # the point
    ],
)
def test_a_bad_option_is_one_clear_error(build: Callable[[], Any], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message) as caught:
        build()
    assert isinstance(caught.value, ValueError)


@pytest.mark.parametrize(
    "build", [lambda: Retry(), lambda: CircuitBreaker(no_such_option=1), lambda: Timeout()]
)
def test_a_missing_or_unknown_option_is_a_type_error(build: Callable[[], Any]) -> None:
    with pytest.raises(TypeError):
        build()
