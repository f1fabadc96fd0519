"""One INTERNAL span around one CLIENT span an attempt, whatever was loaded first and whoever else is there."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import grpc
import grpc.aio
import pytest
from grpc.aio._channel import Channel
from opentelemetry.instrumentation.grpc import GrpcAioInstrumentorClient, GrpcAioInstrumentorServer
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from otel_resilience.context import service
from otel_resilience_instrumentation.grpc_aio import GrpcAioInstrumentor
from tests.instrumentation.grpc.policies import failing, waiting
from tests.instrumentation.grpc.rpc_server import RpcServer, aborting
from tests.instrumentation.grpc_aio.client.calling import GET, PARKED, STREAMS, AioClient, Read
from tests.instrumentation.grpc_aio.client.conftest import PATCHED, Settings

INSTRUMENTORS = {
    "ours": GrpcAioInstrumentor,
    "official": GrpcAioInstrumentorClient,
    "server": GrpcAioInstrumentorServer,
}


def patched() -> dict[str, Any]:
    made = {name: vars(grpc.aio)[name] for name in ("insecure_channel", "secure_channel", "server")}
    return made | {name: vars(Channel)[name] for name in PATCHED}


ORIGINAL = patched()


def apply(*names: str) -> None:
    """``+ours`` instruments, ``-ours`` uninstruments, likewise the others."""
    for name in names:
        instrumentor = INSTRUMENTORS[name[1:]]()
        if name[0] == "+":
            instrumentor.instrument()
        else:
            instrumentor.uninstrument()


@pytest.fixture(autouse=True)
def restored() -> Iterator[None]:
    assert patched() == ORIGINAL
    yield
    for kind in INSTRUMENTORS.values():
        if kind().is_instrumented_by_opentelemetry:
            kind().uninstrument()
    assert patched() == ORIGINAL


@pytest.fixture
def guarded(settings: Settings) -> None:
    settings(
        "services: {ledger: {match: ['grpc:shop.v1.Ledger'], operations: {Get: {idempotent: true}}, "
        "retry: {max_attempts: 3, backoff: {initial: 1ms, jitter: none}, budget: {min_per_second: 1000}}}}"
    )


LOADED = {
    "ours alone": ("+ours",),
    "ours first": ("+ours", "+official", "+server"),
    "the official one first": ("+server", "+official", "+ours"),
    "the official one gone": ("+ours", "+official", "+server", "-official", "-server"),
    "ours gone and back": ("+ours", "+official", "-ours", "+ours"),
    "both gone and back": ("+official", "+ours", "-official", "-ours", "+ours", "+official"),
}


@pytest.mark.parametrize("order", LOADED)
async def test_the_same_tree_in_every_order(
    order: str, guarded: None, server: RpcServer, spans: InMemorySpanExporter
) -> None:
    apply(*LOADED[order])
    server.handler = failing(2)
    async with AioClient(server.target) as client:
        assert await client.get(b"x") == b"ok"
    *attempts, call = spans.get_finished_spans()
    assert (call.name, call.kind, call.parent) == ("execute ledger", SpanKind.INTERNAL, None)
    assert [(span.name.removeprefix("/"), span.kind) for span in attempts] == [(GET, SpanKind.CLIENT)] * 3
    assert {span.parent.span_id for span in attempts if span.parent} == {call.context.span_id}
    assert [_of(span, "resilience.attempt.number") for span in attempts] == [1, 2, 3]
    assert [_of(span, "http.request.resend_count") for span in attempts] == [None, None, None]
    assert [span.status.status_code for span in attempts] == [
        StatusCode.ERROR,
        StatusCode.ERROR,
        StatusCode.UNSET,
    ]
    on_the_wire = [asked.get("traceparent").split("-")[2] for asked in server.asked]
    assert on_the_wire == [f"{span.context.span_id:016x}" for span in attempts]


@pytest.mark.parametrize("order", LOADED)
@pytest.mark.parametrize("read", PARKED)
async def test_the_same_tree_for_calls_that_are_guarded_from_begin_to_end(
    order: str, read: Read, guarded: None, server: RpcServer, spans: InMemorySpanExporter
) -> None:
    apply(*LOADED[order])
    server.handler = lambda message, context: [b"1"] if read in STREAMS else b"1"
    async with AioClient(server.target) as client:
        assert await read(client) == b"1"
    attempt, call = sorted(spans.get_finished_spans(), key=lambda span: span.kind is SpanKind.INTERNAL)
    assert (call.name, attempt.kind) == ("execute ledger", SpanKind.CLIENT)
    assert attempt.parent is not None
    assert attempt.parent.span_id == call.context.span_id
    assert _of(attempt, "resilience.attempt.number") == 1
    assert server.asked[0].get("traceparent").split("-")[2] == f"{attempt.context.span_id:016x}"


@pytest.mark.parametrize("order", ["ours alone", "ours first"])
async def test_an_attempt_that_our_timeout_ends_has_its_span(
    order: str, settings: Settings, server: RpcServer, spans: InMemorySpanExporter
) -> None:
    settings(f'services: {{ledger: {{match: ["{server.target}"], timeout: 100ms}}}}')
    apply(*LOADED[order])
    server.handler = waiting(server)
    async with AioClient(server.target) as client:
        with pytest.raises(grpc.aio.AioRpcError):
            await client.get(b"x")
    attempt, call = spans.get_finished_spans()
    assert (call.name, attempt.kind) == ("execute ledger", SpanKind.CLIENT)
    assert attempt.status.status_code is StatusCode.ERROR
    said = _of(attempt, "rpc.response.status_code" if order == "ours alone" else "rpc.grpc.status_code")
    assert said in ("DEADLINE_EXCEEDED", grpc.StatusCode.DEADLINE_EXCEEDED.value[0])


@pytest.mark.parametrize(
    "order", [("+official",), ("+official", "+ours", "-ours"), ("+ours", "+official", "-ours")]
)
async def test_without_ours_the_official_one_is_as_it_was(
    order: tuple[str, ...], guarded: None, server: RpcServer, spans: InMemorySpanExporter
) -> None:
    apply(*order)
    async with AioClient(server.target) as client:
        await client.get(b"x")
    assert [span.name for span in spans.get_finished_spans()] == [f"/{GET}"]
    assert server.asked[0].get("resilience") is None


async def test_a_channel_keeps_the_client_spans_that_it_was_made_with(
    guarded: None, server: RpcServer, spans: InMemorySpanExporter
) -> None:
    apply("+ours")
    async with AioClient(server.target) as early:
        apply("+official")
        async with AioClient(server.target) as late:
            apply("-official")
            await early.get(b"x")
            await late.get(b"x")
    scopes = [
        span.instrumentation_scope.name for span in spans.get_finished_spans() if span.instrumentation_scope
    ]
    assert scopes == [
        "otel_resilience",
        "otel_resilience",
        "opentelemetry.instrumentation.grpc",
        "otel_resilience",
    ]


@pytest.mark.parametrize("read", ["get", "list"])
async def test_our_client_span_by_the_conventions(
    settings: Settings, server: RpcServer, spans: InMemorySpanExporter, read: str
) -> None:
    settings()
    apply("+ours")
    server.handler = aborting(grpc.StatusCode.NOT_FOUND)
    async with AioClient(server.target) as client:
        with pytest.raises(grpc.aio.AioRpcError):
            await (client.get(b"x") if read == "get" else client.list(b"x").read())
    (span,) = spans.get_finished_spans()
    name = GET if read == "get" else GET.replace("Get", "List")
    assert span.name == name
    assert dict(span.attributes or {}) == {
        "rpc.system.name": "grpc",
        "rpc.method": name,
        "server.address": "127.0.0.1",
        "server.port": server.port,
        "rpc.response.status_code": "NOT_FOUND",
        "error.type": "NOT_FOUND",
    }
    assert span.status.status_code is StatusCode.ERROR
    assert span.events == ()


@pytest.mark.parametrize(
    "guard", [None, "services: {ledger: {match: ['grpc:shop.v1.Ledger'], timeout: 10s}}"]
)
async def test_our_client_span_of_a_call_that_was_cancelled(
    settings: Settings, server: RpcServer, spans: InMemorySpanExporter, guard: str | None
) -> None:
    settings(guard)
    apply("+ours")
    server.handler = waiting(server)
    async with AioClient(server.target) as client:
        call = client.sum()
        call.cancel()
        assert await call.code() is grpc.StatusCode.CANCELLED
    (span,) = [each for each in spans.get_finished_spans() if each.kind is SpanKind.CLIENT]
    assert _of(span, "rpc.response.status_code") == _of(span, "error.type") == "CANCELLED"


@pytest.mark.parametrize(
    "guard", [None, "services: {ledger: {match: ['grpc:shop.v1.Ledger'], timeout: 10s}}"]
)
async def test_our_client_span_of_a_call_that_could_not_be_sent(
    settings: Settings, server: RpcServer, spans: InMemorySpanExporter, guard: str | None
) -> None:
    settings(guard)
    apply("+ours")
    async with AioClient(server.target) as client:
        with pytest.raises(grpc.aio.InternalError):
            await client.get(b"x", metadata=[("No Key", "x")])
    span = spans.get_finished_spans()[0]
    assert span.kind is SpanKind.CLIENT
    assert _of(span, "rpc.response.status_code") is None
    assert _of(span, "error.type") == "grpc._cython.cygrpc.ExecuteBatchError"


async def test_the_chain_stands_on_the_span_of_the_call(
    guarded: None, server: RpcServer, spans: InMemorySpanExporter
) -> None:
    apply("+ours")
    trace_id, span_id = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
    server.handler = aborting(
        grpc.StatusCode.UNAVAILABLE, error_chain=f'"ledger";c=DB_UNAVAILABLE;t="{trace_id}";s="{span_id}"'
    )
    async with AioClient(server.target) as client:
        with pytest.raises(grpc.aio.AioRpcError):
            await client.get(b"x")
    call = spans.get_finished_spans()[-1]
    assert _of(call, "resilience.error.chain.services") == ("ledger", service.current().name)
    assert _of(call, "resilience.error.chain.codes") == ("DB_UNAVAILABLE", "UNAVAILABLE")
    assert _of(call, "error.type") == "UNAVAILABLE"
    assert _of(call, "service.peer.name") == "ledger"
    assert call.status.status_code is StatusCode.ERROR
    assert [f"{link.context.span_id:016x}" for link in call.links] == [span_id]


def _of(span: ReadableSpan, name: str) -> Any:
    return (span.attributes or {}).get(name)
