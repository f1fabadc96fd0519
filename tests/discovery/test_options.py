"""What an instance and a check may say; a wrong thing is named with its value and the rule, and nothing is half-built."""

from __future__ import annotations

import re
from typing import Any

import pytest

from otel_resilience import ConfigurationError, Endpoint, HealthCheck, ServiceInfo, ServiceRegistry
from tests.discovery.instances import info


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", ""),
        ("name", 7),
        ("name", "pay\nments"),
        ("host", ""),
        ("host", "http://x"),
        ("host", "x:80"),
        ("host", "a b"),
        ("host", None),
        ("host", "*"),
        ("host", "*.shop"),
        ("host", "[x]"),
        ("host", "[10.0.0.7]"),
        ("host", "[::1"),
        ("host", "::zz"),
        ("port", 0),
        ("port", 65536),
        ("port", "80"),
        ("port", True),
        ("version", ""),
        ("version", 1.0),
        ("zone", ""),
        ("tags", "blue"),
        ("tags", [""]),
        ("tags", None),
        ("metadata", {"a": 1}),
        ("metadata", ["a"]),
        ("weight", 0),
        ("weight", 1001),
        ("weight", 1.5),
        ("ttl", 0),
        ("ttl", float("nan")),
        ("ttl", "10s"),
        ("health_check", "/health"),
    ],
)
def test_a_bad_value_of_an_instance_is_named(field: str, value: Any) -> None:
    good = {"name": "payments", "host": "10.0.0.7", "port": 8080}
    with pytest.raises(
        ConfigurationError, match=rf"ServiceInfo {field} must be .*, got {re.escape(repr(value))}"
    ):
        ServiceInfo(**{**good, field: value})


@pytest.mark.parametrize(
    ("said", "known"),
    [
        ("Payments.Shop", "payments.shop"),
        ("[2001:DB8::1]", "2001:db8::1"),
        ("2001:0db8:0:0::1", "2001:db8::1"),
        ("fe80::1%eth0", "fe80::1%eth0"),
        ("payment_gateway", "payment_gateway"),
        ("zürich.example", "zürich.example"),
    ],
)
def test_a_host_is_one_however_it_is_written(said: str, known: str) -> None:
    with ServiceRegistry() as registry:
        registry.register(info(host=known))
        registry.register(info(host=said))
        assert [each.host for each in registry.discover_all("payments")] == [known]
        assert registry.deregister(("payments", said, 8080))


@pytest.mark.parametrize("missing", ["name", "host", "port"])
def test_what_is_required_is_required(missing: str) -> None:
    good = {"name": "payments", "host": "10.0.0.7", "port": 8080}
    del good[missing]
    with pytest.raises(TypeError, match=missing):
        ServiceInfo(**good)  # type: ignore[arg-type] # on purpose


@pytest.mark.parametrize(
    ("options", "field"),
    [
        ({}, "exactly one of http, grpc and tcp"),
        ({"http": "/", "tcp": True}, "exactly one of http, grpc and tcp"),
        ({"http": "/", "grpc": ""}, "exactly one of http, grpc and tcp"),
        ({"http": "health"}, "http"),
        ({"http": "/a b"}, "http"),
        ({"http": "/a\r\nX: y"}, "http"),
        ({"http": "/ä"}, "http"),
        ({"grpc": 7}, "grpc"),
        ({"tcp": 1}, "tcp"),
        ({"tcp": True, "interval": 0}, "interval"),
        ({"tcp": True, "timeout": -1}, "timeout"),
        ({"tcp": True, "healthy_threshold": 0}, "healthy_threshold"),
        ({"tcp": True, "unhealthy_threshold": 1.5}, "unhealthy_threshold"),
    ],
)
def test_a_bad_value_of_a_check_is_named(options: dict[str, Any], field: str) -> None:
    with pytest.raises(ConfigurationError, match=f"HealthCheck .*{field}.*got ") as raised:
        HealthCheck(**options)
    assert isinstance(raised.value, ValueError)


def test_an_unknown_balancing_is_named() -> None:
    with pytest.raises(
        ConfigurationError, match=r"balancing must be one of round_robin, weighted, least_request, got 'fair'"
    ):
        ServiceRegistry("fair")  # type: ignore[arg-type] # on purpose


def test_only_a_service_info_registers() -> None:
    with ServiceRegistry() as registry, pytest.raises(TypeError, match="ServiceInfo"):
        registry.register({"name": "payments"})  # type: ignore[arg-type] # on purpose


def test_an_endpoint_says_what_the_instance_said() -> None:
    endpoint = Endpoint.of(
        info(
            version="1.4.2",
            tags=["blue", "fast"],
            metadata={"rack": "7"},
            zone="eu-1",
            weight=3,
            host="[2001:DB8::1]",
        )
    )
    assert endpoint == Endpoint(
        host="2001:db8::1",
        port=8080,
        service="payments",
        version="1.4.2",
        tags=frozenset({"blue", "fast"}),
        metadata={"rack": "7"},
        zone="eu-1",
        weight=3,
    )
    assert endpoint.address == "[2001:db8::1]:8080"
    assert len({endpoint, Endpoint.of(info())}) == 2
    assert Endpoint.of(info()).address == "10.0.0.7:8080"


def test_what_was_said_cannot_be_changed_afterwards() -> None:
    metadata = {"rack": "7"}
    said = info(metadata=metadata)
    metadata["rack"] = "8"
    assert said.metadata == {"rack": "7"}
    with pytest.raises(TypeError):
        said.metadata["rack"] = "9"  # type: ignore[index] # on purpose
