"""What the failing answer of a ``grpc.aio`` server tells its caller, and the SERVER span."""

from __future__ import annotations

from typing import Any

import grpc
import grpc.aio
import pytest
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode

from otel_resilience import DomainError
from otel_resilience.context import service
from otel_resilience.errors.chain import ErrorChain
from otel_resilience.errors.failed_call import FailedCall, remember
from otel_resilience.errors.hop import Hop, HopKind
from otel_resilience_instrumentation.grpc_aio import GrpcAioInstrumentor
from tests.instrumentation.grpc.rpc_server import SERVICE
from tests.instrumentation.grpc.server.stranger import Rich, attribute, chain_of
from tests.instrumentation.grpc_aio.rpc_server import AioRpcServer, ThreadRpcServer
from tests.instrumentation.grpc_aio.server.conftest import Settings, Start
from tests.instrumentation.grpc_aio.server.failing import abort, abort_rich, ask, set_code, span_of

LEDGER = Hop(service="ledger", code="DB_UNAVAILABLE", retryable=True, trace_id="a" * 32, span_id="b" * 16)


@pytest.mark.parametrize("fail", [abort, abort_rich, set_code])
@pytest.mark.parametrize("writes", [False, True], ids=["generators", "writers"])
@pytest.mark.parametrize("kind", ["get", "sum", "list", "chat"])
async def test_a_failing_status_begins_a_chain(
    start: Start, spans: InMemorySpanExporter, fail: Any, kind: str, writes: bool
) -> None:
    server = await start(fail(grpc.StatusCode.UNAVAILABLE), writes=writes)
    error = await ask(server, kind)
    assert error.code() is grpc.StatusCode.UNAVAILABLE
    chain = chain_of(error)
    assert chain is not None
    (root,) = chain.hops
    span = await span_of(server, spans)
    assert (root.service, root.code) == (service.current().name, "UNAVAILABLE")
    assert root.retryable
    assert (root.trace_id, root.span_id) == (f"{span.context.trace_id:032x}", f"{span.context.span_id:016x}")
    assert root.operation == f"{SERVICE}/{kind.capitalize()}"
    assert span.status.status_code is StatusCode.ERROR
    assert attribute(span, "rpc.grpc.status_code") == grpc.StatusCode.UNAVAILABLE.value[0]
    assert attribute(span, "resilience.error.root.code") == "UNAVAILABLE"
    assert span.links == ()


@pytest.mark.parametrize("writes", [False, True], ids=["generators", "writers"])
@pytest.mark.parametrize("kind", ["get", "sum", "list", "chat"])
async def test_what_succeeds_tells_nothing(
    start: Start, spans: InMemorySpanExporter, kind: str, writes: bool
) -> None:
    async def handler(message: Any, context: Any) -> bytes:
        return b"ok"

    server = await start(handler, writes=writes)
    answer = await ask(server, kind)
    assert answer == (b"ok" if kind in ("get", "sum") else [b"ok"])
    assert (await span_of(server, spans)).status.status_code is StatusCode.UNSET


@pytest.mark.parametrize("kind", ["get", "list"])
async def test_an_uncaught_exception_says_its_own_code(
    start: Start, spans: InMemorySpanExporter, kind: str
) -> None:
    async def handler(message: Any, context: Any) -> Any:
        raise DomainError("OUT_OF_STOCK", retryable=True)

    server = await start(handler)
    error = await ask(server, kind)
    assert error.code() is grpc.StatusCode.UNKNOWN
    chain = chain_of(error)
    assert chain is not None
    assert (chain.root_cause_code, chain.retryable) == ("OUT_OF_STOCK", True)
    span = await span_of(server, spans)
    assert span.status.status_code is StatusCode.ERROR
    assert attribute(span, "rpc.grpc.status_code") == grpc.StatusCode.UNKNOWN.value[0]
    assert attribute(span, "resilience.error.code") == "OUT_OF_STOCK"


@pytest.mark.parametrize("fail", [abort, abort_rich, set_code])
async def test_a_status_that_is_no_failure_tells_nothing(
    start: Start, spans: InMemorySpanExporter, fail: Any
) -> None:
    server = await start(fail(grpc.StatusCode.NOT_FOUND))
    error = await ask(server)
    assert error.code() is grpc.StatusCode.NOT_FOUND
    assert chain_of(error) is None
    span = await span_of(server, spans)
    assert span.status.status_code is StatusCode.UNSET
    assert attribute(span, "rpc.grpc.status_code") == grpc.StatusCode.NOT_FOUND.value[0]
    assert attribute(span, "resilience.error.code") is None


async def test_a_status_set_before_an_exception_stands(start: Start) -> None:
    async def handler(message: Any, context: Any) -> Any:
        context.set_code(grpc.StatusCode.NOT_FOUND)
        raise LookupError("none")

    server = await start(handler)
    error = await ask(server)
    assert error.code() is grpc.StatusCode.NOT_FOUND
    assert chain_of(error) is None


async def test_an_abort_that_the_handler_swallowed_still_counts(
    start: Start, spans: InMemorySpanExporter
) -> None:
    async def handler(message: Any, context: Any) -> bytes:
        try:
            await context.abort(grpc.StatusCode.DATA_LOSS, "lost")
        except grpc.aio.AbortError:
            return b"all is well"

    server = await start(handler)
    error = await ask(server)
    assert error.code() is grpc.StatusCode.DATA_LOSS
    chain = chain_of(error)
    assert chain is not None
    assert chain.root_cause_code == "DATA_LOSS"
    assert attribute(await span_of(server, spans), "resilience.error.code") == "DATA_LOSS"


async def test_a_received_chain_is_passed_on_one_hop_longer(
    start: Start, spans: InMemorySpanExporter
) -> None:
    async def handler(message: Any, context: Any) -> Any:
        remember(
            FailedCall(code="HTTP_500", kind=HopKind.REMOTE, received=ErrorChain.of(LEDGER), exhausted=True)
        )
        await context.abort(grpc.StatusCode.UNAVAILABLE, "the ledger is away")

    server = await start(handler)
    error = await ask(server)
    chain = chain_of(error)
    assert chain is not None
    assert [(hop.service, hop.code) for hop in chain.hops] == [
        ("ledger", "DB_UNAVAILABLE"),
        (service.current().name, "UNAVAILABLE"),
    ]
    assert chain.hops[-1].exhausted
    span = await span_of(server, spans)
    assert attribute(span, "resilience.error.chain.services") == ("ledger", service.current().name)
    assert [f"{link.context.span_id:016x}" for link in span.links] == ["b" * 16]


SPOOFED = (("own", "kept"), ("error-chain", '"spoof";c=X'), ("own", "twice"))


async def set_and_abort(context: Any) -> None:
    context.set_trailing_metadata(SPOOFED)
    await context.abort(grpc.StatusCode.INTERNAL, "as told")


async def abort_with_them(context: Any) -> None:
    context.set_trailing_metadata((("own", "forgotten"),))
    await context.abort(grpc.StatusCode.INTERNAL, "as told", SPOOFED)


async def abort_with_status(context: Any) -> None:
    await context.abort_with_status(Rich(grpc.StatusCode.INTERNAL, SPOOFED))


async def set_and_fail(context: Any) -> None:
    context.set_trailing_metadata(grpc.aio.Metadata(*SPOOFED))
    raise LookupError("as told")


@pytest.mark.parametrize("fail", [set_and_abort, abort_with_them, abort_with_status, set_and_fail])
async def test_the_applications_own_trailing_metadata_is_kept_and_a_chain_handed_on_is_not(
    start: Start, fail: Any
) -> None:
    async def handler(message: Any, context: Any) -> Any:
        await fail(context)

    server = await start(handler)
    pairs = [tuple(pair) for pair in (await ask(server)).trailing_metadata()]
    assert [value for key, value in pairs if key == "own"] == ["kept", "twice"]
    assert "spoof" not in str(pairs)
    assert "error-chain" in dict(pairs)
    pairs = [tuple(pair) for pair in (await ask(server, metadata=())).trailing_metadata()]
    assert [value for key, value in pairs if key == "own"] == ["kept", "twice"]
    assert "error-chain" not in dict(pairs)


async def test_a_status_may_be_a_number(settings: Settings) -> None:
    async def handler(message: Any, context: Any) -> Any:
        await context.abort(grpc.StatusCode.UNAVAILABLE.value[0], "by its number")

    settings()
    GrpcAioInstrumentor().instrument()  # alone: the official one does not take numbers
    try:
        async with AioRpcServer(handler) as server:
            error = await ask(server)
    finally:
        GrpcAioInstrumentor().uninstrument()
    chain = chain_of(error)
    assert chain is not None
    assert (chain.root_cause_code, chain.trace_id) == ("UNAVAILABLE", None)


def in_a_thread_abort(message: Any, context: Any) -> Any:
    context.abort(grpc.StatusCode.UNAVAILABLE, "as told", (("own", "kept"),))


def in_a_thread_set_code(message: Any, context: Any) -> bytes:
    context.set_trailing_metadata((("own", "kept"),))
    context.set_code(grpc.StatusCode.UNAVAILABLE)
    return b""


def in_a_thread_fail(message: Any, context: Any) -> bytes:
    context.set_trailing_metadata((("own", "kept"),))
    raise DomainError("UNAVAILABLE")


@pytest.mark.parametrize("fail", [in_a_thread_abort, in_a_thread_set_code, in_a_thread_fail])
@pytest.mark.parametrize("kind", ["get", "list"])
async def test_a_plain_function_in_a_thread_tells_its_chain_too(
    settings: Settings, fail: Any, kind: str
) -> None:
    settings()
    GrpcAioInstrumentor().instrument()  # alone: the official one cannot call plain functions
    try:
        async with ThreadRpcServer(fail) as server:
            error = await ask(server, kind)
    finally:
        GrpcAioInstrumentor().uninstrument()
    chain = chain_of(error)
    assert chain is not None
    assert chain.root_cause_code == "UNAVAILABLE"
    assert ("own", "kept") in [tuple(pair) for pair in error.trailing_metadata()]
