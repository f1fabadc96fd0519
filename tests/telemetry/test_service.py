"""Which service this process is."""

from __future__ import annotations

import logging

import pytest
from opentelemetry import trace
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.trace import NoOpTracerProvider

from otel_resilience.context.service import Service
from otel_resilience.telemetry import service


@pytest.fixture(autouse=True)
def nothing_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OTEL_SERVICE_NAME", raising=False)
    monkeypatch.delenv("OTEL_RESOURCE_ATTRIBUTES", raising=False)
    monkeypatch.setattr(service, "_fallback", None)
    monkeypatch.setattr(service, "_warned", False)
    monkeypatch.setattr(trace, "get_tracer_provider", NoOpTracerProvider)


def provide(monkeypatch: pytest.MonkeyPatch, **attributes: str) -> None:
    resource = Resource({key.replace("_", "."): value for key, value in attributes.items()})
    provider = TracerProvider(resource=resource, shutdown_on_exit=False)
    monkeypatch.setattr(trace, "get_tracer_provider", lambda: provider)


def test_the_providers_resource_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_SERVICE_NAME", "environment")
    provide(monkeypatch, service_name="orders", service_version="1.4.2")
    service.fill_in("file")
    assert service.find_service() == Service("orders", "1.4.2")


def test_without_an_sdk_the_environment_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(
        "OTEL_RESOURCE_ATTRIBUTES", "service.name=a%20shop, service.version = 2 ,broken,deployment=x"
    )
    assert service.find_service() == Service("a shop", "2")
    monkeypatch.setenv("OTEL_SERVICE_NAME", "orders")
    assert service.find_service() == Service("orders", "2")


@pytest.mark.parametrize("name", ["unknown_service", "unknown_service:python", ""])
def test_a_gap_is_filled(
    monkeypatch: pytest.MonkeyPatch, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    provide(monkeypatch, service_name=name)
    assert service.find_service().name == "unknown_service"
    service.fill_in("orders")
    assert service.find_service().name == "orders"
    assert caplog.messages == []


def test_a_contradiction_is_said_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    provide(monkeypatch, service_name="orders")
    with caplog.at_level(logging.WARNING, "otel_resilience"):
        service.fill_in("orders")
        service.fill_in("payments")
        service.fill_in("payments")
    assert caplog.messages == [
        "the policy file's service 'payments' is not used: the telemetry resource says 'orders'"
    ]
    assert service.find_service().name == "orders"
