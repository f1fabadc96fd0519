"""What a gRPC server takes from its callers, and what handlers and interceptors keep."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
import pytest
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from otel_resilience import CorrelationManager, Deadline
from otel_resilience.context import correlation, request, service
from otel_resilience_instrumentation._settings import Runtime
from tests.instrumentation.grpc.rpc_server import SERVICE, Client, RpcServer
from tests.instrumentation.grpc.server.stranger import (
    READS,
    STRANGER,
    abort,
    ask,
    attribute,
    chain_of,
    server_span,
)

Settings = Callable[..., Runtime]


Start = Callable[..., RpcServer]


@pytest.mark.parametrize(
    "metadata", [(), (("resilience", "attempt=1"),), (*READS, ("x-forwarded-for", "8.8.8.8"))]
)
def test_a_caller_that_may_not_read_chains_gets_none(
    start: Start, spans: InMemorySpanExporter, metadata: Any
) -> None:
    error = ask(start(abort(grpc.StatusCode.UNAVAILABLE)), metadata=metadata)
    assert chain_of(error) is None
    assert attribute(server_span(spans), "resilience.error.root.code") == "UNAVAILABLE"


def test_what_a_caller_says_is_known_to_the_handler(start: Start, spans: InMemorySpanExporter) -> None:
    seen: dict[str, Any] = {}

    def handler(message: Any, context: grpc.ServicerContext) -> bytes:
        current = request.current()
        left = Deadline.current()
        assert current is not None
        seen.update(attempt=current.attempt, correlation=correlation.current(), span=current.span)
        seen["left"] = None if left is None else left.remaining()
        return b"ok"

    server = start(handler)
    assert (
        ask(server, metadata=(("resilience", "attempt=2"), ("x-correlation-id", "order-17")), timeout=20)
        == b"ok"
    )
    span = server_span(spans)
    assert (seen["attempt"], seen["correlation"]) == (2, "order-17")
    assert 15 < seen["left"] < 21
    assert seen["span"] == (f"{span.context.trace_id:032x}", f"{span.context.span_id:016x}")
    assert attribute(span, "resilience.correlation.id") == "order-17"
    ask(server)
    assert seen["left"] is None
    assert len(seen["correlation"]) == 32


def test_a_context_is_all_that_it_was(start: Start) -> None:
    seen: dict[str, Any] = {}

    def handler(message: Any, context: grpc.ServicerContext) -> bytes:
        ended: list[int] = []
        seen.update(
            active=context.is_active(),
            peer=context.peer(),
            identities=context.peer_identities(),
            key=context.peer_identity_key(),
            auth=dict(context.auth_context()),
            callback=context.add_callback(lambda: ended.append(1)),
        )
        context.set_compression(grpc.Compression.Gzip)
        context.send_initial_metadata((("early", "yes"),))
        context.set_details("fine")
        seen.update(code=context.code(), details=context.details(), trailing=context.trailing_metadata())
        return b"ok"

    assert ask(start(handler)) == b"ok"
    assert seen["active"]
    assert seen["callback"]
    assert seen["peer"].startswith("ipv4:127.0.0.1:")
    assert (seen["identities"], seen["key"]) == (None, None)
    assert (seen["code"], seen["details"], seen["trailing"]) == (None, b"fine", None)


def test_a_stream_that_its_caller_leaves_is_no_failure(start: Start, spans: InMemorySpanExporter) -> None:
    left: list[str] = []

    def handler(message: Any, context: grpc.ServicerContext) -> Iterator[bytes]:
        try:
            while True:
                yield b"more"
        finally:
            left.append(str(correlation.current()))

    server = start(handler)
    with Client(server.target, STRANGER) as client:
        stream = client.list(b"x", metadata=(*READS, ("x-correlation-id", "order-17")))
        assert next(stream) == b"more"
        stream.cancel()
    server.stop()
    assert left == ["order-17"]
    assert attribute(server_span(spans), "resilience.error.code") is None


def test_interceptors_given_by_position_are_kept(start: Start, settings: Settings) -> None:
    seen: list[str] = []

    class Noting(grpc.ServerInterceptor):
        def intercept_service(self, continuation: Any, handler_call_details: Any) -> Any:
            seen.append(handler_call_details.method)
            return continuation(handler_call_details)

    server = grpc.server(ThreadPoolExecutor(max_workers=1), None, [Noting()])
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    with Client(f"127.0.0.1:{port}", STRANGER) as client, pytest.raises(grpc.RpcError):
        client.get(b"x")
    server.stop(grace=None).wait()
    assert seen == [f"/{SERVICE}/Get"]


@pytest.mark.parametrize("kind", ["get", "list"])
def test_work_whose_deadline_has_passed_is_refused(start: Start, kind: str) -> None:
    called: list[Any] = []
    server = start(lambda message, context: called.append(message))
    error = ask(server, kind, metadata=(("resilience", "deadline=0, chain"),))
    assert (error.code(), called) == (grpc.StatusCode.DEADLINE_EXCEEDED, [])
    chain = chain_of(error)
    assert chain is not None
    assert (chain.root_cause_code, str(chain.root.kind)) == ("DEADLINE_EXCEEDED", "rejected")


def test_the_way_of_a_request_begins_with_what_it_asks_for(start: Start) -> None:
    seen: list[Any] = []

    def handler(message: Any, context: grpc.ServicerContext) -> bytes:
        seen.append(CorrelationManager().request_path())
        return b"ok"

    ask(start(handler))
    assert seen == [((service.current().name, f"{SERVICE}/Get"),)]
