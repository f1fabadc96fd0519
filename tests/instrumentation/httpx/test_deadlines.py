"""Answers that never come, bodies that trickle, and streams, within a deadline, in both worlds."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler
from typing import Any

import pytest

from otel_resilience import ServiceTimeoutError
from otel_resilience.context import deadline
from otel_resilience.testing import ManualClock
from tests.instrumentation.http_server import Reply, ScriptedServer
from tests.instrumentation.httpx.worlds import World

Trickle = Callable[[BaseHTTPRequestHandler], None]


def trickling(server: ScriptedServer, head: tuple[str, str], piece: bytes) -> Trickle:
    def trickle(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header(*head)
        handler.end_headers()
        try:
            while not server.stopping.wait(0.02):
                handler.wfile.write(piece)
        except OSError:
            return

    return trickle


BODIES = {
    "of a known length": (("Content-Length", "1000"), b"x"),
    "in chunks": (("Transfer-Encoding", "chunked"), b"1\r\nx\r\n"),
    "in a chunk that never begins": (("Transfer-Encoding", "chunked"), b"0"),
}


async def test_the_deadline_of_the_request_in_hand_where_no_timeout_is_written(
    client: Any, policies: Any, server: ScriptedServer
) -> None:
    policies("circuit_breaker: {failure_threshold: 5}")
    server.answers(lambda handler: server.stopping.wait(5) and None)
    began = time.monotonic()
    token = deadline.tighten(0.2)
    with pytest.raises(ServiceTimeoutError):
        await client.get(server.url)
    deadline.restore(token)
    assert time.monotonic() - began < 1.0


@pytest.mark.parametrize("body", BODIES)
async def test_a_body_that_trickles(
    library: Any, client: Any, policies: Any, server: ScriptedServer, body: str
) -> None:
    policies("timeout: 300ms")
    server.answers(trickling(server, *BODIES[body]))
    began = time.monotonic()
    with pytest.raises(library.TimeoutException) as raised:
        await client.get(server.url)
    assert isinstance(raised.value, ServiceTimeoutError)
    assert time.monotonic() - began < 1.0


async def test_a_redirects_body_that_trickles(world: World, policies: Any, server: ScriptedServer) -> None:
    policies("timeout: 300ms")

    def trickle(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(302)
        handler.send_header("Location", "/there")
        handler.send_header("Content-Length", "1000")
        handler.end_headers()
        while not server.stopping.wait(0.02):
            handler.wfile.write(b"x")

    server.answers(trickle, Reply())
    began = time.monotonic()
    async with world.client(follow_redirects=True) as client:
        with pytest.raises(ServiceTimeoutError):
            await client.get(server.url)
    assert time.monotonic() - began < 1.0


async def test_an_answer_that_never_comes(
    library: Any, client: Any, policies: Any, server: ScriptedServer
) -> None:
    policies("timeout: 200ms")
    server.answers(lambda handler: server.stopping.wait(5) and None)
    began = time.monotonic()
    with pytest.raises(library.TimeoutException) as raised:
        await client.get(server.url, timeout=30)
    assert time.monotonic() - began < 1.0
    assert isinstance(raised.value, ServiceTimeoutError)


async def test_the_users_own_shorter_timeout_is_kept_and_is_no_end_of_ours(
    library: Any, client: Any, policies: Any, server: ScriptedServer
) -> None:
    policies("timeout: 30s")
    server.answers(lambda handler: server.stopping.wait(5) and None)
    with pytest.raises(library.ReadTimeout) as raised:
        await client.get(server.url, timeout=library.Timeout(None, read=0.1))
    assert not isinstance(raised.value, ServiceTimeoutError)


async def test_a_stream_is_judged_by_its_head_and_read_as_the_user_likes(
    world: World, client: Any, policies: Any, server: ScriptedServer
) -> None:
    policies("timeout: 300ms")

    def slow(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", "4")
        handler.end_headers()
        for byte in b"late":
            server.stopping.wait(0.1)
            handler.wfile.write(bytes([byte]))

    server.answers(slow)
    async with client.stream("GET", server.url) as response:
        read = response.read() if world.threads else await response.aread()
    assert read == b"late"


def test_a_request_and_a_connection_live_on_with_their_own_timeouts(
    library: Any, policies: Any, server: ScriptedServer
) -> None:
    policies('timeout: 5s, operations: {"GET /free": {timeout: null}}')
    waits: list[Any] = []

    class Noting(library.HTTPTransport):  # type: ignore[misc]  # one of two libraries
        def handle_request(self, request: Any) -> Any:
            waits.append(request.extensions["timeout"])
            return super().handle_request(request)

    with library.Client(transport=Noting(), timeout=30) as client:
        request = client.build_request("GET", server.url)
        response = client.send(request)
        connection = response.extensions["network_stream"]
        assert response.read() == b"ok"
        assert client.get(server.url + "/free").extensions["network_stream"] is connection
    assert 0 < waits[0]["read"] <= 5
    assert waits[1]["read"] == 30
    assert request.extensions["timeout"]["read"] == 30
    assert "read" not in vars(connection)


def test_parts_that_come_without_a_connection_are_looked_at_one_by_one(
    library: Any, policies: Any, server: ScriptedServer
) -> None:
    policies("timeout: 5s")
    with ManualClock() as clock:

        class Slow(library.SyncByteStream):  # type: ignore[misc]  # one of two libraries
            def __iter__(self) -> Iterator[bytes]:
                for _ in range(10):
                    clock.advance(2)
                    yield b"x"

        transport = library.MockTransport(lambda request: library.Response(200, stream=Slow()))
        with library.Client(transport=transport) as client, pytest.raises(ServiceTimeoutError) as raised:
            client.get(server.url, extensions={"timeout": {}})
    assert isinstance(raised.value.__cause__, library.ReadTimeout)
