"""gRPC servers: what is taken from a caller, what a failing answer tells, what the SERVER span says."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
import pytest
from opentelemetry.instrumentation.grpc import GrpcInstrumentorServer
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from otel_resilience import Deadline, DomainError
from otel_resilience.context import correlation, request, service
from otel_resilience.errors.chain import ErrorChain
from otel_resilience.errors.codecs import error_chain as codec
from otel_resilience.errors.failed_call import FailedCall, remember
from otel_resilience.errors.hop import Hop, HopKind
from otel_resilience_instrumentation._settings import Runtime
from otel_resilience_instrumentation.grpc import GrpcInstrumentor
from tests.instrumentation.rpc_server import SERVICE, Client, RpcServer

Settings = Callable[..., Runtime]
Start = Callable[..., RpcServer]

#: Makes the channels of callers that know nothing of us.
STRANGER = grpc.insecure_channel

READS = (("resilience", "chain"),)
LEDGER = Hop(service="ledger", code="DB_UNAVAILABLE", retryable=True, trace_id="a" * 32, span_id="b" * 16)

ORDERS = {"ours first": (0, 1), "the official one first": (1, 0)}


@pytest.fixture(params=ORDERS)
def start(request: pytest.FixtureRequest, settings: Settings) -> Iterator[Start]:
    """Begin a server under both instrumentations, whose client is a stranger's."""
    before = grpc.server
    both = (GrpcInstrumentor(), GrpcInstrumentorServer())
    settings()
    for position in ORDERS[request.param]:
        both[position].instrument()
    running: list[RpcServer] = []

    def begin(handler: Callable[[Any, grpc.ServicerContext], Any]) -> RpcServer:
        running.append(RpcServer(handler).__enter__())
        return running[-1]

    yield begin
    for server in running:
        server.stop()
    for instrumentor in both:
        instrumentor.uninstrument()
    assert grpc.server is before


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
def test_an_uncaught_exception_says_its_own_code(start: Start, spans: InMemorySpanExporter, kind: str) -> None:
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
        remember(FailedCall(code="HTTP_500", kind=HopKind.REMOTE, received=ErrorChain.of(LEDGER), exhausted=True))
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
    assert ask(server, metadata=(("resilience", "attempt=2"), ("x-correlation-id", "order-17")), timeout=20) == b"ok"
    span = server_span(spans)
    assert (seen["attempt"], seen["correlation"]) == (2, "order-17")
    assert 15 < seen["left"] < 21
    assert seen["span"] == (f"{span.context.trace_id:032x}", f"{span.context.span_id:016x}")
    assert attribute(span, "resilience.correlation.id") == "order-17"
    ask(server)
    assert seen["left"] is None
    assert len(seen["correlation"]) == 32


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
