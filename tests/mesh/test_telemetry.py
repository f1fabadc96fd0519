"""What a mesh shows: spans, ejections, the state of endpoints."""

from __future__ import annotations

import logging

import pytest
from opentelemetry.trace import SpanKind, StatusCode

from otel_resilience import Retry, ServiceMesh
from otel_resilience.inventory import Inventory
from otel_resilience.mesh.policies import Stated
from otel_resilience.outcome import Mode
from otel_resilience.telemetry import names
from otel_resilience.testing import ManualClock
from tests.discovery.instances import info
from tests.mesh.meshes import Dependency, register
from tests.telemetry.observatory import Observatory


class _Shadow:
    """A policy file that only looks on."""

    def stated_for(self, service: str, operation: str) -> Stated:
        return Stated(mode=Mode.SHADOW)


def _points(observatory: Observatory, metric: names.Metric) -> dict[tuple[object, ...], object]:
    return {
        tuple(dict(series)[attribute] for attribute in metric.attributes): value
        for series, value in observatory.points(metric.name).items()
    }


def _inventory(mesh: ServiceMesh) -> Inventory:
    policies = Inventory()
    policies.add(mesh.policy_type, "", mesh)
    policies.add("service_registry", "", mesh.registry)
    return policies


def _fail_at_one(mesh: ServiceMesh) -> None:
    dependency = Dependency(1)
    for _ in range(20):
        try:
            mesh.call("payments", "charge", dependency)
        except ConnectionError:
            pass


def test_an_ejection_is_counted_shown_and_logged(caplog: pytest.LogCaptureFixture) -> None:
    with (
        ManualClock() as clock,
        ServiceMesh() as mesh,
        Observatory(policies=_inventory(mesh)) as observatory,
        caplog.at_level(logging.WARNING, "otel_resilience"),
    ):
        register(mesh, (1, 2, 3))
        _fail_at_one(mesh)
        assert _points(observatory, names.EJECTIONS) == {("payments", True): 1}
        emitted = observatory.metrics[names.EJECTIONS.name]
        assert (emitted.unit, emitted.data.is_monotonic) == ("{ejection}", True)  # type: ignore[union-attr] # a sum
        assert _points(observatory, names.ENDPOINTS) == {
            ("payments", "healthy"): 2,
            ("payments", "unhealthy"): 0,
            ("payments", "ejected"): 1,
            ("payments", "draining"): 0,
        }
        assert "payments at 10.0.0.7:1 is ejected for 30 s after 5 failures in a row" in caplog.messages
        clock.advance(30.0)
        assert _points(observatory, names.ENDPOINTS)["payments", "ejected"] == 0


def test_in_shadow_an_ejection_is_counted_and_nothing_else() -> None:
    with (
        ManualClock(),
        ServiceMesh(policies=_Shadow()) as mesh,
        Observatory(policies=_inventory(mesh)) as observatory,
    ):
        register(mesh, (1, 2))
        dependency = Dependency(1)
        for _ in range(30):
            try:
                mesh.call("payments", "charge", dependency)
            except ConnectionError:
                pass
        assert dependency.count(1) == 15, "it is called as ever"
        points = _points(observatory, names.EJECTIONS)
        assert set(points) == {("payments", False)}
        assert _points(observatory, names.ENDPOINTS)["payments", "ejected"] == 0


def test_a_call_is_one_span_with_its_attempts_inside() -> None:
    with ServiceMesh() as mesh, Observatory() as observatory:
        register(mesh, (1, 2))
        mesh.set_retry_policy("payments", Retry(on=OSError))
        dependency = Dependency(1)
        mesh.call("payments", "charge", dependency)
        mesh.call("payments", "charge", dependency)
        calls = [span for span in observatory.spans if span.name == "execute payments"]
        attempts = [span for span in observatory.spans if span.name == "attempt payments"]
        assert len(calls) == 2 and len(attempts) == len(dependency.asked) == 3
        for span in calls:
            attributes = dict(span.attributes or {})
            assert span.kind is SpanKind.INTERNAL
            assert span.status.status_code is StatusCode.UNSET
            assert attributes[names.SERVICE_PEER_NAME] == attributes[names.POLICY_NAME] == "payments"
        [retried] = [span for span in calls if dict(span.attributes or {})[names.ATTEMPT_COUNT] == 2]
        assert retried.attributes is not None
        [(series, count)] = observatory.points(names.EXECUTIONS.name).items()
        assert (dict(series)[names.OUTCOME], count) == ("success", 2)
        [(series, count)] = observatory.points(names.EXECUTION_DURATION.name).items()
        assert (dict(series)[names.SERVICE_PEER_NAME], count) == ("payments", 2)


def test_a_refused_call_was_no_attempt() -> None:
    with ServiceMesh() as mesh, Observatory() as observatory:
        mesh.registry.register(info()).deregister()  # type: ignore[attr-defined]  # the mesh's own registry
        with pytest.raises(Exception, match="no healthy endpoint"):
            mesh.call("payments", "charge", Dependency())
        [span] = observatory.spans
        attributes = dict(span.attributes or {})
        assert attributes[names.REJECTION_REASON] == "no_healthy_endpoint"
        assert attributes[names.OUTCOME] == "rejected"
        assert attributes[names.ERROR_TYPE] == "NO_HEALTHY_ENDPOINT"
        assert _points(observatory, names.ATTEMPTS) == {}
        assert _points(observatory, names.REJECTIONS) == {
            ("payments", "discovery", "no_healthy_endpoint", True): 1
        }
