"""Calls through a mesh: who is called, how often, with what around them."""

from __future__ import annotations

import asyncio

import pytest

from otel_resilience import (
    Backoff,
    Bulkhead,
    BulkheadFullError,
    CircuitBreaker,
    CircuitOpenError,
    CorrelationManager,
    Endpoint,
    NoHealthyEndpointError,
    Retry,
    RetryBudget,
    ServiceMesh,
    ServiceNotFoundError,
    ServiceRegistry,
)
from otel_resilience.events import EndpointEjected, ExecutionRejected
from otel_resilience.testing import ManualClock, Recorder, resilience_off
from tests.discovery.instances import info
from tests.mesh.meshes import WORLDS, Dependency, World, register

AT_ONCE = Backoff(initial=0.001, jitter="none")


def retry(attempts: int = 3) -> Retry:
    return Retry(
        on=OSError,
        max_attempts=attempts,
        backoff=AT_ONCE,
        budget=RetryBudget(ratio=1.0, min_per_second=1000.0),
    )


pytestmark = pytest.mark.parametrize("world", WORLDS, ids=repr)


def test_calls_are_balanced(world: World) -> None:
    with ServiceMesh() as mesh:
        register(mesh, (1, 2, 3))
        assert sorted(world.call(mesh, lambda endpoint: endpoint.port) for _ in range(6)) == [
            1,
            1,
            2,
            2,
            3,
            3,
        ]


def test_a_retry_goes_to_another_endpoint_while_there_is_one(world: World) -> None:
    with ServiceMesh() as mesh:
        register(mesh, (1, 2, 3))
        mesh.set_retry_policy("payments", retry(5))
        dependency = Dependency(1, 2, 3)
        with pytest.raises(ConnectionError):
            world.call(mesh, dependency)
        assert sorted(dependency.asked[:3]) == [1, 2, 3], "nobody twice"
        assert len(dependency.asked) == 5, "when all have failed they are asked again"


def test_without_a_retry_policy_a_call_is_made_once(world: World) -> None:
    with ServiceMesh() as mesh:
        register(mesh, (1, 2))
        dependency = Dependency(1, 2)
        with pytest.raises(ConnectionError):
            world.call(mesh, dependency)
        assert len(dependency.asked) == 1


def test_an_endpoint_that_keeps_failing_is_left_out_and_comes_back(world: World) -> None:
    with ManualClock(auto=True) as clock, ServiceMesh() as mesh, Recorder() as recorder:
        register(mesh, (1, 2, 3))
        mesh.set_retry_policy("payments", retry())
        dependency = Dependency(1)
        for _ in range(60):
            world.call(mesh, dependency)
        assert dependency.count(1) == 5
        [ejection] = recorder.of(EndpointEjected)
        assert (ejection.name, ejection.address, ejection.seconds) == ("payments", "10.0.0.7:1", 30.0)
        assert ejection.enforced
        clock.advance(30.0)
        for _ in range(60):
            world.call(mesh, dependency)
        assert dependency.count(1) == 10
        assert [each.seconds for each in recorder.of(EndpointEjected)] == [30.0, 60.0], "longer each time"
        clock.advance(60.0)
        dependency.failing.clear()
        for _ in range(30):
            world.call(mesh, dependency)
        assert dependency.count(1) == 20


def test_when_all_fail_half_of_them_are_still_called(world: World) -> None:
    with ManualClock(auto=True), ServiceMesh() as mesh:
        register(mesh, (1, 2, 3, 4))
        dependency = Dependency(1, 2, 3, 4)
        for _ in range(100):
            with pytest.raises(ConnectionError):
                world.call(mesh, dependency)
        assert len(list(mesh.ejected())) == 2
        assert len(dependency.asked) == 100, "nobody is refused"
        dependency.failing.clear()
        world.call(mesh, dependency)


def test_nobody_healthy_is_a_rejection_told_once(world: World) -> None:
    with ServiceMesh() as mesh, Recorder() as recorder:
        mesh.registry.register(info()).deregister()  # type: ignore[attr-defined]  # the mesh's own registry
        mesh.set_retry_policy("payments", Retry(on=OSError))
        mesh.set_circuit_breaker_policy("payments", CircuitBreaker(failure_threshold=1))
        dependency = Dependency()
        for _ in range(3):
            with pytest.raises(NoHealthyEndpointError) as caught:
                world.call(mesh, dependency)
        assert "payments" in str(caught.value)
        assert dependency.asked == []
        rejections = recorder.of(ExecutionRejected)
        assert [(each.name, each.reason, each.policy_type) for each in rejections] == [
            ("payments", "no_healthy_endpoint", "discovery")
        ] * 3, "and the circuit has learnt nothing"


def test_an_unknown_service_has_near_names_and_leaves_no_trace(world: World) -> None:
    with ServiceMesh() as mesh:
        register(mesh, (1,), name="payment")
        with pytest.raises(ServiceNotFoundError, match="payment"):
            world.call(mesh, Dependency())
        assert len(mesh._lines) == 0


def test_a_breaker_is_the_services_and_its_failures_are_what_ejects(world: World) -> None:
    with ServiceMesh() as mesh:
        register(mesh, (1, 2))
        mesh.set_circuit_breaker_policy("payments", CircuitBreaker(failure_threshold=3, failures=OSError))

        def wrong(endpoint: Endpoint) -> None:
            raise KeyError(endpoint.port)

        for _ in range(30):
            with pytest.raises(KeyError):
                world.call(mesh, wrong)
        assert list(mesh.ejected()) == []
        for _ in range(3):
            with pytest.raises(ConnectionError):
                world.call(mesh, Dependency(1, 2))
        with pytest.raises(CircuitOpenError):
            world.call(mesh, Dependency())


def test_policies_of_an_operation_go_before_those_of_the_service(world: World) -> None:
    with ServiceMesh() as mesh:
        register(mesh, (1, 2, 3))
        mesh.set_retry_policy("payments", retry(3))
        mesh.set_retry_policy("payments", retry(2), operation="refund")
        mesh.set_retry_policy("payments", None, operation="audit")
        for operation, attempts in (("charge", 3), ("refund", 2), ("audit", 1)):
            dependency = Dependency(1, 2, 3)
            with pytest.raises(ConnectionError):
                world.call(mesh, dependency, operation)
            assert len(dependency.asked) == attempts, operation


def test_policies_can_be_set_while_the_mesh_is_in_use(world: World) -> None:
    with ServiceMesh() as mesh:
        register(mesh, (1, 2))
        bulkhead = Bulkhead(max_concurrency=1)
        world.call(mesh, Dependency())
        mesh.set_bulkhead_policy("payments", bulkhead)
        with bulkhead, pytest.raises(BulkheadFullError):
            world.call(mesh, Dependency())
        mesh.set_bulkhead_policy("payments", None)
        with bulkhead:
            world.call(mesh, Dependency())


def test_switched_off_the_call_still_finds_its_way(world: World) -> None:
    with ServiceMesh() as mesh, resilience_off():
        register(mesh, (1, 2))
        mesh.set_retry_policy("payments", retry())
        dependency = Dependency(1, 2)
        with pytest.raises(ConnectionError):
            world.call(mesh, dependency)
        assert len(dependency.asked) == 1


def test_what_is_raised_is_the_users_own_object(world: World) -> None:
    error = ConnectionError("mine")

    def fail(endpoint: Endpoint) -> None:
        raise error

    with ServiceMesh() as mesh:
        register(mesh, (1, 2))
        mesh.set_retry_policy("payments", retry())
        with pytest.raises(ConnectionError) as caught:
            world.call(mesh, fail)
        assert caught.value is error


def test_zones(world: World) -> None:
    with ManualClock(auto=True) as clock, ServiceMesh(zone="a") as mesh:
        register(mesh, (1, 2), zone="a")
        register(mesh, (3, 4, 5, 6), zone="b")
        mesh.set_retry_policy("payments", retry())
        dependency = Dependency()
        for _ in range(20):
            world.call(mesh, dependency)
        assert set(dependency.asked) == {1, 2}
        dependency = Dependency(1, 2)
        world.call(mesh, dependency)
        assert sorted(dependency.asked[:2]) == [1, 2], "the own zone first"
        assert dependency.asked[2] > 2, "then another one"
        for _ in range(30):
            world.call(mesh, dependency)
        assert {key.port for key in mesh.ejected()} == {1, 2}
        dependency = Dependency()
        for _ in range(20):
            world.call(mesh, dependency)
        assert set(dependency.asked) == {3, 4, 5, 6}
        clock.advance(31.0)
        dependency = Dependency()
        for _ in range(20):
            world.call(mesh, dependency)
        assert set(dependency.asked) == {1, 2}


def test_after_close_nothing_is_called(world: World) -> None:
    mesh = ServiceMesh()
    register(mesh, (1,))
    mesh.close()
    mesh.close()
    with pytest.raises(RuntimeError, match="closed"):
        world.call(mesh, Dependency())


def test_a_registry_that_was_handed_in_is_not_closed(world: World) -> None:
    with ServiceRegistry() as registry:
        registry.register(info(1))
        with ServiceMesh(registry) as mesh:
            assert world.call(mesh, Dependency()) == 1
        assert registry.discover("payments").port == 1


def test_a_route_says_who_asks(world: World) -> None:
    manager = CorrelationManager()

    def path(endpoint: Endpoint) -> object:
        return manager.request_path()

    async def apath(endpoint: Endpoint) -> object:
        return manager.request_path()

    with ServiceMesh() as mesh:
        register(mesh, (1,))
        if repr(world) == "threads":
            steps = mesh.route_request("orders", "payments", "charge", path)
        else:
            steps = asyncio.run(mesh.route_request("orders", "payments", "charge", apath))
        assert steps == (("orders", "charge"),)
        assert manager.request_path() == ()
