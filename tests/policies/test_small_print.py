"""What is promised of all policies alike, and the sentences about single ones that no other test holds."""

from __future__ import annotations

import dataclasses
import enum
import threading
from collections.abc import Callable
from contextvars import Context
from typing import Any

import pytest

import otel_resilience
from otel_resilience import (
    Backoff,
    BreakerState,
    Bulkhead,
    CircuitBreaker,
    CircuitOpenError,
    ConfigurationError,
    Fallback,
    FaultInjector,
    Hedge,
    Pipeline,
    RateLimiter,
    ResilienceError,
    Retry,
    RetryBudget,
    ServiceInfo,
    ServiceMesh,
    ServiceRegistry,
    Timeout,
    TimeoutHandler,
)
from otel_resilience.events import ExecutionFinished, RetrySuppressed
from otel_resilience.inventory import POLICIES
from otel_resilience.testing import Draws, ManualClock, Recorder

AT_ONCE = Backoff(initial=0.0, jitter="none")

#: The package, for uses that a type checker would refuse.
LOOSE: Any = otel_resilience

PROMISED = [
    "Pipeline",
    "CircuitBreaker",
    "BreakerState",
    "Retry",
    "RetryBudget",
    "Backoff",
    "Timeout",
    "Bulkhead",
    "RateLimiter",
    "Hedge",
    "Fallback",
    "FaultInjector",
    "ErrorPropagator",
    "ErrorChain",
    "Hop",
    "DomainError",
    "error_chain",
    "register_code",
    "CorrelationManager",
    "DistributedTracer",
    "TimeoutHandler",
    "Deadline",
    "ServiceRegistry",
    "ServiceInfo",
    "HealthCheck",
    "Endpoint",
    "ServiceMesh",
    "load_config",
    "ResilienceError",
    "CircuitOpenError",
    "BulkheadFullError",
    "RateLimitedError",
    "ServiceTimeoutError",
    "DeadlineExceededError",
    "RetriesExhaustedError",
    "NoHealthyEndpointError",
    "ServiceNotFoundError",
    "RemoteError",
    "FaultInjectedError",
    "ConfigurationError",
]

WRONG: list[tuple[Callable[[], Any], str, str]] = [
    (lambda: CircuitBreaker("x", failure_threshold=0), "failure_threshold", "0"),
    (lambda: CircuitBreaker("x", failure_rate=1.5), "failure_rate", "1.5"),
    (lambda: CircuitBreaker("x", recovery_timeout=-1.0), "recovery_timeout", "-1.0"),
    (lambda: Retry("x", on=OSError, max_attempts=0), "max_attempts", "0"),
    (lambda: Retry("x", on=OSError, max_elapsed=0.0), "max_elapsed", "0"),
    (lambda: LOOSE.Retry("x", on="OSError"), "on", "'OSError'"),
    (lambda: Backoff(jitter="much"), "jitter", "'much'"),
    (lambda: RetryBudget(ratio=-0.1), "ratio", "-0.1"),
    (lambda: Timeout(0.0), "seconds", "0"),
    (lambda: Timeout(float("nan")), "seconds", "nan"),
    (lambda: Bulkhead("x", max_concurrency=0), "max_concurrency", "0"),
    (lambda: RateLimiter("x", rate=0.0), "rate", "0"),
    (lambda: Hedge(after=-1.0), "after", "-1.0"),
    (lambda: Hedge(after_quantile=2.0), "after_quantile", "2.0"),
    (lambda: LOOSE.Fallback(None, on="x"), "on", "'x'"),
    (lambda: FaultInjector(rate=2.0), "rate", "2.0"),
    (lambda: Pipeline("x", mode="loud"), "mode", "'loud'"),
    (lambda: Pipeline("", Timeout(1.0)), "name", "''"),
]


def test_every_promised_name_is_there_and_every_error_is_ours() -> None:
    assert sorted(PROMISED) == sorted(otel_resilience.__all__)
    # A DomainError is the application's own.
    names = [name for name in PROMISED if name.endswith("Error") and name != "DomainError"]
    assert len(names) == 12
    assert [name for name in names if not issubclass(getattr(otel_resilience, name), ResilienceError)] == []
    assert issubclass(ConfigurationError, ValueError)


@pytest.mark.parametrize(("make", "field", "value"), WRONG)
def test_a_bad_option_names_field_and_value_and_nothing_is_half_built(
    make: Callable[[], Any], field: str, value: str
) -> None:
    known = {
        kind: {n: len(live) for n, live in POLICIES.live(kind).items()}
        for kind in ("circuit_breaker", "bulkhead")
    }
    with pytest.raises(ValueError, match=rf"\b{field}\b") as caught:
        make()
    assert isinstance(caught.value, ConfigurationError)
    assert value in str(caught.value)
    assert caught.value.error_code == "CONFIGURATION_INVALID"
    now = {
        kind: {n: len(live) for n, live in POLICIES.live(kind).items()}
        for kind in ("circuit_breaker", "bulkhead")
    }
    assert now == known


@pytest.mark.parametrize(
    "make",
    [
        Retry,
        Timeout,
        Bulkhead,
        RateLimiter,
        Hedge,
        Fallback,
        lambda: LOOSE.CircuitBreaker("x", 5),
        lambda: LOOSE.RetryBudget(0.2),
    ],
)
def test_what_is_required_is_required_and_options_have_names(make: Any) -> None:
    with pytest.raises(TypeError):
        make()


def test_every_error_has_the_six_members_outside_of_any_span() -> None:
    breaker = CircuitBreaker()
    breaker.force_open()
    with pytest.raises(CircuitOpenError) as caught:
        breaker.call(len, "")
    error = caught.value
    assert (error.error_code, error.retryable) == ("CIRCUIT_OPEN", False)
    assert (error.retry_after, error.trace_id, error.span_id, tuple(error.parent_spans)) == (
        None,
        None,
        None,
        (),
    )


def test_names() -> None:
    def guarded() -> None:
        return None

    with Recorder() as seen:
        own = CircuitBreaker("its own")
        Pipeline("the pipeline's", own, Retry(on=OSError)).call(guarded)
        CircuitBreaker().call(guarded)
        CircuitBreaker()(guarded)()
    names = [event.name for event in seen.of(ExecutionFinished)]
    assert names == ["the pipeline's", guarded.__qualname__, guarded.__qualname__]
    assert own in POLICIES.live("circuit_breaker")["its own"]


def test_a_breakers_state_is_a_text_and_its_snapshot_a_frozen_value() -> None:
    assert issubclass(BreakerState, enum.StrEnum)
    assert list(BreakerState) == ["closed", "open", "half_open", "forced_open", "forced_closed"]
    snapshot = CircuitBreaker().snapshot()
    assert [field.name for field in dataclasses.fields(snapshot)] == (
        ["state", "failures", "successes", "failure_ratio", "slow_ratio", "generation", "retry_after"]
    )
    with pytest.raises(dataclasses.FrozenInstanceError):
        snapshot.failures = 1  # type: ignore[misc]  # that is what is tested


def test_a_refusals_hint_is_what_is_left_of_the_open_time() -> None:
    breaker = CircuitBreaker(failure_threshold=1, recovery_timeout=10.0)
    with ManualClock() as clock, Draws([0.5]):
        with pytest.raises(ZeroDivisionError):
            breaker.call(lambda: 1 / 0)
        clock.advance(4.0)
        with pytest.raises(CircuitOpenError) as caught:
            breaker.call(len, "")
        assert caught.value.retry_after == pytest.approx(10.5 - 4.0)
        assert breaker.snapshot().retry_after == pytest.approx(6.5)


def test_a_probes_lease_is_as_long_as_a_call_may_hang() -> None:
    breaker = CircuitBreaker(failure_threshold=1, recovery_timeout=1.0, hang_seconds=7.0)
    with ManualClock() as clock, Draws([0.0]):
        with pytest.raises(ZeroDivisionError):
            breaker.call(lambda: 1 / 0)
        clock.advance(1.0)

        def probe() -> list[str]:
            told = []
            for seconds in (6.9, 0.2):
                clock.advance(seconds)
                with pytest.raises(CircuitOpenError):
                    Context().run(breaker.call, len, "")  # somebody else, who is not inside of the probe
                told.append(str(breaker.state))
            return told

        assert breaker.call(probe) == ["half_open", "open"]
        assert breaker.state is BreakerState.OPEN, "a late result counts for nothing"


def test_a_budget_by_its_formula() -> None:
    budget = RetryBudget(ratio=0.25, min_per_second=0.1, window_seconds=10.0)
    with ManualClock(1_000.0) as clock:
        assert (budget.limit, budget.available) == (1.0, 1.0)
        for _ in range(6):
            budget.record_first_attempt(clock.monotonic())
        assert (budget.limit, budget.available) == (2.5, 2.5)
        assert [budget.take(clock.monotonic()) for _ in range(3)] == [True, True, False], (
            "each needs 1, half is none"
        )
        assert budget.available == 0.5
        clock.advance(10.0)
        assert (budget.limit, budget.available) == (1.0, 1.0), "what happened a window ago has left it"


def test_three_nested_retries_stay_within_one_budget() -> None:
    budget = RetryBudget(ratio=0.0, min_per_second=0.4, window_seconds=10.0)
    calls = 0

    def fail() -> None:
        nonlocal calls
        calls += 1
        raise OSError

    with ManualClock(), Recorder() as seen:
        guarded: Callable[[], None] = fail
        for number in range(3):
            guarded = Retry(f"nested {number}", on=OSError, max_attempts=4, backoff=AT_ONCE, budget=budget)(
                guarded
            )
        for _ in range(5):
            with pytest.raises(OSError):
                guarded()
        assert calls == 5 + 4, "one call each, and what the budget has"
        assert budget.available == 0.0
    assert {event.reason for event in seen.of(RetrySuppressed)} == {"nested", "budget"}


def test_what_is_closed_leaves_no_thread_and_may_be_closed_twice() -> None:
    before = set(threading.enumerate())
    with (
        ServiceRegistry() as registry,
        ServiceMesh(registry) as mesh,
        TimeoutHandler(default=30.0) as handler,
    ):
        registry.register(ServiceInfo(name="ledger", version="1", host="127.0.0.1", port=1, ttl=60.0))
        registry.watch("ledger", lambda endpoints: None)
        mesh.session("ledger")
        mesh.channel("ledger")
        mesh.call("ledger", "read", lambda endpoint: None)
        handler.call_with_timeout("ledger", "read", lambda: None)
        begun = set(threading.enumerate()) - before
        assert begun
    for each in (mesh, handler, registry):
        each.close()
    for thread in begun:
        thread.join(1.0)
    assert [thread.name for thread in begun if thread.is_alive()] == []
