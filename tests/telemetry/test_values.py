"""Every value of the closed sets is reported by what causes it: none is listed that nothing emits."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from contextvars import Context

import pytest

from otel_resilience import (
    Backoff,
    Bulkhead,
    BulkheadFullError,
    CircuitBreaker,
    CircuitOpenError,
    DeadlineExceededError,
    ErrorPropagator,
    Fallback,
    HealthCheck,
    Hedge,
    NoHealthyEndpointError,
    Pipeline,
    RateLimitedError,
    RateLimiter,
    Retry,
    RetryBudget,
    ServiceMesh,
    Timeout,
)
from otel_resilience.context import deadline
from otel_resilience.context.request import Request
from otel_resilience.telemetry import names
from otel_resilience.testing import ManualClock
from otel_resilience_instrumentation._received import read_chain
from tests.discovery.instances import info
from tests.in_hand import request_in_hand
from tests.mesh.meshes import Dependency, register
from tests.telemetry.observatory import Observatory
from tests.telemetry.points import AT_ONCE, fail

World = tuple[Observatory, ManualClock, ExitStack]


@pytest.fixture
def world(observatory: Observatory, manual_clock: ManualClock) -> Iterator[World]:
    with ExitStack() as living:
        yield observatory, manual_clock, living


def refused(error: type[BaseException], guard: Pipeline, fn: Callable[[], object] = dict) -> None:
    with pytest.raises(error):
        guard.call(fn)


def late(clock: ManualClock) -> Callable[[], None]:
    return lambda: clock.sleep(2.0)


def interrupted() -> None:
    raise KeyboardInterrupt


def outcomes(world: World) -> None:
    _, clock, _ = world
    Pipeline("values.well").call(dict)
    refused(OSError, Pipeline("values.ill"), fail)
    refused(KeyboardInterrupt, Pipeline("values.interrupted"), interrupted)
    Pipeline("values.late", Timeout(1.0)).call(late(clock))
    Pipeline("values.instead", Fallback(7)).call(fail)
    breaker = CircuitBreaker()
    breaker.force_open()
    refused(CircuitOpenError, Pipeline("values.refused", breaker))


def flaky() -> Callable[[], None]:
    errors = iter((OSError("away"), None))

    def once() -> None:
        if error := next(errors):
            raise error

    return once


def retry(**options: object) -> Retry:
    budget = RetryBudget(ratio=1.0, min_per_second=100.0)
    return Retry(**{"on": OSError, "backoff": AT_ONCE, "budget": budget, **options})  # type: ignore[arg-type]  # options


def retries(world: World) -> None:
    Pipeline("values.retry", retry()).call(dict)
    Pipeline("values.retry", retry()).call(flaky())
    refused(OSError, Pipeline("values.retry", retry()), fail)
    refused(OSError, Pipeline("values.retry", retry(on=KeyError)), fail)


def hedges(world: World) -> None:
    slow, first = threading.Event(), iter([True])
    world[2].callback(slow.set)
    guard = Pipeline("values.hedge", Hedge(after=0.001, budget=RetryBudget()))
    guard.call(lambda: slow.wait(10) if next(first, False) else None)


def attempts(world: World) -> None:
    retries(world)
    hedges(world)


class Away(OSError):
    """Says for how long, which is longer than anybody waits."""

    retry_after = 3600.0


def stay_away() -> None:
    raise Away("away")


def suppressed(world: World) -> None:
    empty = RetryBudget(ratio=0, min_per_second=0)
    refused(OSError, Pipeline("values.suppressed", retry(budget=empty)), fail)
    refused(
        OSError,
        Pipeline("values.suppressed", Timeout(0.5), retry(backoff=Backoff(initial=1.0, jitter="none"))),
        fail,
    )
    refused(Away, Pipeline("values.suppressed", retry()), stay_away)
    opening = CircuitBreaker(failure_threshold=1)
    refused(CircuitOpenError, Pipeline("values.suppressed", retry(on=Exception), opening), fail)
    with pytest.raises(OSError, match="away"):
        Pipeline("values.suppressed", retry()).execute(fail, not_replayable="not_idempotent")
    with request_in_hand(Request(attempt=2)):
        refused(OSError, Pipeline("values.suppressed", retry()), fail)


def rejections(world: World) -> None:
    _, clock, living = world
    probed = CircuitBreaker(failure_threshold=1, recovery_timeout=1.0)
    guard = Pipeline("values.probed", probed)
    refused(OSError, guard, fail)
    refused(CircuitOpenError, guard)
    clock.advance(60.0)
    guard.call(lambda: Context().run(refused, CircuitOpenError, guard))
    bulkhead = Bulkhead("values.full", max_concurrency=1)
    with bulkhead:
        Context().run(refused, BulkheadFullError, Pipeline("values.full", bulkhead))
    limited = Pipeline("values.limited", RateLimiter(rate=1.0))
    limited.call(dict)
    refused(RateLimitedError, limited)
    token = deadline.tighten(0.0)
    try:
        refused(DeadlineExceededError, Pipeline("values.overdue", Timeout(1.0)))
    finally:
        deadline.restore(token)
    mesh = living.enter_context(ServiceMesh())
    mesh.registry.register(info(name="values.nobody")).deregister()  # type: ignore[attr-defined]  # the mesh's own
    with pytest.raises(NoHealthyEndpointError):
        mesh.call("values.nobody", "x", Dependency())


def transitions(world: World) -> None:
    breaker = CircuitBreaker("values.forced")
    for deed in (
        breaker.force_open,
        breaker.force_closed,
        breaker.reset,
        breaker.force_closed,
        breaker.force_open,
    ):
        deed()
    rejections(world)


def discarded(world: World) -> None:
    ErrorPropagator().extract({"error-chain": "?"})
    ErrorPropagator().extract({"error-chain": "x" * 4000})
    read_chain('"ledger";c=DB_UNAVAILABLE', host="example.com")


EVERY: list[tuple[names.Metric, str, Callable[[World], None]]] = [
    (names.EXECUTIONS, names.OUTCOME, outcomes),
    (names.ATTEMPTS, names.ATTEMPT_TYPE, attempts),
    (names.RETRY_CALLS, names.RETRY_RESULT, retries),
    (names.RETRY_SUPPRESSED, names.RETRY_SUPPRESSION_REASON, suppressed),
    (names.REJECTIONS, names.POLICY_TYPE, rejections),
    (names.REJECTIONS, names.REJECTION_REASON, rejections),
    (names.BREAKER_TRANSITIONS, names.BREAKER_STATE, transitions),
    (names.BREAKER_TRANSITIONS, names.BREAKER_PREVIOUS_STATE, transitions),
    (names.PROPAGATION_DISCARDED, names.DISCARD_REASON, discarded),
]


@pytest.mark.parametrize(
    ("metric", "attribute", "cause"),
    EVERY,
    ids=[f"{metric.name} {attribute}" for metric, attribute, _ in EVERY],
)
def test_every_value_is_counted(
    world: World, metric: names.Metric, attribute: str, cause: Callable[[World], None]
) -> None:
    cause(world)
    assert _shown(world[0], metric, attribute) == names.VALUES[attribute]


def test_every_state_of_a_breaker_is_shown(world: World) -> None:
    observatory, clock, _ = world
    breaker = CircuitBreaker("values.status", failure_threshold=1, recovery_timeout=1.0)
    seen = _states(observatory)
    with pytest.raises(OSError, match="away"):
        breaker.call(fail)
    seen |= _states(observatory)
    clock.advance(60.0)
    breaker.call(lambda: seen.update(_states(observatory)))
    breaker.force_open()
    seen |= _states(observatory)
    breaker.force_closed()
    seen |= _states(observatory)
    assert seen == names.VALUES[names.BREAKER_STATE]


def _states(observatory: Observatory) -> set[object]:
    return {
        dict(series)[names.BREAKER_STATE]
        for series, value in observatory.points(names.BREAKER_STATUS.name).items()
        if value and dict(series)[names.POLICY_NAME] == "values.status"
    }


def test_every_state_of_an_endpoint_is_shown(world: World) -> None:
    observatory, _, living = world
    mesh = living.enter_context(ServiceMesh())
    registry = mesh.registry
    register(mesh, (1, 2, 3, 4), name="values.endpoints")
    for _ in range(30):
        try:
            mesh.call("values.endpoints", "x", Dependency(1))
        except ConnectionError:
            pass
    leaving = registry.discover_all("values.endpoints")[2]
    living.enter_context(registry.using(leaving))
    registry.deregister(leaving)  # type: ignore[attr-defined]  # the mesh's own registry
    check = HealthCheck(tcp=True, interval=60.0, unhealthy_threshold=1)
    register(mesh, (5,), name="values.endpoints", health_check=check)
    catalogue = registry._catalogue  # type: ignore[attr-defined]  # the mesh's own registry
    [checked] = catalogue._monitor._checked["values.endpoints"].values()
    catalogue._hear(checked, "refused")
    assert {
        dict(series)[names.ENDPOINT_STATE]
        for series, value in observatory.points(names.ENDPOINTS.name).items()
        if value and dict(series)[names.SERVICE_PEER_NAME] == "values.endpoints"
    } == names.VALUES[names.ENDPOINT_STATE]


def test_every_state_of_the_policy_file_is_shown(observatory: Observatory) -> None:
    seen: set[object] = set()
    for valid in (True, False):
        observatory.telemetry.gauges.config_valid = valid
        seen |= _shown(observatory, names.CONFIG_STATUS, names.CONFIG_STATE)
    assert seen == names.VALUES[names.CONFIG_STATE]


def _shown(observatory: Observatory, metric: names.Metric, attribute: str) -> set[object]:
    return {dict(series)[attribute] for series, value in observatory.points(metric.name).items() if value}
