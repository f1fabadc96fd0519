"""Makes everything happen that telemetry tells of, so that what is emitted can be compared with what is listed."""

from __future__ import annotations

import pytest

from otel_resilience import (
    Backoff,
    CircuitBreaker,
    CircuitOpenError,
    Deadline,
    Pipeline,
    Retry,
    RetryBudget,
    Timeout,
)
from otel_resilience.context import correlation, deadline
from otel_resilience.errors.propagator import ErrorPropagator
from otel_resilience.exceptions import DeadlineExceededError, ServiceTimeoutError
from otel_resilience.policies.retry.conditions import Codes
from otel_resilience.testing import ManualClock
from tests.telemetry.clients import HTTP, Response, get, ledger_chain
from tests.telemetry.observatory import Observatory

AT_ONCE = Backoff(initial=0.0, jitter="none")


def happen(observatory: Observatory, clock: ManualClock) -> Pipeline:
    """Every event of the core, every attribute of every span, every metric; the policies shown live while the pipeline does."""
    token = correlation.enter("abc")
    try:
        guard = _remote(observatory, clock)
        _plain()
        _late(clock)
        _overdue()
    finally:
        correlation.leave(token)
    ErrorPropagator().extract({"error-chain": "?"})
    observatory.telemetry.gauges.config_valid = True
    return guard


def _remote(observatory: Observatory, clock: ManualClock) -> Pipeline:
    retry = Retry(on=Codes(), backoff=AT_ONCE, max_attempts=2, budget=RetryBudget())
    guard = Pipeline("everything.remote", retry, CircuitBreaker(failure_threshold=2), trace=True)
    tracer = observatory.tracer()
    guard.execute(
        get(tracer, Response(503, ledger_chain()), Response(503, ledger_chain())),
        dialect=HTTP,
        peer="payments",
    )
    for _ in range(2):
        with pytest.raises(CircuitOpenError):
            guard.execute(get(tracer), dialect=HTTP, peer="payments")
    clock.advance(60.0)
    guard.execute(get(tracer, Response(200)), dialect=HTTP, peer="payments")
    return guard


def _plain() -> None:
    guard = Pipeline(
        "everything.plain",
        Retry(on=OSError, backoff=AT_ONCE, budget=RetryBudget(ratio=0, min_per_second=0)),
        trace=True,
    )

    def function() -> None:
        raise OSError("away")

    for _ in range(2):
        with pytest.raises(OSError, match="away"):
            guard.call(function)


def _late(clock: ManualClock) -> None:
    def hang() -> None:
        clock.sleep(2.0)
        Deadline.check()

    with pytest.raises(ServiceTimeoutError):
        Pipeline("everything.late", Timeout(1.0), trace=True).call(hang)


def _overdue() -> None:
    token = deadline.tighten(0.0)
    try:
        with pytest.raises(DeadlineExceededError):
            Pipeline("everything.overdue", Timeout(1.0), trace=True).call(len, "")
    finally:
        deadline.restore(token)
