"""Registering, looking up, and going away."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from otel_resilience import (
    NoHealthyEndpointError,
    ServiceNotFoundError,
    ServiceRegistry,
    load_config,
)
from otel_resilience.discovery import catalogue
from otel_resilience.discovery.endpoint_state import EndpointState
from otel_resilience.events import ExecutionRejected
from otel_resilience.testing import ManualClock, Recorder
from tests.discovery.instances import info, ports


@pytest.fixture
def registry() -> Iterator[ServiceRegistry]:
    with ServiceRegistry() as registry:
        yield registry


def test_a_lookup_by_version_and_tags(registry: ServiceRegistry) -> None:
    registry.register(info(1, version="1", tags=["blue", "fast"]))
    registry.register(info(2, version="2", tags=["blue"]))
    registry.register(info(3, version="2", tags=["blue", "fast"]))
    assert ports(registry.discover_all("payments")) == [1, 2, 3]
    assert ports(registry.discover_all("payments", version="2")) == [2, 3]
    assert ports(registry.discover_all("payments", tags=["fast", "blue"])) == [1, 3]
    assert ports(registry.discover_all("payments", "2", ["fast"])) == [3]
    assert registry.discover("payments", "2", ["fast"]).port == 3
    assert registry.discover_all("payments", "3") == []


def test_an_unknown_service_comes_with_near_names(registry: ServiceRegistry) -> None:
    registry.register(info())
    registry.register(info(name="ledger"))
    with pytest.raises(ServiceNotFoundError, match=r"'payment'; did you mean 'payments'\?"):
        registry.discover("payment")
    with pytest.raises(ServiceNotFoundError, match="no registered name comes near it"):
        registry.discover_all("zzz")


def test_a_known_service_without_any_that_fits(registry: ServiceRegistry) -> None:
    registration = registry.register(info(version="1"))
    with Recorder() as recorder:
        with pytest.raises(NoHealthyEndpointError, match=r"version '2' and tag 'x': 1 registered, 1 healthy"):
            registry.discover("payments", "2", ["x"])
        registration.deregister()
        with pytest.raises(NoHealthyEndpointError, match="0 registered"):
            registry.discover("payments")
    [first, _] = recorder.of(ExecutionRejected)
    assert (first.name, first.policy_type, first.reason) == ("payments", "discovery", "no_healthy_endpoint")
    assert first.error_code == "NO_HEALTHY_ENDPOINT"
    assert registry.discover_all("payments") == []


def test_tags_are_several(registry: ServiceRegistry) -> None:
    registry.register(info())
    with pytest.raises(ValueError, match="tags must be several texts"):
        registry.discover("payments", tags="blue")


def test_the_same_again_renews(registry: ServiceRegistry) -> None:
    first = registry.register(info(version="1"))
    with registry.register(info(version="2")):
        assert [e.version for e in registry.discover_all("payments")] == ["2"]
        assert not first.deregister()  # an older registration does not take the newer one away
        assert first.heartbeat()
        assert len(registry.discover_all("payments")) == 1
    assert registry.discover_all("payments") == []
    assert not first.heartbeat()
    assert registry.discover_all("payments") == []


def test_whoever_knows_an_instance_can_take_it_away(registry: ServiceRegistry) -> None:
    registration = registry.register(info(1))
    registry.register(info(2))
    registry.register(info(3))
    assert registry.deregister(info(1))
    assert registry.deregister(registry.discover_all("payments")[0])
    assert registry.deregister(("payments", "10.0.0.7", 3))
    assert not registry.deregister(("payments", "10.0.0.7", 3))
    assert registry.discover_all("payments") == []
    assert not registration.heartbeat()
    assert not registration.deregister()


def test_a_lookup_never_gives_what_ran_out(registry: ServiceRegistry) -> None:
    with ManualClock() as clock:
        registration = registry.register(info(1, ttl=30.0))
        registry.register(info(2))
        clock.advance(29.0)
        assert {registry.discover("payments").port for _ in range(4)} == {1, 2}
        registration.heartbeat()
        clock.advance(29.0)
        assert {registry.discover("payments").port for _ in range(16)} == {1, 2}
        clock.advance(1.0)
        assert {registry.discover("payments").port for _ in range(4)} == {2}
        assert ports(registry.discover_all("payments")) == [2]
        assert [key.port for key, _ in registry.states()] == [2]
        registry.expire_leases()
        assert {registry.discover("payments").port for _ in range(4)} == {2}
        assert registration.heartbeat()
        assert ports(registry.discover_all("payments")) == [2, 1]


def test_all_leases_ran_out(registry: ServiceRegistry) -> None:
    with ManualClock() as clock:
        registry.register(info(ttl=1.0))
        clock.advance(1.0)
        with pytest.raises(NoHealthyEndpointError):
            registry.discover("payments")


def test_a_draining_instance_is_gone_but_busy(registry: ServiceRegistry) -> None:
    registration = registry.register(info())
    with registry.using(registry.discover("payments")) as endpoint:
        assert list(registry.states()) == [(endpoint.key, EndpointState.HEALTHY)]
        registration.deregister()
        assert list(registry.states()) == [(endpoint.key, EndpointState.DRAINING)]
    assert list(registry.states()) == []


def test_names_that_are_gone_are_remembered_but_not_for_ever(
    registry: ServiceRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(catalogue, "REMEMBERED", 2)
    for number in range(4):
        registry.register(info(name=f"service-{number}")).deregister()
    assert registry.services == ("service-2", "service-3")


def test_registrations_of_what_ran_out_are_not_kept() -> None:
    with ServiceRegistry() as registry, ManualClock() as clock:
        for number in range(1, 100):
            registry.register(info(number, ttl=1.0))
            clock.advance(1.0)
            registry.expire_leases()
        registry._sweep_above = 0
        registry.register(info())
        assert len(registry._memberships) == 1


def test_closed_it_registers_nothing() -> None:
    registry = ServiceRegistry()
    registration = registry.register(info())
    registry.close()
    registry.close()
    assert not registration.heartbeat()
    with pytest.raises(RuntimeError, match="closed"):
        registry.register(info())
    assert registry.discover_all("payments") == []


def test_a_grpc_check_needs_grpcio(registry: ServiceRegistry, monkeypatch: pytest.MonkeyPatch) -> None:
    from otel_resilience import HealthCheck

    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(
        ValueError, match=r"HealthCheck grpc must have grpcio installed .*got 'shop.Payments'"
    ):
        registry.register(info(health_check=HealthCheck(grpc="shop.Payments")))
    assert registry.services == ()


def test_the_endpoints_of_a_policy_file(tmp_path) -> None:  # type: ignore[no-untyped-def] # pytest's own
    path = tmp_path / "resilience.yaml"
    path.write_text(
        'services:\n  payments: {endpoints: ["10.0.0.7:8080", "[::1]:8081"]}\n  ledger: {timeout: 1s}\n'
    )
    with load_config(str(path)).registry("weighted") as registry:
        assert [each.address for each in registry.discover_all("payments")] == ["10.0.0.7:8080", "[::1]:8081"]
        assert registry.services == ("payments",)


def test_who_is_there_and_who_is_known() -> None:
    with ServiceRegistry() as registry:
        assert registry.spelled("payments") is None
        with registry.register(info(1)), registry.register(info(2)):
            assert registry.spelled("payments") == "payments"
            assert ports(registry.instances("payments")) == [1, 2]
        assert registry.spelled("payments") == "payments", "its last instance has gone"
        assert registry.instances("payments") == []


def test_a_service_is_found_by_a_host_in_whatever_case(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(catalogue, "REMEMBERED", 1)
    with ServiceRegistry() as registry:
        with registry.register(info(name="PaymentService")), registry.register(info(name="ledger")):
            assert [registry.spelled(host) for host in ("paymentservice", "PaymentService", "ledger")] == [
                "PaymentService",
                "PaymentService",
                "ledger",
            ]
            assert registry.spelled("mail") is None
        assert registry.spelled("ledger") is None, "forgotten, as one is enough to remember"
        registry.register(info(name="Mail")).deregister()
        registry.register(info(name="notes")).deregister()
        assert registry.spelled("mail") is None
