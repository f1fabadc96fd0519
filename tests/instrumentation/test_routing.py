"""``requests.get("http://payments/charge")``: routed by name, by a policy file's endpoints or by a mesh that was installed."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator

import pytest
import requests
from opentelemetry import trace
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from otel_resilience import (
    Backoff,
    CircuitBreaker,
    CircuitOpenError,
    NoHealthyEndpointError,
    Retry,
    ServiceInfo,
    ServiceMesh,
    Timeout,
    error_chain,
)
from otel_resilience.events import ExecutionFinished, ExecutionRejected
from otel_resilience.mesh.installed import installed
from otel_resilience.testing import Recorder
from otel_resilience_instrumentation._settings import Runtime
from otel_resilience_instrumentation.requests import RequestsInstrumentor
from tests.instrumentation.http_server import Reply, ScriptedServer

CHAIN = '"ledger";c=DB_UNAVAILABLE;t="0af7651916cd43dd8448eb211c80319c";s="b7ad6b7169203331";r'

Settings = Callable[..., Runtime]


@pytest.fixture(autouse=True)
def instrumented(settings: Settings) -> Iterator[None]:
    settings()
    RequestsInstrumentor().instrument()
    yield
    RequestsInstrumentor().uninstrument()


@pytest.fixture
def servers() -> Iterator[list[ScriptedServer]]:
    with ScriptedServer() as one, ScriptedServer() as two:
        yield [one, two]


@pytest.fixture
def policies(settings: Settings, servers: list[ScriptedServer]) -> Callable[[str], Runtime]:
    """The servers as endpoints of ``payments``, with the policies given as a YAML flow mapping."""
    endpoints = ", ".join(f'"{server.address}"' for server in servers)
    return lambda text="": settings(f"services: {{payments: {{endpoints: [{endpoints}], {text}}}}}")


@pytest.fixture
def mesh(servers: list[ScriptedServer]) -> Iterator[ServiceMesh]:
    with ServiceMesh() as made:
        for server in servers:
            info = ServiceInfo(name="payments", host="127.0.0.1", port=server.port)
            made.registry.register(info)  # type: ignore[attr-defined]  # the mesh's own registry
        yield made.install()
    assert installed() is None


def asked(servers: list[ScriptedServer]) -> list[int]:
    return [len(server.asked) for server in servers]


def test_endpoints_of_the_file_are_called_by_the_services_name(
    policies: Callable[..., Runtime], servers: list[ScriptedServer]
) -> None:
    policies()
    for _ in range(4):
        response = requests.get("http://payments/charge?x=1")
        assert (response.status_code, response.url) == (200, "http://payments/charge?x=1")
    assert asked(servers) == [2, 2]
    [first, *_] = servers[0].asked
    assert (first.path, first.headers["Host"]) == ("/charge?x=1", "payments")
    assert first.headers["resilience"] == "attempt=1, chain"


@pytest.mark.parametrize("by", ["file", "mesh"])
def test_the_case_of_a_services_name_does_not_matter_in_a_url(
    settings: Settings, servers: list[ScriptedServer], by: str
) -> None:
    address = servers[0].address
    settings(
        f'services: {{PaymentService: {{endpoints: ["{address}"]}}}}' if by == "file" else "mode: enforce"
    )
    with ServiceMesh() as mesh:
        if by == "mesh":
            info = ServiceInfo(name="PaymentService", host="127.0.0.1", port=servers[0].port)
            mesh.install().registry.register(info)  # type: ignore[attr-defined]  # the mesh's own registry
        for name in ("PaymentService", "paymentservice"):
            assert requests.get(f"http://{name}/charge").status_code == 200
    assert asked(servers) == [2, 0]


def test_the_files_policies_are_around_and_a_retry_goes_elsewhere(
    policies: Callable[..., Runtime], servers: list[ScriptedServer]
) -> None:
    policies("timeout: 9s, retry: {max_attempts: 2, backoff: {initial: 1ms}}")
    servers[0].script = [Reply(503)]
    with Recorder() as recorder:
        assert [requests.get("http://payments/").status_code for _ in range(4)] == [200] * 4
    assert asked(servers)[1] == 4
    assert [each.outcome.value for each in recorder.of(ExecutionFinished)] == ["success"] * 4, "once a call"
    retried = [
        each.headers["resilience"] for each in servers[1].asked if "attempt=2" in each.headers["resilience"]
    ]
    assert retried and all("deadline=" in field for field in retried)


def test_what_may_not_be_sent_twice_is_not(
    policies: Callable[..., Runtime], servers: list[ScriptedServer]
) -> None:
    policies("retry: {max_attempts: 2, backoff: {initial: 1ms}}")
    for server in servers:
        server.script = [Reply(503)]
    assert requests.post("http://payments/").status_code == 503
    assert sum(asked(servers)) == 1


def test_a_failing_endpoint_is_left_out(
    policies: Callable[..., Runtime], servers: list[ScriptedServer]
) -> None:
    policies()
    servers[0].script = [Reply(500)]
    for _ in range(20):
        requests.get("http://payments/")
    assert asked(servers) == [5, 15]


def test_chains_come_back_as_from_any_host_inside(
    policies: Callable[..., Runtime], servers: list[ScriptedServer]
) -> None:
    policies()
    for server in servers:
        server.script = [Reply(503, {"error-chain": CHAIN})]
    chain = error_chain(requests.get("http://payments/"))
    assert chain is not None and chain.root_cause_code == "DB_UNAVAILABLE"


def test_an_installed_mesh_goes_before_the_file(
    mesh: ServiceMesh, servers: list[ScriptedServer], settings: Settings
) -> None:
    settings('services: {payments: {endpoints: ["127.0.0.1:9"], circuit_breaker: {force: open}}}')
    with pytest.raises(requests.ConnectionError) as caught:
        requests.get("http://payments/")
    assert isinstance(caught.value, CircuitOpenError), "the file's policies hold for it too"
    mesh.set_circuit_breaker_policy("payments", CircuitBreaker())
    assert requests.get("http://payments/").status_code == 200


def test_policies_set_in_code_hold(mesh: ServiceMesh, servers: list[ScriptedServer]) -> None:
    mesh.set_retry_policy(
        "payments",
        Retry(on=OSError, results=lambda answer: answer.status_code == 503, backoff=Backoff(initial=0.001)),
    )
    servers[0].script = [Reply(503)]
    assert [requests.get("http://payments/").status_code for _ in range(4)] == [200] * 4


def test_a_session_of_the_mesh_is_guarded_once(mesh: ServiceMesh, servers: list[ScriptedServer]) -> None:
    with Recorder() as recorder, mesh.session("payments") as session:
        assert session.get("/").status_code == 200
    [finished] = recorder.of(ExecutionFinished)
    assert (finished.name, finished.counted) == ("payments", True)
    [sent] = [server.asked[0] for server in servers if server.asked]
    assert sent.headers["resilience"] == "attempt=1, chain"


def test_inside_a_call_of_the_mesh_its_endpoint_is_the_one(
    mesh: ServiceMesh, servers: list[ScriptedServer]
) -> None:
    ports = {server.port: server for server in servers}
    with Recorder() as recorder:
        for _ in range(4):
            before = {port: len(server.asked) for port, server in ports.items()}
            port = mesh.call(
                "payments", "charge", lambda endpoint: (requests.get("http://payments/"), endpoint.port)[1]
            )
            assert len(ports[port].asked) == before[port] + 1
    assert len(recorder.of(ExecutionFinished)) == 4


def test_a_call_to_the_endpoints_address_is_guarded_by_the_meshs_call_alone(
    mesh: ServiceMesh, servers: list[ScriptedServer], settings: Settings
) -> None:
    settings('services: {"*": {circuit_breaker: {force: open}}}')
    mesh.set_circuit_breaker_policy("payments", CircuitBreaker())
    answer = mesh.call("payments", "charge", lambda endpoint: requests.get(f"http://{endpoint.address}/"))
    assert answer.status_code == 200
    with pytest.raises(requests.ConnectionError):
        requests.get(servers[0].url)


def test_a_call_of_the_mesh_bounds_the_request_inside(
    mesh: ServiceMesh, servers: list[ScriptedServer]
) -> None:
    mesh.set_timeout_policy("payments", Timeout(0.05))
    never = threading.Event()
    for server in servers:
        server.script = [lambda handler: never.wait(5.0) and None]
    with pytest.raises(requests.Timeout):
        mesh.call("payments", "charge", lambda endpoint: requests.get("http://payments/"))
    never.set()


def test_nobody_healthy_is_the_clients_own_error(mesh: ServiceMesh, servers: list[ScriptedServer]) -> None:
    for server in servers:
        mesh.registry.deregister(("payments", "127.0.0.1", server.port))  # type: ignore[attr-defined]
    with Recorder() as recorder, pytest.raises(requests.ConnectionError) as caught:
        requests.get("http://payments/")
    assert isinstance(caught.value, NoHealthyEndpointError)
    assert len(recorder.of(ExecutionRejected)) == 1


def test_mode_off_guards_nothing_and_still_finds_the_way(
    policies: Callable[..., Runtime], servers: list[ScriptedServer]
) -> None:
    policies('mode: "off", circuit_breaker: {force: open}')
    with Recorder() as recorder:
        assert requests.get("http://payments/").status_code == 200
    assert recorder.of(ExecutionFinished) == []
    assert sum(asked(servers)) == 1


def test_a_redirect_to_another_service_is_routed_too(
    mesh: ServiceMesh, servers: list[ScriptedServer], server: ScriptedServer
) -> None:
    mesh.registry.register(  # type: ignore[attr-defined]  # the mesh's own registry
        ServiceInfo(name="ledger", host="127.0.0.1", port=server.port)
    )
    for each in servers:
        each.script = [Reply(302, {"Location": "http://ledger/book"})]
    response = requests.get("http://payments/")
    assert (response.status_code, response.url) == (200, "http://ledger/book")
    assert [each.headers["Host"] for each in server.asked] == ["ledger"]


def test_addresses_and_unknown_names_are_as_ever(
    mesh: ServiceMesh, servers: list[ScriptedServer], server: ScriptedServer
) -> None:
    assert requests.get(server.url).status_code == 200
    with pytest.raises(requests.ConnectionError) as caught:
        requests.get("http://nobody.invalid/")
    assert not isinstance(caught.value, NoHealthyEndpointError)
    assert sum(asked(servers)) == 0


def test_one_span_for_the_call_and_one_for_each_attempt(
    policies: Callable[..., Runtime], servers: list[ScriptedServer], spans: InMemorySpanExporter
) -> None:
    policies("retry: {max_attempts: 2, backoff: {initial: 1ms}}")
    for server in servers:
        server.script = [Reply(503)]
    requests.get("http://payments/")
    kinds = [(span.name, span.kind) for span in spans.get_finished_spans()]
    assert kinds.count(("execute payments", trace.SpanKind.INTERNAL)) == 1
    assert kinds.count(("GET", trace.SpanKind.CLIENT)) == 2
    assert len(kinds) == 3


def test_uninstrumented_it_is_a_host_like_any_other(mesh: ServiceMesh, servers: list[ScriptedServer]) -> None:
    RequestsInstrumentor().uninstrument()
    with pytest.raises(requests.ConnectionError):
        requests.get("http://payments.invalid/")
    with mesh.session("payments") as session:
        assert session.get("/").status_code == 200
