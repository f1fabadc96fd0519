"""The metric points of calls, exactly."""

from __future__ import annotations

import pytest

from otel_resilience import CircuitBreaker, CircuitOpenError, Pipeline, Retry, RetryBudget, Timeout
from otel_resilience.events import FieldDiscarded
from otel_resilience.listener import LISTENERS
from otel_resilience.testing import ManualClock
from tests.in_hand import request_in_hand
from tests.telemetry.clients import HTTP, Response, get, ledger_chain
from tests.telemetry.observatory import Observatory, attributes
from tests.telemetry.points import AT_ONCE, fail, of


def test_a_call_through_everything_is_counted_once_each(
    observatory: Observatory, manual_clock: ManualClock
) -> None:
    name = "metrics.all"
    guard = Pipeline(
        name, Timeout(5.0), Retry(on=OSError, backoff=AT_ONCE), CircuitBreaker(failure_threshold=3)
    )
    with pytest.raises(OSError, match="away"):
        guard.call(fail)
    with pytest.raises(CircuitOpenError):
        guard.call(fail)
    policy = {"resilience__policy__name": name}
    assert of(observatory.points("resilience.executions"), name) == {
        attributes(
            **policy, resilience__outcome="failure", error__type="OSError", resilience__enforced=True
        ): 1,
        attributes(
            **policy, resilience__outcome="rejected", error__type="CIRCUIT_OPEN", resilience__enforced=True
        ): 1,
    }
    assert of(observatory.points("resilience.attempts"), name) == {
        attributes(**policy, resilience__attempt__type="initial", resilience__outcome="failure"): 1,
        attributes(**policy, resilience__attempt__type="retry", resilience__outcome="failure"): 2,
    }
    assert of(observatory.points("resilience.retry.calls"), name) == {
        attributes(**policy, resilience__retry__result="failure_with_retry"): 1,
        attributes(**policy, resilience__retry__result="failure_without_retry"): 1,
    }
    assert of(observatory.points("resilience.rejections"), name) == {
        attributes(
            **policy,
            resilience__policy__type="circuit_breaker",
            resilience__rejection__reason="circuit_open",
            resilience__enforced=True,
        ): 1
    }
    # A local pipeline has no histogram, and its failures are no failures of this service.
    assert of(observatory.points("resilience.execution.duration"), name) == {}
    assert observatory.points("resilience.errors") == {}


def test_a_success_has_no_error_type(observatory: Observatory) -> None:
    Pipeline("metrics.well").call(len, "")
    assert of(observatory.points("resilience.executions"), "metrics.well") == {
        attributes(
            resilience__policy__name="metrics.well", resilience__outcome="success", resilience__enforced=True
        ): 1
    }


def test_a_retry_that_the_budget_forbids_is_counted(observatory: Observatory) -> None:
    budget = RetryBudget(ratio=0, min_per_second=0)
    with pytest.raises(OSError, match="away"):
        Pipeline("metrics.poor", Retry(on=OSError, backoff=AT_ONCE, budget=budget)).call(fail)
    assert of(observatory.points("resilience.retry.suppressed"), "metrics.poor") == {
        attributes(
            resilience__policy__name="metrics.poor", resilience__retry__suppression__reason="budget"
        ): 1
    }


def test_shadow_is_counted_as_not_enforced(observatory: Observatory, manual_clock: ManualClock) -> None:
    name = "metrics.shadow"
    guard = Pipeline(name, Timeout(1.0), CircuitBreaker(failure_threshold=1), mode="shadow")
    with pytest.raises(OSError, match="away"):
        guard.call(fail)
    guard.call(manual_clock.sleep, 2.0)
    executions = of(observatory.points("resilience.executions"), name)
    assert {("resilience.enforced", False) in key for key in executions} == {True}
    assert sum(executions.values()) == 2
    [(rejection, count)] = of(observatory.points("resilience.rejections"), name).items()
    assert ("resilience.enforced", False) in rejection
    assert count == 1
    assert list(of(observatory.points("resilience.timeouts"), name).values()) == [1]


def test_a_traced_call_is_one_point_of_the_histogram(
    observatory: Observatory, manual_clock: ManualClock
) -> None:
    name = "metrics.traced"
    guard = Pipeline(name, trace=True)
    tracer = observatory.tracer()

    def slow() -> Response:
        manual_clock.sleep(0.25)
        return get(tracer, Response(503, ledger_chain()))()

    guard.execute(slow, dialect=HTTP, peer="payments")
    guard.execute(get(tracer, Response(200)), dialect=HTTP, peer="payments")
    policy = {"resilience__policy__name": name, "service__peer__name": "payments"}
    assert of(observatory.points("resilience.execution.duration"), name) == {
        attributes(**policy, resilience__outcome="failure", error__type="503"): 1,
        attributes(**policy, resilience__outcome="success"): 1,
    }
    [failed] = [
        point
        for point in observatory.metrics["resilience.execution.duration"].data.data_points
        if (point.attributes or {}).get("error.type") == "503"
    ]
    assert failed.sum == 0.25  # type: ignore[union-attr]  # a histogram's points have one


def test_the_outermost_guard_of_a_name_counts_the_call(observatory: Observatory) -> None:
    outer, inner = Pipeline("metrics.nested"), Pipeline("metrics.nested")
    outer.call(inner.call, len, "")
    assert sum(of(observatory.points("resilience.executions"), "metrics.nested").values()) == 1


def test_a_failed_call_outside_of_a_request_counts_as_an_error_by_its_root(observatory: Observatory) -> None:
    guard = Pipeline("metrics.errors", trace=True)
    guard.execute(get(observatory.tracer(), Response(503, ledger_chain())), dialect=HTTP)
    assert observatory.points("resilience.errors") == {
        attributes(
            resilience__error__root__service="ledger",
            resilience__error__root__code="DB_UNAVAILABLE",
            error__type="503",
        ): 1
    }


def test_inside_a_request_only_its_answer_counts_as_an_error(observatory: Observatory) -> None:
    guard = Pipeline("metrics.answered", trace=True)
    with request_in_hand():
        guard.execute(get(observatory.tracer(), Response(503, ledger_chain())), dialect=HTTP)
        assert observatory.points("resilience.errors") == {}
        observatory.telemetry.errors.count(ledger_chain(), "502")
    assert list(observatory.points("resilience.errors").values()) == [1]


def test_discarded_fields_and_the_policy_files_state(observatory: Observatory) -> None:
    assert observatory.points("resilience.config.status") == {}
    LISTENERS.announce(FieldDiscarded(name="error-chain", reason="oversized"))
    observatory.telemetry.gauges.config_valid = False
    assert observatory.points("resilience.propagation.discarded") == {
        attributes(resilience__discard__reason="oversized"): 1
    }
    assert observatory.points("resilience.config.status") == {
        attributes(resilience__config__state="valid"): 0,
        attributes(resilience__config__state="invalid"): 1,
    }
