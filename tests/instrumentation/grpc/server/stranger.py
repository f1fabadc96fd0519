"""A caller that knows nothing of us, and ways for a handler to fail."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import grpc
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind

from otel_resilience.errors.chain import ErrorChain
from otel_resilience.errors.codecs import error_chain as codec
from tests.instrumentation.grpc.rpc_server import Client, RpcServer

#: Makes the channels of callers that know nothing of us.
STRANGER = grpc.insecure_channel


READS = (("resilience", "chain"),)


def ask(server: RpcServer, kind: str = "get", metadata: Any = READS, timeout: float | None = None) -> Any:
    """The error, or the response, of one RPC."""
    with Client(server.target, STRANGER) as client:
        try:
            if kind in ("get", "list"):
                answer = getattr(client, kind)(b"x", metadata=metadata, timeout=timeout)
            else:
                answer = getattr(client, kind)(iter([b"x"]), metadata=metadata, timeout=timeout)
            return answer if isinstance(answer, bytes) else list(answer)
        except grpc.RpcError as error:
            return error


def chain_of(error: Any) -> ErrorChain | None:
    sent = [pair[1] for pair in error.trailing_metadata() if pair[0] == "error-chain"]
    assert len(sent) <= 1
    return codec.decode(sent[0]) if sent else None


def server_span(spans: InMemorySpanExporter) -> ReadableSpan:
    (span,) = [each for each in spans.get_finished_spans() if each.kind is SpanKind.SERVER]
    return span


def attribute(span: ReadableSpan, name: str) -> Any:
    return (span.attributes or {}).get(name)


class Rich(grpc.Status):
    def __init__(self, code: grpc.StatusCode, trailing: tuple[tuple[str, Any], ...] = ()) -> None:
        self.code = code
        self.details = "rich"
        self.trailing_metadata = trailing


def abort(code: grpc.StatusCode) -> Callable[[Any, grpc.ServicerContext], Any]:
    return lambda message, context: context.abort(code, "as told")


def abort_rich(code: grpc.StatusCode) -> Callable[[Any, grpc.ServicerContext], Any]:
    return lambda message, context: context.abort_with_status(Rich(code, (("own", "kept"),)))


def set_code(code: grpc.StatusCode) -> Callable[[Any, grpc.ServicerContext], Any]:
    def handler(message: Any, context: grpc.ServicerContext) -> list[bytes] | bytes:
        context.set_code(code)
        return b""

    return handler
