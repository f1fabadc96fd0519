"""``httpx`` and ``httpx2`` under policies, in both worlds: ``AsyncClient``, and ``Client`` in a thread."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import AsyncIterator
from http.server import BaseHTTPRequestHandler
from typing import Any

import pytest
from opentelemetry.instrumentation import httpx as official_httpx
from opentelemetry.instrumentation.utils import suppress_instrumentation
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind

from otel_resilience import CircuitOpenError, error_chain
from otel_resilience.context import correlation, request
from otel_resilience.context.request import Request
from otel_resilience.events import ExecutionFinished, RetrySuppressed
from otel_resilience.outcome import Outcome
from otel_resilience.testing import Recorder
from otel_resilience_instrumentation.httpx import Httpx2Instrumentor, HttpxInstrumentor
from tests.instrumentation.http_server import Reply, ScriptedServer
from tests.instrumentation.httpx.worlds import World

CHAIN = '"ledger";c=DB_UNAVAILABLE;t="0af7651916cd43dd8448eb211c80319c";s="b7ad6b7169203331";r'
OURS = {"httpx": HttpxInstrumentor, "httpx2": Httpx2Instrumentor}
OFFICIAL = {"httpx": "HTTPXClientInstrumentor", "httpx2": "HTTPX2ClientInstrumentor"}
RETRY = "retry: {max_attempts: 3, backoff: {initial: 1ms, jitter: none}}"


async def test_unguarded_the_fields_go_out_and_the_chain_comes_in(
    library: Any, client: Any, server: ScriptedServer
) -> None:
    server.answers(Reply(503, {"error-chain": CHAIN}))
    current = Request()
    tokens = request.enter(current), correlation.enter("order-7")
    response = await client.get(server.url)
    request.leave(tokens[0])
    correlation.leave(tokens[1])
    assert server.asked[0].headers["resilience"] == "chain"
    assert server.asked[0].headers["x-correlation-id"] == "order-7"
    assert "resilience" not in response.request.headers
    chain = error_chain(response)
    assert chain is not None
    assert chain.root_cause_code == "DB_UNAVAILABLE"
    assert current.failures
    assert current.failures[-1].received == chain
    with pytest.raises(library.HTTPStatusError) as raised:
        response.raise_for_status()
    assert error_chain(raised.value) == chain


async def test_each_redirect_is_judged_anew(world: World, server: ScriptedServer) -> None:
    outside: list[Any] = []

    def elsewhere(request: Any) -> Any:
        outside.append(request)
        return world.library.Response(200)

    server.answers(Reply(302, {"Location": "/inside"}), Reply(302, {"Location": "http://shop.example.com/"}))
    mounts = {"http://shop.example.com": world.library.MockTransport(elsewhere)}
    async with world.client(follow_redirects=True, mounts=mounts) as client:
        await client.get(server.url)
    assert [asked.headers["resilience"] for asked in server.asked] == ["chain", "chain"]
    assert "resilience" not in outside[0].headers


async def test_nothing_is_added_where_instrumentation_is_suppressed(
    client: Any, server: ScriptedServer
) -> None:
    with suppress_instrumentation():
        await client.get(server.url)
    assert "resilience" not in server.asked[0].headers


@pytest.mark.parametrize("official", ["absent", "first", "last"])
async def test_one_client_span_an_attempt(
    official: str,
    library: Any,
    client: Any,
    policies: Any,
    server: ScriptedServer,
    spans: InMemorySpanExporter,
) -> None:
    policies(RETRY)
    ours, theirs = OURS[library.__name__](), getattr(official_httpx, OFFICIAL[library.__name__])()
    if official == "first":
        ours.uninstrument()
        theirs.instrument()
        ours.instrument()
    elif official == "last":
        theirs.instrument()
    try:
        server.answers(Reply(503), Reply(503), Reply())
        assert (await client.get(server.url)).status_code == 200
    finally:
        if official != "absent":
            theirs.uninstrument()
    *attempts, call = spans.get_finished_spans()
    assert (call.name, call.kind) == ("execute ledger", SpanKind.INTERNAL)
    numbers = [(span.attributes or {}).get("http.request.resend_count") for span in attempts]
    assert numbers == ([] if official == "absent" else [None, 1, 2])
    assert [asked.headers["resilience"] for asked in server.asked] == [
        "attempt=1, chain",
        "attempt=2, chain",
        "attempt=3, chain",
    ]


async def test_a_post_is_sent_once_and_one_with_a_key_again(
    client: Any, policies: Any, server: ScriptedServer
) -> None:
    policies(RETRY)
    server.answers(Reply(503))
    with Recorder() as recorder:
        await client.post(server.url, content=b"charge")
    assert [event.reason for event in recorder.of(RetrySuppressed)] == ["not_idempotent"]
    await client.post(server.url, content=b"charge", headers={"Idempotency-Key": "1"})
    assert [asked.body for asked in server.asked] == [b"charge"] * 4


async def test_a_body_that_can_be_read_once_is_sent_once(
    world: World, client: Any, policies: Any, server: ScriptedServer
) -> None:
    async def once() -> AsyncIterator[bytes]:
        yield b"once"

    policies(RETRY)
    server.answers(Reply(503))
    content = iter([b"once"]) if world.threads else once()
    await client.put(server.url, content=content, headers={"Content-Length": "4"})
    assert [asked.body for asked in server.asked] == [b"once"]


async def test_an_open_circuit_is_the_librarys_connect_error_too(
    library: Any, client: Any, policies: Any, server: ScriptedServer
) -> None:
    policies("circuit_breaker: {failure_threshold: 1}")
    server.answers(Reply(503))
    await client.get(server.url)
    with pytest.raises(library.ConnectError) as raised:
        await client.get(server.url)
    assert isinstance(raised.value, CircuitOpenError)
    assert raised.value.request.url == server.url


async def test_a_peer_that_tells_its_problem_is_a_root(
    client: Any, policies: Any, server: ScriptedServer
) -> None:
    policies("timeout: 5s")
    server.answers(Reply(500, {"Content-Type": "application/problem+json"}, b'{"code": "LEDGER_CLOSED"}'))
    chain = error_chain(await client.get(server.url))
    assert chain is not None
    assert [(hop.service, hop.code) for hop in chain.hops] == [("ledger", "LEDGER_CLOSED")]
    assert not chain.retryable
    async with client.stream("GET", server.url) as response:
        assert error_chain(response) is None


async def test_who_cancels_gets_his_cancellation(library: Any, policies: Any, server: ScriptedServer) -> None:
    policies("timeout: 5s, circuit_breaker: {failure_threshold: 1}")
    arrived = threading.Event()

    def hang(handler: BaseHTTPRequestHandler) -> None:
        arrived.set()
        server.stopping.wait(5)

    server.answers(hang, Reply())
    async with library.AsyncClient() as client:
        with Recorder() as recorder:
            task = asyncio.create_task(client.get(server.url))
            assert await asyncio.to_thread(arrived.wait, 5)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        assert [event.outcome for event in recorder.of(ExecutionFinished)] == [Outcome.CANCELLED]
        assert (await client.get(server.url)).status_code == 200


async def test_a_port_that_refuses(library: Any, client: Any) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    current = Request()
    token = request.enter(current)
    with pytest.raises(library.ConnectError):
        await client.get(f"http://127.0.0.1:{port}/")
    with pytest.raises(library.UnsupportedProtocol):
        await client.get("ftp://127.0.0.1/")
    request.leave(token)
    assert current.failures
    assert (current.failures[-1].code, current.failures[-1].kind) == ("CONNECT_FAILED", "remote")
