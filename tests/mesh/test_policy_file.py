"""A mesh with the policies of a policy file, and with some of its own before them."""

from __future__ import annotations

import pytest

from otel_resilience import (
    Backoff,
    CircuitOpenError,
    Endpoint,
    Retry,
    ServiceMesh,
    ServiceNotFoundError,
    ServiceRegistry,
    Timeout,
)
from otel_resilience.config.config import Config
from otel_resilience.errors.codes import register_code
from otel_resilience.policies.timeout.policy import Timeout as TimeoutPolicy
from tests.config.files import config_of
from tests.discovery.instances import info
from tests.mesh.meshes import Dependency

FILE = """
services:
  payments:
    endpoints: ["10.0.0.7:1", "10.0.0.7:2", "10.0.0.7:3"]
    retry:
      max_attempts: 3
      on: [CONNECT_FAILED]
      backoff: {initial: 1ms, jitter: none}
      budget: {ratio: 1.0, min_per_second: 1000}
    attempt_timeout: 5s
    operations:
      "POST /charge": {idempotent: true}
      "POST /charge/{id}/refund": {retry: {max_attempts: 2}, idempotent: true}
      "GET /audit": {idempotent: false}
      Book: {}
  ledger:
    endpoints: ["10.0.0.8:1"]
    mode: "off"
    circuit_breaker: {force: open}
  notes:
    endpoints: ["10.0.0.9:1"]
    circuit_breaker: {force: open}
"""


class Down(Exception):
    """The dependency cannot be reached."""


register_code(Down, "CONNECT_FAILED")


class _Down(Dependency):
    def __call__(self, endpoint: Endpoint) -> int:
        self.asked.append(endpoint.port)
        raise Down


@pytest.fixture
def config() -> Config:
    return config_of(FILE)


@pytest.mark.parametrize(
    ("operation", "attempts"),
    [
        ("POST /charge", 3),
        ("POST /charge/42/refund", 2),
        ("GET /accounts/7", 3),
        ("POST /accounts", 1),
        ("GET /audit", 1),
        ("Book", 1),
        ("anything", 1),
    ],
)
def test_the_files_retry_is_for_what_may_be_sent_twice(config: Config, operation: str, attempts: int) -> None:
    dependency = _Down()
    with config.mesh() as mesh, pytest.raises(Down):
        mesh.call("payments", operation, dependency)
    assert len(dependency.asked) == attempts
    assert len(set(dependency.asked)) == attempts, "each at another endpoint"


def test_policies_belong_to_the_service_and_the_mode_too(config: Config) -> None:
    with config.mesh() as mesh:
        with pytest.raises(CircuitOpenError):
            mesh.call("notes", "read", Dependency())
        assert mesh.call("ledger", "book", Dependency()) == 1


def test_a_service_that_the_file_does_not_have_is_routed_without_policies(config: Config) -> None:
    with ServiceRegistry() as registry, ServiceMesh(registry, policies=config) as mesh:
        registry.register(info(4, name="mail"))
        assert mesh.call("mail", "send", Dependency()) == 4
        with pytest.raises(ServiceNotFoundError):
            mesh.call("male", "send", Dependency())


def test_the_catch_all_is_for_those() -> None:
    config = config_of('services: {"*": {circuit_breaker: {force: open}}}')
    with ServiceRegistry() as registry, ServiceMesh(registry, policies=config) as mesh:
        registry.register(info(4, name="mail"))
        with pytest.raises(CircuitOpenError):
            mesh.call("mail", "send", Dependency())


def test_code_goes_before_the_file_one_policy_at_a_time(config: Config) -> None:
    with config.mesh() as mesh:
        mesh.set_timeout_policy("payments", Timeout(9.0))
        mesh.set_retry_policy("payments", Retry(on=Down, max_attempts=2, backoff=Backoff(initial=0.001)))
        pipeline = mesh.line("payments").routed("POST /accounts").pipeline
        timeouts = [each.seconds for each in pipeline.policies if isinstance(each, TimeoutPolicy)]
        assert timeouts == [9.0, 5.0], "the total is set, the attempt's stays"
        kinds = [type(each).__name__ for each in pipeline.policies]
        assert kinds == ["Journey", "Timeout", "Retry", "Timeout", "Routing"]
        assert pipeline.warnings == ()
        dependency = _Down()
        with pytest.raises(Down):
            mesh.call("payments", "POST /accounts", dependency)
        assert len(dependency.asked) == 2, "who sets a retry says that it may be sent twice"


def test_closing_the_files_mesh_closes_its_registry(config: Config) -> None:
    mesh = config.mesh()
    register = mesh.registry.register  # type: ignore[attr-defined]  # a ServiceRegistry
    mesh.close()
    with pytest.raises(RuntimeError):
        register(info(9))
