"""What the registries of a process show."""

from __future__ import annotations

import pytest

from otel_resilience import HealthCheck, NoHealthyEndpointError, ServiceRegistry
from otel_resilience.inventory import Inventory
from otel_resilience.telemetry import endpoints, names
from tests.discovery.instances import info
from tests.telemetry.observatory import Observatory


def _points(observatory: Observatory, metric: names.Metric) -> dict[tuple[object, ...], object]:
    return {
        tuple(dict(series)[attribute] for attribute in metric.attributes): value
        for series, value in observatory.points(metric.name).items()
    }


def test_endpoints_by_state() -> None:
    policies = Inventory()
    with (
        Observatory(policies=policies) as observatory,
        ServiceRegistry() as registry,
        ServiceRegistry() as other,
    ):
        for each in (registry, other):
            policies.add(each.policy_type, "", each)
        for port in (1, 2, 3):
            registry.register(info(port))
        registry.register(info(4, health_check=HealthCheck(tcp=True, interval=60.0, unhealthy_threshold=1)))
        other.register(info(1))  # the same instance, known twice
        other.register(info(name="ledger"))
        [checked] = registry._catalogue._monitor._checked["payments"].values()
        registry._catalogue._hear(checked, "refused")
        with registry.using(registry.discover_all("payments")[2]):
            registry.deregister(info(3))
            points = _points(observatory, names.ENDPOINTS)
        expected = {("payments", "healthy"): 2, ("payments", "unhealthy"): 1, ("payments", "draining"): 1}
        expected |= {
            ("ledger", state): int(state == "healthy") for state in names.VALUES[names.ENDPOINT_STATE]
        }
        assert expected.items() <= points.items()
        assert {state for _, state in points} == names.VALUES[names.ENDPOINT_STATE]
        emitted = observatory.metrics[names.ENDPOINTS.name]
        assert (emitted.unit, emitted.data.is_monotonic) == ("{endpoint}", False)  # type: ignore[union-attr] # a sum


def test_services_that_are_shown_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(endpoints, "MAX_SERVICES", 2)
    policies = Inventory()
    with Observatory(policies=policies) as observatory, ServiceRegistry() as registry:
        policies.add(registry.policy_type, "", registry)
        for number in range(5):
            registry.register(info(name=f"service-{number}"))
        points = _points(observatory, names.ENDPOINTS)
        assert points["service-1", "healthy"] == 1
        assert points[names.OTHER, "healthy"] == 3
        assert len({service for service, _ in points}) == 3


def test_a_refused_lookup_is_counted_and_told() -> None:
    with Observatory() as observatory, ServiceRegistry() as registry:
        registry.register(info()).deregister()
        with observatory.tracer().start_as_current_span("work"), pytest.raises(NoHealthyEndpointError):
            registry.discover("payments")
        assert _points(observatory, names.REJECTIONS) == {
            ("payments", "discovery", "no_healthy_endpoint", True): 1
        }
        [event] = observatory.span("work").events
        assert event.name == names.EXECUTION_REJECTED.name
        assert dict(event.attributes or {}) == {
            names.POLICY_NAME: "payments",
            names.POLICY_TYPE: "discovery",
            names.REJECTION_REASON: "no_healthy_endpoint",
            names.ENFORCED: True,
            names.ERROR_CODE: "NO_HEALTHY_ENDPOINT",
        }


def test_a_healthy_lookup_tells_nobody() -> None:
    with Observatory() as observatory, ServiceRegistry() as registry:
        registry.register(info())
        with observatory.tracer().start_as_current_span("work"):
            registry.discover("payments")
        assert observatory.span("work").events == ()
        assert observatory.records == []
        assert _points(observatory, names.REJECTIONS) == {}
