"""What may stand between a session and an endpoint: a proxy, TLS."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from requests.adapters import HTTPAdapter

from otel_resilience import Endpoint, ServiceMesh
from otel_resilience.mesh.adapter import POOL_KEY
from otel_resilience.mesh.address import at_endpoint
from otel_resilience.mesh.session import RoutingAdapter
from tests.instrumentation.http_server import ScriptedServer
from tests.mesh.meshes import register

#: Certificate and key, for a hundred years: ``openssl req -x509 -days 36500 -subj /CN=payments``.
CERTIFICATE = Path(__file__).parent / "certificates" / "payments.pem"


def asked(servers: list[ScriptedServer]) -> list[int]:
    return [len(server.asked) for server in servers]


@pytest.fixture
def proxy(server: ScriptedServer, monkeypatch: pytest.MonkeyPatch) -> ScriptedServer:
    """The proxy of the environment."""
    for name in ("http_proxy", "HTTP_PROXY"):
        monkeypatch.setenv(name, server.url)
    return server


@pytest.mark.parametrize(
    ("no_proxy", "by_proxy"),
    [("127.0.0.0/8", False), ("payments", False), ("10.0.0.0/8", True), ("", True)],
)
def test_what_the_environment_says_of_proxies_holds_for_endpoints(
    mesh: ServiceMesh,
    servers: list[ScriptedServer],
    proxy: ScriptedServer,
    monkeypatch: pytest.MonkeyPatch,
    no_proxy: str,
    by_proxy: bool,
) -> None:
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.setenv(name, no_proxy)
    with mesh.session("payments") as session:
        assert session.get("/x").status_code == 200
    assert (len(proxy.asked), sum(asked(servers))) == ((1, 0) if by_proxy else (0, 1))


def test_a_proxy_of_the_callers_own_is_used(
    mesh: ServiceMesh, servers: list[ScriptedServer], server: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("no_proxy", "127.0.0.0/8")
    with mesh.session("payments") as session:
        assert session.get("/x", proxies={"http": server.url}).status_code == 200
    assert (len(server.asked), asked(servers)) == (1, [0, 0])


@pytest.mark.skipif(
    not hasattr(HTTPAdapter, POOL_KEY), reason="this requests cannot be told whose certificate it expects"
)
def test_over_tls_the_certificate_must_be_the_services() -> None:
    endpoint = Endpoint(host="10.0.0.7", port=8443, service="payments")
    prepared = requests.Request("GET", "https://payments/charge").prepare()
    attributes = getattr(RoutingAdapter(), POOL_KEY)
    host, pool = attributes(at_endpoint(prepared, endpoint), True)
    assert (host["host"], host["port"]) == ("10.0.0.7", 8443)
    assert (pool["server_hostname"], pool["assert_hostname"]) == ("payments", "payments")
    host, pool = attributes(prepared, True)
    assert "server_hostname" not in pool


@pytest.fixture
def tls_server() -> Iterator[ScriptedServer]:
    """Has a certificate for ``payments``, signed by itself, of which no other program will ever hear."""
    server = ScriptedServer()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(CERTIFICATE)
    server._server.socket = context.wrap_socket(server._server.socket, server_side=True)
    with server:
        yield server


@pytest.mark.skipif(
    not hasattr(HTTPAdapter, POOL_KEY), reason="this requests cannot be told whose certificate it expects"
)
def test_over_tls_a_server_must_be_the_service(tls_server: ScriptedServer) -> None:
    with ServiceMesh() as mesh:
        for name in ("payments", "ledger"):
            register(mesh, (tls_server.port,), name=name, host="127.0.0.1")
        for name, known in (("payments", True), ("ledger", False), ("payments", True)):
            session = mesh.session(name)
            session.trust_env = False  # else the environment's certificates go before these
            session.verify = str(CERTIFICATE)
            if known:
                response = session.get(f"https://{name}/x")
                assert (response.status_code, response.url) == (200, f"https://{name}/x")
            else:
                with pytest.raises(requests.exceptions.SSLError):
                    session.get(f"https://{name}/x")
    assert [each.headers["Host"] for each in tls_server.asked] == ["payments", "payments"]
