"""What the spans of guarded RPCs must be, in threads and in asyncio alike."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import SpanKind, StatusCode

from otel_resilience.context import service
from tests.instrumentation.grpc.rpc_server import SERVICE, RpcServer

GET = f"{SERVICE}/Get"
#: A chain of one hop, and the span of its root.
ROOT_SPAN_ID = "b7ad6b7169203331"
ROOT = f'"ledger";c=DB_UNAVAILABLE;t="0af7651916cd43dd8448eb211c80319c";s="{ROOT_SPAN_ID}"'


def of(span: ReadableSpan, name: str) -> Any:
    return (span.attributes or {}).get(name)


def assert_two_attempts_failed_and_the_third_did_not(
    spans: Sequence[ReadableSpan], server: RpcServer
) -> None:
    *attempts, call = spans
    assert (call.name, call.kind, call.parent) == ("execute ledger", SpanKind.INTERNAL, None)
    assert [(span.name.removeprefix("/"), span.kind) for span in attempts] == [(GET, SpanKind.CLIENT)] * 3
    assert {span.parent.span_id for span in attempts if span.parent} == {call.context.span_id}
    assert [of(span, "resilience.attempt.number") for span in attempts] == [1, 2, 3]
    assert [of(span, "http.request.resend_count") for span in attempts] == [None, None, None]
    assert [span.status.status_code for span in attempts] == [
        StatusCode.ERROR,
        StatusCode.ERROR,
        StatusCode.UNSET,
    ]
    on_the_wire = [asked.get("traceparent").split("-")[2] for asked in server.asked]
    assert on_the_wire == [f"{span.context.span_id:016x}" for span in attempts]


def assert_one_attempt(spans: Sequence[ReadableSpan], server: RpcServer) -> None:
    attempt, call = sorted(spans, key=lambda span: span.kind is SpanKind.INTERNAL)
    assert (call.name, attempt.kind) == ("execute ledger", SpanKind.CLIENT)
    assert attempt.parent is not None
    assert attempt.parent.span_id == call.context.span_id
    assert of(attempt, "resilience.attempt.number") == 1
    assert server.asked[0].get("traceparent").split("-")[2] == f"{attempt.context.span_id:016x}"


def assert_official_for_the_one_before_the_last(spans: Sequence[ReadableSpan]) -> None:
    scopes = [span.instrumentation_scope.name for span in spans if span.instrumentation_scope]
    assert scopes == [
        "otel_resilience",
        "otel_resilience",
        "opentelemetry.instrumentation.grpc",
        "otel_resilience",
    ]


def assert_not_found_by_the_conventions(span: ReadableSpan, method: str, server: RpcServer) -> None:
    assert span.name == method
    assert dict(span.attributes or {}) == {
        "rpc.system.name": "grpc",
        "rpc.method": method,
        "server.address": "127.0.0.1",
        "server.port": server.port,
        "rpc.response.status_code": "NOT_FOUND",
        "error.type": "NOT_FOUND",
    }
    assert span.status.status_code is StatusCode.ERROR
    assert span.events == ()


def assert_it_tells_of_the_root(call: ReadableSpan) -> None:
    assert of(call, "resilience.error.chain.services") == ("ledger", service.current().name)
    assert of(call, "resilience.error.chain.codes") == ("DB_UNAVAILABLE", "UNAVAILABLE")
    assert of(call, "error.type") == "UNAVAILABLE"
    assert of(call, "service.peer.name") == "ledger"
    assert call.status.status_code is StatusCode.ERROR
    assert [f"{link.context.span_id:016x}" for link in call.links] == [ROOT_SPAN_ID]
