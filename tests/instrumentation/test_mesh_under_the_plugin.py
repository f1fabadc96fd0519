"""A mesh that was not installed, with the plugin on and a policy file that knows the service too: guarded once, by the mesh."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import grpc
import pytest
import requests

from otel_resilience import ServiceInfo, ServiceMesh
from otel_resilience.discovery.endpoint import Endpoint
from otel_resilience.events import ExecutionFinished
from otel_resilience.testing import Recorder
from otel_resilience_instrumentation._settings import Runtime
from otel_resilience_instrumentation.grpc import GrpcInstrumentor
from otel_resilience_instrumentation.requests import RequestsInstrumentor
from tests.instrumentation.grpc.rpc_server import SERVICE, RpcServer
from tests.instrumentation.http_server import ScriptedServer

Settings = Callable[..., Runtime]

GET = f"/{SERVICE}/Get"
#: Every call that the file's policies are put around is refused.
POLICIES = """
services:
  payments:
    match: [payments, "127.0.0.1", "grpc:shop.v1.Ledger"]
    circuit_breaker: {force: open}
"""


@pytest.fixture(autouse=True)
def instrumented(settings: Settings) -> Iterator[None]:
    settings(POLICIES)
    both = (RequestsInstrumentor(), GrpcInstrumentor())
    for instrumentor in both:
        instrumentor.instrument()
    yield
    for instrumentor in both:
        instrumentor.uninstrument()


@pytest.fixture
def rpc_server() -> Iterator[RpcServer]:
    with RpcServer() as running:
        yield running


def mesh_of(port: int) -> ServiceMesh:
    mesh = ServiceMesh()
    mesh.registry.register(ServiceInfo(name="payments", host="127.0.0.1", port=port))
    return mesh


@pytest.mark.parametrize(
    "ask",
    [
        lambda mesh: mesh.session("payments").get("/x"),
        lambda mesh: mesh.call("payments", "x", lambda endpoint: requests.get("http://payments/x")),
        lambda mesh: mesh.call(
            "payments", "x", lambda endpoint: requests.get(f"http://{endpoint.address}/x")
        ),
    ],
    ids=["a session", "by name", "by address"],
)
def test_over_http(server: ScriptedServer, ask: Callable[[ServiceMesh], requests.Response]) -> None:
    with mesh_of(server.port) as mesh, Recorder() as seen:
        assert ask(mesh).status_code == 200
    assert len(seen.of(ExecutionFinished)) == 1


def inside(mesh: ServiceMesh) -> Any:
    def call(endpoint: Endpoint) -> Any:
        with grpc.insecure_channel(endpoint.address) as channel:
            return channel.unary_unary(GET)(b"x")

    return mesh.call("payments", "x", call)


@pytest.mark.parametrize(
    "ask",
    [
        lambda mesh: mesh.channel("payments").unary_unary(GET)(b"x"),
        lambda mesh: mesh.channel("payments").unary_unary(GET).future(b"x").result(),
        inside,
    ],
    ids=["a channel", "a future", "by address"],
)
def test_over_grpc(rpc_server: RpcServer, ask: Callable[[ServiceMesh], Any]) -> None:
    with mesh_of(rpc_server.port) as mesh, Recorder() as seen:
        assert ask(mesh) == b"ok"
    assert len(seen.of(ExecutionFinished)) == 1
