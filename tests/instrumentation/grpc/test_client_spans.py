"""One INTERNAL span around one CLIENT span an attempt, whatever was loaded first and whoever else is there."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
import pytest
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.instrumentation.grpc import GrpcInstrumentorClient
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from otel_resilience.events import ExecutionFinished
from otel_resilience.testing import Recorder
from otel_resilience_instrumentation._grpc_channel import GuardedChannel
from otel_resilience_instrumentation._settings import Runtime
from otel_resilience_instrumentation.grpc import GrpcInstrumentor
from tests.instrumentation.grpc.policies import THREE_ATTEMPTS, failing
from tests.instrumentation.grpc.rpc_server import Client, RpcServer, aborting
from tests.instrumentation.grpc.span_trees import (
    GET,
    ROOT,
    assert_it_tells_of_the_root,
    assert_not_found_by_the_conventions,
    assert_official_for_the_one_before_the_last,
    assert_one_attempt,
    assert_two_attempts_failed_and_the_third_did_not,
)

Settings = Callable[..., Runtime]

ORIGINAL = grpc.insecure_channel, grpc.secure_channel, grpc.server


def apply(*names: str) -> None:
    """``+ours`` instruments, ``-ours`` uninstruments, likewise ``official``."""
    for name in names:
        instrumentor = {"ours": GrpcInstrumentor, "official": GrpcInstrumentorClient}[name[1:]]()
        if name[0] == "+":
            instrumentor.instrument()
        else:
            instrumentor.uninstrument()


@pytest.fixture(autouse=True)
def restored() -> Iterator[None]:
    assert (grpc.insecure_channel, grpc.secure_channel, grpc.server) == ORIGINAL
    yield
    for kind in (GrpcInstrumentor, GrpcInstrumentorClient):
        if kind().is_instrumented_by_opentelemetry:
            kind().uninstrument()
    assert (grpc.insecure_channel, grpc.secure_channel, grpc.server) == ORIGINAL


@pytest.fixture
def server() -> Iterator[RpcServer]:
    with RpcServer() as running:
        yield running


@pytest.fixture
def guarded(settings: Settings) -> None:
    settings(THREE_ATTEMPTS)


LOADED = {
    "ours alone": ("+ours",),
    "ours first": ("+ours", "+official"),
    "the official one first": ("+official", "+ours"),
    "the official one gone": ("+ours", "+official", "-official"),
    "ours gone and back": ("+ours", "+official", "-ours", "+ours"),
    "both gone and back": ("+official", "+ours", "-official", "-ours", "+ours", "+official"),
}


@pytest.mark.parametrize("order", LOADED)
def test_the_same_tree_in_every_order(
    order: str, guarded: None, server: RpcServer, spans: InMemorySpanExporter
) -> None:
    apply(*LOADED[order])
    server.handler = failing(2)
    with Client(server.target) as client:
        assert client.get(b"x") == b"ok"
    assert_two_attempts_failed_and_the_third_did_not(spans.get_finished_spans(), server)


@pytest.mark.parametrize("order", LOADED)
@pytest.mark.parametrize("kind", ["future", "list", "sum", "chat"])
def test_the_same_tree_for_calls_that_end_elsewhere(
    order: str, kind: str, guarded: None, server: RpcServer, spans: InMemorySpanExporter
) -> None:
    apply(*LOADED[order])
    server.handler = lambda message, context: [b"1"] if kind in ("list", "chat") else b"1"
    with Client(server.target) as client:
        if kind == "future":
            client.get.future(b"x").result()
        elif kind == "sum":
            client.sum(iter([b"a"]))
        else:
            assert len(list(getattr(client, kind)(b"x" if kind == "list" else iter([b"a"])))) == 1
    assert_one_attempt(spans.get_finished_spans(), server)


@pytest.mark.parametrize(
    "order", [("+official",), ("+official", "+ours", "-ours"), ("+ours", "+official", "-ours")]
)
def test_without_ours_the_official_one_is_as_it_was(
    order: tuple[str, ...], guarded: None, server: RpcServer, spans: InMemorySpanExporter
) -> None:
    apply(*order)
    with Client(server.target) as client:
        client.get(b"x")
    assert [span.name for span in spans.get_finished_spans()] == [f"/{GET}"]
    assert server.asked[0].get("resilience") is None


def test_a_channel_keeps_the_client_spans_that_it_was_made_with(
    guarded: None, server: RpcServer, spans: InMemorySpanExporter
) -> None:
    apply("+ours")
    with Client(server.target) as early:
        apply("+official")
        with Client(server.target) as late:
            apply("-official")
            early.get(b"x")
            late.get(b"x")
    assert_official_for_the_one_before_the_last(spans.get_finished_spans())


def test_repeated_metadata_survives_the_official_one(guarded: None, server: RpcServer) -> None:
    apply("+official", "+ours")
    with Client(server.target) as client:
        client.get(b"x", metadata=(("tag", "a"), ("tag", "b")))
    assert server.asked[0].all("tag") == ["a", "b"]


def test_our_client_span_by_the_conventions(
    settings: Settings, server: RpcServer, spans: InMemorySpanExporter
) -> None:
    settings()
    apply("+ours")
    server.handler = aborting(grpc.StatusCode.NOT_FOUND)
    with Client(server.target) as client, pytest.raises(grpc.RpcError):
        client.get(b"x")
    (span,) = spans.get_finished_spans()
    assert_not_found_by_the_conventions(span, GET, server)


def test_the_chain_stands_on_the_span_of_the_call(
    guarded: None, server: RpcServer, spans: InMemorySpanExporter
) -> None:
    apply("+ours")
    server.handler = aborting(grpc.StatusCode.UNAVAILABLE, error_chain=ROOT)
    with Client(server.target) as client, pytest.raises(grpc.RpcError):
        client.get(b"x")
    assert_it_tells_of_the_root(spans.get_finished_spans()[-1])


class Collector(grpc.GenericRpcHandler):
    """Takes whatever it is sent."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, dict[str, Any]]] = []

    def service(self, handler_call_details: Any) -> Any:
        metadata = {pair[0]: pair[1] for pair in handler_call_details.invocation_metadata}
        self.asked.append((handler_call_details.method, metadata))
        return grpc.unary_unary_rpc_method_handler(lambda message, context: b"")


def test_the_exporters_own_calls_are_never_guarded(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    from opentelemetry.exporter.otlp.proto.grpc import exporter as otlp

    settings('services: {"*": {timeout: 10s}}')
    collector = Collector()
    running = grpc.server(ThreadPoolExecutor(max_workers=2))
    running.add_generic_rpc_handlers((collector,))
    port = running.add_insecure_port("127.0.0.1:0")
    running.start()
    apply("+ours", "+official")
    monkeypatch.setattr(otlp, "insecure_channel", grpc.insecure_channel)  # as where it is imported after us
    provider = TracerProvider(resource=Resource({}))
    exporter = OTLPSpanExporter(endpoint=f"127.0.0.1:{port}", insecure=True, timeout=5)
    provider.add_span_processor(BatchSpanProcessor(exporter))
    assert isinstance(exporter._channel, GuardedChannel)
    with Recorder() as recorder:
        provider.get_tracer("test").start_span("one").end()
        provider.shutdown()
    running.stop(grace=None).wait()
    ((method, metadata),) = collector.asked
    assert method.endswith("TraceService/Export")
    assert {"resilience", "traceparent"} & set(metadata) == set()
    assert recorder.of(ExecutionFinished) == []
