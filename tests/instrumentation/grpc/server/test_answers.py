"""What the failing answer of a gRPC server tells its caller, and the SERVER span."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import grpc
import pytest
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode

from otel_resilience import DomainError, clock
from otel_resilience.context import service
from otel_resilience.errors.chain import ErrorChain
from otel_resilience.errors.dialects.grpc import DIALECT
from otel_resilience.errors.failed_call import FailedCall, remember
from otel_resilience.errors.hop import Hop, HopKind
from otel_resilience.outcome import Failure
from otel_resilience_instrumentation._settings import Runtime
from otel_resilience_instrumentation.grpc import GrpcInstrumentor
from tests.instrumentation.grpc.rpc_server import SERVICE, Client, RpcServer
from tests.instrumentation.grpc.server.stranger import (
    READS,
    STRANGER,
    Rich,
    abort,
    abort_rich,
    ask,
    attribute,
    chain_of,
    server_span,
    set_code,
)

Settings = Callable[..., Runtime]


Start = Callable[..., RpcServer]


LEDGER = Hop(service="ledger", code="DB_UNAVAILABLE", retryable=True, trace_id="a" * 32, span_id="b" * 16)


@pytest.mark.parametrize("fail", [abort, abort_rich, set_code])
@pytest.mark.parametrize("kind", ["get", "sum", "list", "chat"])
def test_a_failing_status_begins_a_chain(
    start: Start, spans: InMemorySpanExporter, fail: Any, kind: str
) -> None:
    server = start(fail(grpc.StatusCode.UNAVAILABLE))
    error = ask(server, kind)
    assert error.code() is grpc.StatusCode.UNAVAILABLE
    chain = chain_of(error)
    assert chain is not None
    (root,) = chain.hops
    span = server_span(spans)
    assert (root.service, root.code) == (service.current().name, "UNAVAILABLE")
    assert root.retryable
    assert (root.trace_id, root.span_id) == (f"{span.context.trace_id:032x}", f"{span.context.span_id:016x}")
    assert root.operation == f"{SERVICE}/{kind.capitalize()}"
    assert span.status.status_code is StatusCode.ERROR
    assert attribute(span, "rpc.grpc.status_code") == grpc.StatusCode.UNAVAILABLE.value[0]
    assert attribute(span, "resilience.error.root.code") == "UNAVAILABLE"
    assert span.links == ()


@pytest.mark.parametrize("kind", ["get", "list"])
def test_an_uncaught_exception_says_its_own_code(
    start: Start, spans: InMemorySpanExporter, kind: str
) -> None:
    def handler(message: Any, context: grpc.ServicerContext) -> Any:
        raise DomainError("OUT_OF_STOCK", retryable=True)

    error = ask(start(handler), kind)
    assert error.code() is grpc.StatusCode.UNKNOWN
    chain = chain_of(error)
    assert chain is not None
    assert (chain.root_cause_code, chain.retryable) == ("OUT_OF_STOCK", True)
    span = server_span(spans)
    assert span.status.status_code is StatusCode.ERROR
    assert attribute(span, "rpc.grpc.status_code") == grpc.StatusCode.UNKNOWN.value[0]
    assert attribute(span, "resilience.error.code") == "OUT_OF_STOCK"


def test_a_status_that_is_no_failure_tells_nothing(start: Start, spans: InMemorySpanExporter) -> None:
    error = ask(start(abort_rich(grpc.StatusCode.NOT_FOUND)))
    assert chain_of(error) is None
    span = server_span(spans)
    assert span.status.status_code is StatusCode.UNSET
    assert attribute(span, "rpc.grpc.status_code") == grpc.StatusCode.NOT_FOUND.value[0]
    assert attribute(span, "resilience.error.code") is None


def test_a_status_set_before_an_exception_stands(start: Start) -> None:
    def handler(message: Any, context: grpc.ServicerContext) -> Any:
        context.set_code(grpc.StatusCode.NOT_FOUND)
        raise LookupError("none")

    error = ask(start(handler))
    assert error.code() is grpc.StatusCode.NOT_FOUND
    assert chain_of(error) is None


def test_an_abort_that_the_handler_swallowed_still_counts(start: Start) -> None:
    def handler(message: Any, context: grpc.ServicerContext) -> bytes:
        try:
            context.abort(grpc.StatusCode.DATA_LOSS, "lost")
        except Exception:
            return b"all is well"

    error = ask(start(handler))
    assert error.code() is grpc.StatusCode.DATA_LOSS
    chain = chain_of(error)
    assert chain is not None
    assert chain.root_cause_code == "DATA_LOSS"


def test_a_received_chain_is_passed_on_one_hop_longer(start: Start, spans: InMemorySpanExporter) -> None:
    def handler(message: Any, context: grpc.ServicerContext) -> Any:
        remember(
            FailedCall(code="HTTP_500", kind=HopKind.REMOTE, received=ErrorChain.of(LEDGER), exhausted=True)
        )
        context.abort(grpc.StatusCode.UNAVAILABLE, "the ledger is away")

    error = ask(start(handler))
    chain = chain_of(error)
    assert chain is not None
    assert [(hop.service, hop.code) for hop in chain.hops] == [
        ("ledger", "DB_UNAVAILABLE"),
        (service.current().name, "UNAVAILABLE"),
    ]
    assert chain.hops[-1].exhausted
    span = server_span(spans)
    assert attribute(span, "resilience.error.chain.services") == ("ledger", service.current().name)
    assert [f"{link.context.span_id:016x}" for link in span.links] == ["b" * 16]


def test_the_applications_own_trailing_metadata_is_kept_and_a_chain_handed_on_is_not(start: Start) -> None:
    def handler(message: Any, context: grpc.ServicerContext) -> Any:
        context.set_trailing_metadata((("own", "kept"), ("error-chain", '"spoof";c=X'), ("own", "twice")))
        context.abort(grpc.StatusCode.INTERNAL, "as told")

    server = start(handler)
    pairs = [tuple(pair) for pair in ask(server).trailing_metadata()]
    assert [value for key, value in pairs if key == "own"] == ["kept", "twice"]
    assert "spoof" not in str(pairs)
    assert "error-chain" in dict(pairs)
    pairs = [tuple(pair) for pair in ask(server, metadata=()).trailing_metadata()]
    assert "error-chain" not in dict(pairs)


def test_an_answer_that_does_not_fail_hands_no_chain_on(start: Start) -> None:
    def handler(message: Any, context: grpc.ServicerContext) -> Any:
        context.set_trailing_metadata((("own", "kept"), ("error-chain", '"ledger";c=DB_UNAVAILABLE')))
        return b"from the cache"

    with Client(start(handler).target, STRANGER) as client:
        answer, call = client.get.with_call(b"x")
    assert answer == b"from the cache"
    assert [tuple(pair) for pair in call.trailing_metadata()] == [("own", "kept")]


def test_the_reason_of_the_applications_error_info_is_its_code(start: Start) -> None:
    info = b"\x0a\x0cOUT_OF_STOCK\x12\x08shop.com"
    kind = b"type.googleapis.com/google.rpc.ErrorInfo"
    detail = b"\x0a" + bytes([len(kind)]) + kind + b"\x12" + bytes([len(info)]) + info
    status = b"\x08\x0d\x12\x03bad\x1a" + bytes([len(detail)]) + detail
    rich = Rich(grpc.StatusCode.INTERNAL, (("grpc-status-details-bin", status),))
    error = ask(start(lambda message, context: context.abort_with_status(rich)))
    chain = chain_of(error)
    assert chain is not None
    assert chain.root_cause_code == "OUT_OF_STOCK"


def test_without_the_official_one_a_failure_still_tells_its_chain(settings: Settings) -> None:
    settings()
    GrpcInstrumentor().instrument()
    try:
        with RpcServer(abort(grpc.StatusCode.UNAVAILABLE)) as server:
            call = STRANGER(server.target).unary_unary(f"/{SERVICE}/Get")
            with pytest.raises(grpc.RpcError) as caught:
                call(b"x", metadata=READS)
    finally:
        GrpcInstrumentor().uninstrument()
    chain = chain_of(caught.value)
    assert chain is not None
    assert (chain.root_cause_code, chain.trace_id) == ("UNAVAILABLE", None)


@pytest.mark.parametrize(
    "own", [(), (("grpc-retry-pushback-ms", "5000"),)], ids=["ours", "the application's own"]
)
def test_when_to_come_again_comes_back_through_this_service(start: Start, own: Any) -> None:
    def handler(message: Any, context: grpc.ServicerContext) -> Any:
        now = clock.current().monotonic()
        remember(
            FailedCall(
                code="HTTP_503", received=ErrorChain.of(LEDGER), retry_after=30.0, began=now, ended=now
            )
        )
        context.set_trailing_metadata(own)
        context.abort(grpc.StatusCode.UNAVAILABLE, "later")

    error = ask(start(handler))
    (said,) = [int(value) for key, value in error.trailing_metadata() if key == "grpc-retry-pushback-ms"]
    assert said == 5000 if own else 29_000 < said <= 30_000
    reading = DIALECT.read(Failure(error))
    assert reading.retry_after == said / 1000
