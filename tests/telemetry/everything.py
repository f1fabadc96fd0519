"""Makes everything happen that telemetry tells of, so that what is emitted can be compared with what is listed."""

from __future__ import annotations

import threading
from contextlib import suppress
from contextvars import Context

import pytest

from otel_resilience import (
    Backoff,
    Bulkhead,
    BulkheadFullError,
    CircuitBreaker,
    CircuitOpenError,
    Deadline,
    DistributedTracer,
    Endpoint,
    Fallback,
    FaultInjectedError,
    FaultInjector,
    Hedge,
    Pipeline,
    RateLimitedError,
    RateLimiter,
    Retry,
    RetryBudget,
    ServiceInfo,
    ServiceMesh,
    ServiceRegistry,
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


def happen(observatory: Observatory, clock: ManualClock) -> list[object]:
    """Every event of the core, every attribute of every span, every metric; what is shown lives while the answer does."""
    token = correlation.enter("abc")
    try:
        live = [_remote(observatory, clock), _endpoints(), *_pools()]
        _plain()
        _instead()
        _side_by_side()
        _late(clock)
        _overdue()
        with DistributedTracer("stock", tracer_provider=observatory.tracers).trace("hand made"):
            pass
    finally:
        correlation.leave(token)
    ErrorPropagator().extract({"error-chain": "?"})
    observatory.telemetry.gauges.config_valid = True
    return live


def _remote(observatory: Observatory, clock: ManualClock) -> Pipeline:
    retry = Retry(on=Codes(), backoff=AT_ONCE, max_attempts=2, budget=RetryBudget())
    guard = Pipeline(
        "everything.remote", retry, CircuitBreaker(failure_threshold=2, slow_call_seconds=5.0), trace=True
    )
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


def _pools() -> list[object]:
    bulkhead = Bulkhead("everything.pool", max_concurrency=1)
    limiter = RateLimiter("everything.rate", rate=1.0)
    with bulkhead, pytest.raises(BulkheadFullError):
        Context().run(bulkhead.call, len, "")
    limiter.call(len, "")
    with pytest.raises(RateLimitedError):
        limiter.call(len, "")
    return [bulkhead, limiter]


def _endpoints() -> object:
    """A mesh of two endpoints, of which the one that keeps failing is ejected."""
    registry = ServiceRegistry()
    for port in (1, 2):
        registry.register(ServiceInfo(name="payments", version="1", host="127.0.0.1", port=port))
    mesh = ServiceMesh(registry)

    def charge(endpoint: Endpoint) -> None:
        if endpoint.port == 1:
            raise ConnectionRefusedError

    for _ in range(10):
        with suppress(ConnectionRefusedError):
            mesh.call("payments", "charge", charge)
    return mesh, registry


def _instead() -> None:
    def away() -> None:
        raise OSError("away")

    Pipeline("everything.fallback", Fallback(7), FaultInjector(), trace=True).call(len, "")
    with pytest.raises(FaultInjectedError):
        Pipeline("everything.fault", FaultInjector(), trace=True).call(len, "")
    assert Pipeline("everything.instead", Fallback(7), trace=True).call(away) == 7


def _side_by_side() -> None:
    """A hedge that is needed: threads and real time, since that is what it races."""
    slow = threading.Event()
    first = iter([True])

    def work() -> int:
        if next(first, False):
            slow.wait(10)
        return 1

    guard = Pipeline("everything.hedge", Hedge(after=0.01, budget=RetryBudget()), trace=True)
    assert guard.call(work) == 1
    slow.set()
