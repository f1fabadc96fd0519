"""Ways for a handler of a ``grpc.aio`` server to fail, and its caller, which knows nothing of us."""

from __future__ import annotations

import asyncio
from typing import Any

import grpc
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from tests.instrumentation.grpc.server import stranger
from tests.instrumentation.grpc.server.stranger import READS, Rich
from tests.instrumentation.grpc_aio.rpc_server import AioRpcServer, Handler


async def ask(
    server: AioRpcServer, kind: str = "get", metadata: Any = READS, timeout: float | None = None
) -> Any:
    """The error, or the response, of one RPC, made in a thread of its own."""
    return await asyncio.to_thread(stranger.ask, server, kind, metadata, timeout)  # type: ignore[arg-type]


async def span_of(server: AioRpcServer, spans: InMemorySpanExporter) -> ReadableSpan:
    """The SERVER span of the one RPC. An abort is answered before its handler has ended: it ends with the server."""
    await server.stop(grace=10)
    return stranger.server_span(spans)


def abort(code: grpc.StatusCode) -> Handler:
    async def handler(message: Any, context: Any) -> Any:
        await context.abort(code, "as told")

    return handler


def abort_rich(code: grpc.StatusCode) -> Handler:
    async def handler(message: Any, context: Any) -> Any:
        await context.abort_with_status(Rich(code, (("own", "kept"),)))

    return handler


def set_code(code: grpc.StatusCode) -> Handler:
    async def handler(message: Any, context: Any) -> bytes:
        context.set_code(code)
        return b""

    return handler
