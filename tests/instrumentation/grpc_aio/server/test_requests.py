"""What a ``grpc.aio`` server takes from its callers, and what handlers and interceptors keep."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import grpc
import grpc.aio
import pytest
from opentelemetry.instrumentation.utils import suppress_instrumentation
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from otel_resilience import Deadline
from otel_resilience.context import correlation, request
from otel_resilience_instrumentation import _grpc_served
from otel_resilience_instrumentation.grpc_aio import GrpcAioInstrumentor
from tests.instrumentation.grpc.rpc_server import SERVICE, Client
from tests.instrumentation.grpc.server.stranger import READS, STRANGER, attribute, chain_of, server_span
from tests.instrumentation.grpc_aio.rpc_server import AioRpcServer, ThreadRpcServer
from tests.instrumentation.grpc_aio.server.conftest import Settings, Start
from tests.instrumentation.grpc_aio.server.failing import abort, ask, span_of

SAID = (*READS, ("x-correlation-id", "order-17"))


@pytest.mark.parametrize(
    "metadata", [(), (("resilience", "attempt=1"),), (*READS, ("x-forwarded-for", "8.8.8.8"))]
)
async def test_a_caller_that_may_not_read_chains_gets_none(
    start: Start, spans: InMemorySpanExporter, metadata: Any
) -> None:
    server = await start(abort(grpc.StatusCode.UNAVAILABLE))
    assert chain_of(await ask(server, metadata=metadata)) is None
    assert attribute(await span_of(server, spans), "resilience.error.root.code") == "UNAVAILABLE"


@pytest.mark.parametrize("kind", ["get", "list"])
async def test_what_a_caller_says_is_known_to_the_handler(
    start: Start, spans: InMemorySpanExporter, kind: str
) -> None:
    seen: list[Any] = []

    async def handler(message: Any, context: Any) -> bytes:
        current = request.current()
        left = Deadline.current()
        assert current is not None
        seen.append((current.attempt, correlation.current(), current.span, left and left.remaining()))
        return b"ok"

    server = await start(handler)
    said = (("resilience", "attempt=2"), ("x-correlation-id", "order-17"))
    await ask(server, kind, metadata=said, timeout=20)
    await ask(server, kind)
    await server.stop(grace=10)
    (attempt, correlation_id, span_ids, left), (_, made, _, endless) = seen
    first = spans.get_finished_spans()[0]
    assert (attempt, correlation_id) == (2, "order-17")
    assert 15 < left < 21
    assert span_ids == (f"{first.context.trace_id:032x}", f"{first.context.span_id:016x}")
    assert attribute(first, "resilience.correlation.id") == "order-17"
    assert endless is None
    assert len(made) == 32


async def test_a_plain_function_in_a_thread_knows_it_too_and_leaves_nothing_behind(
    settings: Settings,
) -> None:
    seen: list[Any] = []

    def handler(message: Any, context: Any) -> bytes:
        ended: list[int] = []
        context.add_callback(lambda: ended.append(1))
        seen.append((correlation.current(), context.peer().split(":")[0], context.time_remaining() is None))
        return b"ok"

    settings()
    GrpcAioInstrumentor().instrument()
    try:
        async with ThreadRpcServer(handler) as server:
            assert await ask(server, metadata=SAID) == b"ok"
            assert await ask(server, "list", metadata=SAID) == [b"ok"]
            left = await asyncio.get_running_loop().run_in_executor(server._pool, correlation.current)
    finally:
        GrpcAioInstrumentor().uninstrument()
    assert seen == [("order-17", "ipv4", True)] * 2
    assert left is None


async def test_an_rpc_that_our_part_fails_to_enter_leaves_nothing_behind(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*args: Any) -> Any:
        raise LookupError("ours")

    settings()
    monkeypatch.setattr(_grpc_served, "adopt", broken)
    GrpcAioInstrumentor().instrument()
    try:
        async with ThreadRpcServer(lambda message, context: b"ok") as server:  # type: ignore[arg-type, return-value]  # a plain function
            assert await ask(server, metadata=SAID) == b"ok"
            left = await asyncio.get_running_loop().run_in_executor(server._pool, request.current)
    finally:
        GrpcAioInstrumentor().uninstrument()
    assert left is None


async def test_a_context_is_all_that_it_was(start: Start) -> None:
    seen: dict[str, Any] = {}
    ended = asyncio.Event()

    async def handler(message: Any, context: Any) -> bytes:
        context.add_done_callback(lambda context: ended.set())
        seen.update(
            peer=context.peer(),
            identities=context.peer_identities(),
            key=context.peer_identity_key(),
            auth=dict(context.auth_context()),
            left=context.time_remaining(),
            tag=dict(context.invocation_metadata())["tag"],
        )
        context.set_compression(grpc.Compression.Gzip)
        context.disable_next_message_compression()
        await context.send_initial_metadata((("early", "yes"),))
        context.set_details("fine")
        seen.update(code=context.code(), details=context.details(), trailing=context.trailing_metadata())
        seen.update(cancelled=context.cancelled(), done=context.done())
        return b"ok"

    assert await ask(await start(handler), metadata=(("tag", "mine"),)) == b"ok"
    assert seen["peer"].startswith("ipv4:127.0.0.1:")
    assert (seen["identities"], seen["key"], seen["left"], seen["tag"]) == (None, None, None, "mine")
    assert (seen["code"], seen["details"], seen["trailing"]) == (None, "fine", ())
    assert (seen["cancelled"], seen["done"]) == (False, False)
    assert await asyncio.wait_for(ended.wait(), 5)


async def test_a_stream_that_its_caller_leaves_is_no_failure(
    start: Start, spans: InMemorySpanExporter
) -> None:
    left: asyncio.Queue[str | None] = asyncio.Queue()

    class Endless(AioRpcServer):
        async def _list(self, message: Any, context: Any) -> AsyncIterator[bytes]:
            try:
                while True:
                    yield b"more"
            finally:
                left.put_nowait(correlation.current())

    async with Endless(abort(grpc.StatusCode.INTERNAL)) as server:
        with Client(server.target, STRANGER) as client:
            stream = client.list(b"x", metadata=SAID)
            assert await asyncio.to_thread(next, stream) == b"more"
            stream.cancel()
        assert await asyncio.wait_for(left.get(), 5) == "order-17"
    assert attribute(server_span(spans), "resilience.error.code") is None


@pytest.mark.parametrize("leave", ["cancels", "has no time left"])
async def test_a_caller_that_has_gone_is_told_nothing(
    start: Start, spans: InMemorySpanExporter, leave: str
) -> None:
    begun, cancelled = asyncio.Event(), asyncio.Event()

    async def handler(message: Any, context: Any) -> Any:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    server = await start(handler)
    with Client(server.target, STRANGER) as client:
        future = client.get.future(b"x", metadata=READS, timeout=0.1 if leave == "has no time left" else None)
        await asyncio.wait_for(begun.wait(), 5)
        if leave == "cancels":
            future.cancel()
        await asyncio.wait_for(cancelled.wait(), 5)
    span = await span_of(server, spans)
    assert attribute(span, "resilience.error.code") is None
    assert attribute(span, "rpc.grpc.status_code") in (None, 0)


async def test_a_handler_that_writes_to_nobody_is_told_nothing(
    start: Start, spans: InMemorySpanExporter
) -> None:
    begun, met = asyncio.Event(), asyncio.Event()

    class Stubborn(AioRpcServer):
        async def _write_list(self, message: Any, context: Any) -> None:
            begun.set()
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                try:
                    while True:
                        await context.write(b"still here")
                finally:
                    met.set()

    async with Stubborn(abort(grpc.StatusCode.INTERNAL), writes=True) as server:
        with Client(server.target, STRANGER) as client:
            stream = client.list(b"x", metadata=READS)
            await asyncio.wait_for(begun.wait(), 5)
            stream.cancel()
        await asyncio.wait_for(met.wait(), 5)
    assert attribute(server_span(spans), "resilience.error.code") is None


async def test_interceptors_given_by_position_are_kept_and_ours_is_innermost(start: Start) -> None:
    seen: list[Any] = []

    class Noting(grpc.aio.ServerInterceptor):
        async def intercept_service(self, continuation: Any, handler_call_details: Any) -> Any:
            found = await continuation(handler_call_details)
            seen.append(found and found.unary_unary.__module__.partition(".")[0])
            return found

    async def handler(message: Any, context: Any) -> bytes:
        return b"ok"

    methods = {"Get": grpc.unary_unary_rpc_method_handler(handler)}
    handlers = (grpc.method_handlers_generic_handler(SERVICE, methods),)
    server = grpc.aio.server(None, handlers, [Noting()])
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        assert await channel.unary_unary(f"/{SERVICE}/Get")(b"x") == b"ok"
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await channel.unary_unary(f"/{SERVICE}/Unknown")(b"x")
    await server.stop(grace=None)
    assert seen == ["otel_resilience_instrumentation", None]
    assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED


async def test_a_suppressed_server_is_left_alone(settings: Settings) -> None:
    settings()
    GrpcAioInstrumentor().instrument()
    try:
        with suppress_instrumentation():
            async with AioRpcServer(abort(grpc.StatusCode.UNAVAILABLE)) as server:
                assert chain_of(await ask(server)) is None
    finally:
        GrpcAioInstrumentor().uninstrument()


@pytest.mark.parametrize("kind", ["get", "list"])
async def test_when_our_part_fails_the_handler_still_answers(
    start: Start, kind: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*args: Any, **kwargs: Any) -> Any:
        raise LookupError("ours")

    server = await start(abort(grpc.StatusCode.UNAVAILABLE))
    monkeypatch.setattr(_grpc_served._answer, "answer", broken)
    assert (await ask(server, kind)).code() is grpc.StatusCode.UNAVAILABLE
    monkeypatch.setattr(_grpc_served, "adopt", broken)
    assert (await ask(server, kind)).code() is grpc.StatusCode.UNAVAILABLE
    assert [record.getMessage() for record in caplog.records if record.name == "otel_resilience"] == [
        "a failing RPC goes out without its error chain",
        "an RPC is answered without its fields",
    ]


@pytest.mark.parametrize("kind", ["get", "list"])
async def test_work_whose_deadline_has_passed_is_refused(start: Start, kind: str) -> None:
    called: list[Any] = []

    async def handler(message: Any, context: Any) -> bytes:
        called.append(message)
        return b"ok"

    error = await ask(await start(handler), kind, metadata=(("resilience", "deadline=0, chain"),))
    assert (error.code(), called) == (grpc.StatusCode.DEADLINE_EXCEEDED, [])
    chain = chain_of(error)
    assert chain is not None
    assert (chain.root_cause_code, str(chain.root.kind)) == ("DEADLINE_EXCEEDED", "rejected")
