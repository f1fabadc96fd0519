"""A requests session by a service's name, against real servers."""

from __future__ import annotations

import io
import threading

import pytest
import requests

from otel_resilience import (
    Backoff,
    CircuitBreaker,
    CircuitOpenError,
    ConfigurationError,
    NoHealthyEndpointError,
    Retry,
    RetryBudget,
    ServiceMesh,
    ServiceNotFoundError,
    ServiceTimeoutError,
    Timeout,
)
from otel_resilience.mesh.address import name_in
from tests.discovery.instances import info
from tests.instrumentation.http_server import Reply, ScriptedServer
from tests.mesh.meshes import register


def retry(**more: object) -> Retry:
    budget = RetryBudget(ratio=1.0, min_per_second=1000.0)
    return Retry(on=OSError, backoff=Backoff(initial=0.001), budget=budget, **more)  # type: ignore[arg-type]


def asked(servers: list[ScriptedServer]) -> list[int]:
    return [len(server.asked) for server in servers]


@pytest.mark.parametrize("url", ["/accounts/7?full=1", "http://payments/accounts/7?full=1"])
def test_requests_go_to_endpoints_by_name(mesh: ServiceMesh, servers: list[ScriptedServer], url: str) -> None:
    session = mesh.session("payments")
    assert isinstance(session, requests.Session)
    for _ in range(4):
        response = session.get(url)
        assert response.url == response.request.url == "http://payments/accounts/7?full=1"
        assert "Host" not in response.request.headers
    assert asked(servers) == [2, 2]
    [first, *_] = servers[0].asked
    assert (first.path, first.headers["Host"]) == ("/accounts/7?full=1", "payments")


def test_a_retry_goes_to_the_other_endpoint(mesh: ServiceMesh, servers: list[ScriptedServer]) -> None:
    mesh.set_retry_policy("payments", retry(results=lambda response: response.status_code >= 500))
    servers[0].script = [Reply(503)]
    with mesh.session("payments") as session:
        assert [session.get("/").status_code for _ in range(4)] == [200] * 4
    assert asked(servers)[1] == 4
    assert asked(servers)[0] >= 1


def test_a_failing_endpoint_is_left_out(mesh: ServiceMesh, servers: list[ScriptedServer]) -> None:
    servers[0].script = [Reply(503)]
    with mesh.session("payments") as session:
        for _ in range(20):
            session.get("/")
    assert asked(servers) == [5, 15]


def test_a_4xx_is_an_answer(mesh: ServiceMesh, servers: list[ScriptedServer]) -> None:
    for server in servers:
        server.script = [Reply(404)]
    with mesh.session("payments") as session:
        for _ in range(20):
            assert session.get("/").status_code == 404
    assert list(mesh.ejected()) == []


@pytest.mark.parametrize(
    ("method", "headers", "operation", "times"),
    [
        ("GET", {}, None, 2),
        ("POST", {}, None, 1),
        ("POST", {"Idempotency-Key": "7"}, None, 2),
        ("POST", {}, "POST /charge", 2),
    ],
)
def test_what_is_sent_twice(
    mesh: ServiceMesh,
    servers: list[ScriptedServer],
    method: str,
    headers: dict[str, str],
    operation: str | None,
    times: int,
) -> None:
    mesh.set_retry_policy("payments", retry(max_attempts=2), operation=operation)
    for server in servers:
        server.script = [lambda handler: handler.connection.close()]
    with mesh.session("payments") as session, pytest.raises(requests.ConnectionError):
        session.request(method, "/charge", headers=headers, data=b"body")
    assert sum(asked(servers)) == times


def test_a_file_is_sent_again_from_where_it_began(mesh: ServiceMesh, servers: list[ScriptedServer]) -> None:
    mesh.set_retry_policy("payments", retry(results=lambda response: response.status_code >= 500))
    for server in servers:
        server.script = [Reply(503), Reply(200)]
    file = io.BytesIO(b"0123456789")
    file.seek(3)
    with mesh.session("payments") as session:
        session.put("/", data=file)
    bodies = [each.body for server in servers for each in server.asked]
    assert len(bodies) >= 2 and set(bodies) == {b"3456789"}


def test_redirects_and_cookies_are_the_services(mesh: ServiceMesh, servers: list[ScriptedServer]) -> None:
    for server in servers:
        server.script = [Reply(302, {"Location": "/there", "Set-Cookie": "a=1"}), Reply()]
    with mesh.session("payments") as session:
        response = session.get("/here")
        assert (response.status_code, response.url) == (200, "http://payments/there")
        assert session.cookies.get("a") == "1"
    assert sorted(asked(servers)) == [0, 2], "the call's endpoint answers its redirect"
    [last] = [server.asked[-1] for server in servers if server.asked]
    assert last.headers["Cookie"] == "a=1"


def test_other_hosts_are_as_ever(mesh: ServiceMesh, server: ScriptedServer) -> None:
    mesh.set_circuit_breaker_policy("payments", CircuitBreaker(failure_threshold=1))
    with mesh.session("payments") as session:
        assert session.get(server.url).status_code == 200
        mesh.line("payments").routed("GET /").pipeline.policies[1].force_open()  # type: ignore[attr-defined]
        assert session.get(server.url).status_code == 200
        with pytest.raises(requests.ConnectionError) as caught:
            session.get("/")
        assert isinstance(caught.value, CircuitOpenError)


def test_rejections_and_timeouts_are_the_clients_own(
    mesh: ServiceMesh, servers: list[ScriptedServer]
) -> None:
    mesh.set_timeout_policy("payments", Timeout(0.05))
    never = threading.Event()
    for server in servers:
        server.script = [lambda handler: never.wait(5.0) and None]
    with mesh.session("payments") as session, pytest.raises(requests.Timeout) as caught:
        session.get("/")
    never.set()
    assert isinstance(caught.value, ServiceTimeoutError)
    for server in servers:
        mesh.registry.deregister(("payments", "127.0.0.1", server.port))  # type: ignore[attr-defined]
    with mesh.session("payments") as session, pytest.raises(requests.ConnectionError) as refused:
        session.get("/")
    assert isinstance(refused.value, NoHealthyEndpointError)


def test_a_prepared_request_is_as_it_was(mesh: ServiceMesh) -> None:
    with mesh.session("payments") as session:
        prepared = session.prepare_request(requests.Request("GET", "/x"))
        before = (prepared.url, dict(prepared.headers))
        session.send(prepared)
        assert (prepared.url, dict(prepared.headers)) == before


def test_unknown_services_and_closed_meshes() -> None:
    with ServiceMesh() as mesh:
        with pytest.raises(ServiceNotFoundError):
            mesh.session("payments")
        mesh.registry.register(info())  # type: ignore[attr-defined]  # the mesh's own registry
        session = mesh.session("payments")
    with pytest.raises(RuntimeError, match="closed"):
        session.get("/")


@pytest.mark.parametrize(
    "service", ["pay/ments", "pay ments", "user@payments", "päyments", "payments:80", "[::1]"]
)
def test_a_service_that_no_url_can_name_has_no_session(service: str) -> None:
    with ServiceMesh() as mesh:
        register(mesh, (1,), name=service)
        with pytest.raises(ConfigurationError, match="must be a name that a URL can have as its host, got "):
            mesh.session(service)


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("http://payments/charge", "payments"),
        ("HTTPS://user:secret@Payments/charge", "payments"),
        ("http://payments:8080/charge", None),
        ("http://payments:80/", None),
        ("http://payments:x/", None),
        ("ftp://payments/", None),
        ("/charge", None),
        ("", None),
    ],
)
def test_a_url_with_a_port_is_an_address(url: str, name: str | None) -> None:
    assert name_in(url) == name
