"""One INTERNAL span around one CLIENT span an attempt, whatever was loaded first and whoever else is there."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import grpc
import grpc.aio
import pytest
from grpc.aio._channel import Channel
from opentelemetry.instrumentation.grpc import GrpcAioInstrumentorClient, GrpcAioInstrumentorServer
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from otel_resilience_instrumentation.grpc_aio import GrpcAioInstrumentor
from tests.instrumentation.grpc.policies import THREE_ATTEMPTS, failing, waiting
from tests.instrumentation.grpc.rpc_server import RpcServer, aborting
from tests.instrumentation.grpc.span_trees import (
    ROOT,
    assert_it_tells_of_the_root,
    assert_not_found_by_the_conventions,
    assert_official_for_the_one_before_the_last,
    assert_one_attempt,
    assert_two_attempts_failed_and_the_third_did_not,
    of,
)
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
    settings(THREE_ATTEMPTS)


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
    assert_two_attempts_failed_and_the_third_did_not(spans.get_finished_spans(), server)


@pytest.mark.parametrize("order", LOADED)
@pytest.mark.parametrize("read", PARKED)
async def test_the_same_tree_for_calls_that_are_guarded_from_begin_to_end(
    order: str, read: Read, guarded: None, server: RpcServer, spans: InMemorySpanExporter
) -> None:
    apply(*LOADED[order])
    server.handler = lambda message, context: [b"1"] if read in STREAMS else b"1"
    async with AioClient(server.target) as client:
        assert await read(client) == b"1"
    assert_one_attempt(spans.get_finished_spans(), server)


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
    said = of(attempt, "rpc.response.status_code" if order == "ours alone" else "rpc.grpc.status_code")
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
    assert_official_for_the_one_before_the_last(spans.get_finished_spans())


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
    assert_not_found_by_the_conventions(span, name, server)


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
    assert of(span, "rpc.response.status_code") == of(span, "error.type") == "CANCELLED"


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
    assert of(span, "rpc.response.status_code") is None
    assert of(span, "error.type") == "grpc._cython.cygrpc.ExecuteBatchError"


async def test_the_chain_stands_on_the_span_of_the_call(
    guarded: None, server: RpcServer, spans: InMemorySpanExporter
) -> None:
    apply("+ours")
    server.handler = aborting(grpc.StatusCode.UNAVAILABLE, error_chain=ROOT)
    async with AioClient(server.target) as client:
        with pytest.raises(grpc.aio.AioRpcError):
            await client.get(b"x")
    assert_it_tells_of_the_root(spans.get_finished_spans()[-1])
