"""One question to a real server: who is well, who is not, who only seems to answer."""

from __future__ import annotations

import asyncio
import socket
import threading
from typing import Any

import grpc
import pytest
import wrapt

from otel_resilience import HealthCheck
from otel_resilience.discovery import checking
from otel_resilience.discovery.checking import Checking
from otel_resilience.discovery.probes.answer import CannotProbeNowError
from otel_resilience.discovery.probes.connection import Resolver
from otel_resilience.discovery.service_info import InstanceKey
from tests.discovery.servers import drips, grpc_server, hangs, nobody, pours, says, tcp_server

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"


async def ask(port: int, check: HealthCheck, host: str = "127.0.0.1") -> str | None:
    return await Checking()._ask(InstanceKey("payments", host, port), check)


@pytest.mark.parametrize(
    ("answer", "wrong"),
    [
        (says(OK), None),
        (says(b"HTTP/1.0 204\r\n\r\n"), None),
        (says(b"HTTP/1.1 503 Service Unavailable\r\n\r\n"), "HTTP 503"),
        (says(b"HTTP/1.1 302 Found\r\nLocation: /login\r\n\r\n"), "HTTP 302"),
        (says(b"HTTP/1.1 2000 OK\r\n\r\n"), "no HTTP status line"),
        (says(b"SSH-2.0-OpenSSH_9.6\r\n"), "no HTTP status line"),
        (says(b""), "no HTTP status line"),
        (pours, "no HTTP status line"),
        (hangs, "no answer within 0.3 s"),
        (drips, "no answer within 0.3 s"),
    ],
)
async def test_http(answer: Any, wrong: str | None) -> None:
    with tcp_server(answer) as port:
        # The empty answer is a reset or an end, by who is faster.
        found = await ask(port, HealthCheck(http="/health", timeout=0.3))
        assert found == wrong


async def test_http_asks_as_a_client_does() -> None:
    asked: list[bytes] = []

    def keep(connection: socket.socket, over: threading.Event) -> None:
        asked.append(connection.recv(65536))
        connection.sendall(OK)

    with tcp_server(keep) as port:
        assert await ask(port, HealthCheck(http="/health?deep=1"), "localhost") is None
    lines = asked[0].split(b"\r\n")
    assert lines[0] == b"GET /health?deep=1 HTTP/1.1"
    assert b"Host: localhost:%d" % port in lines
    assert b"Connection: close" in lines


async def test_http_names_a_host_as_the_wire_does(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[bytes] = []

    def keep(connection: socket.socket, over: threading.Event) -> None:
        asked.append(connection.recv(65536))
        connection.sendall(OK)

    found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", 0))]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)
    with tcp_server(keep) as port:
        assert await ask(port, HealthCheck(http="/"), "zürich.example") is None
    assert b"Host: xn--zrich-kva.example:%d" % port in asked[0].split(b"\r\n")


@pytest.mark.parametrize(
    ("service", "wrong"),
    [
        ("shop.Payments", None),
        ("", None),
        ("shop.Sick", "gRPC health NOT_SERVING"),
        ("shop.Unknown", "gRPC health UNKNOWN"),
        ("shop.Odd", "gRPC health of an unknown kind"),
        ("shop.Missing", "gRPC NOT_FOUND"),
        ("x" * 300, "gRPC NOT_FOUND"),
    ],
)
async def test_grpc(service: str, wrong: str | None) -> None:
    statuses = {
        "shop.Payments": b"\x08\x01",
        "": b"\x08\x01",
        "shop.Sick": b"\x08\x02",
        "shop.Unknown": b"",
        "shop.Odd": b"xyz",
    }
    with grpc_server(statuses) as port:
        assert await ask(port, HealthCheck(grpc=service, timeout=5.0)) == wrong


async def test_grpc_where_nobody_speaks_it() -> None:
    with tcp_server(hangs) as port:
        assert await ask(port, HealthCheck(grpc="", timeout=0.3)) in (
            "no answer within 0.3 s",
            "gRPC DEADLINE_EXCEEDED",
        )
    with nobody() as port:
        assert await ask(port, HealthCheck(grpc="", timeout=5.0)) == "gRPC UNAVAILABLE"


@pytest.mark.parametrize("check", [HealthCheck(tcp=True), HealthCheck(http="/")])
async def test_nobody_listens(check: HealthCheck) -> None:
    with nobody() as port:
        assert await ask(port, check) == "Connection refused"


async def test_tcp_is_content_with_a_connection() -> None:
    with tcp_server(hangs) as port:
        assert await ask(port, HealthCheck(tcp=True)) is None


async def test_a_name_that_cannot_be_resolved_and_one_whose_resolver_hangs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    over = threading.Event()

    def unknown(*_: object, **__: object) -> Any:
        raise socket.gaierror(socket.EAI_NONAME, "unknown")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    assert await ask(1, HealthCheck(tcp=True), "payments") == "gaierror"
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: over.wait())
    assert await ask(1, HealthCheck(tcp=True, timeout=0.05), "payments") == "no answer within 0.05 s"
    over.set()


async def test_a_check_that_breaks_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(checking, "probe_tcp", broken)
    assert await ask(1, HealthCheck(tcp=True)) == "ZeroDivisionError"


async def test_a_resolver_without_threads_left_is_one_again_later(monkeypatch: pytest.MonkeyPatch) -> None:
    resolver = Resolver(most=1)
    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", _no_thread)
        for _ in range(3):
            with pytest.raises(CannotProbeNowError, match="can't start new thread"):
                await asyncio.wait_for(resolver.addresses("localhost", 1), 10)
    assert "127.0.0.1" in await asyncio.wait_for(resolver.addresses("localhost", 1), 10)


def _no_thread(thread: threading.Thread) -> None:
    raise RuntimeError("can't start new thread")


async def test_a_grpc_check_is_neither_traced_nor_guarded(monkeypatch: pytest.MonkeyPatch) -> None:
    def instrumented(wrapped: Any, instance: Any, args: Any, kwargs: Any) -> Any:
        raise AssertionError("the instrumented way")

    for _ in range(2):  # the official instrumentation's wrapper, and ours around it
        monkeypatch.setattr(
            grpc, "insecure_channel", wrapt.FunctionWrapper(grpc.insecure_channel, instrumented)
        )
    with grpc_server({"shop.Payments": b"\x08\x01"}) as port:
        assert await ask(port, HealthCheck(grpc="shop.Payments", timeout=5.0)) is None
