"""A server of ``grpc.aio`` under both instrumentations, loaded in either order."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import grpc.aio
import pytest
from opentelemetry.instrumentation.grpc import GrpcAioInstrumentorServer

from otel_resilience_instrumentation._settings import Runtime
from otel_resilience_instrumentation.grpc_aio import GrpcAioInstrumentor
from tests.instrumentation.grpc_aio.rpc_server import AioRpcServer, Handler

Settings = Callable[..., Runtime]

Start = Callable[..., Awaitable[AioRpcServer]]

ORDERS = {"ours first": (0, 1), "the official one first": (1, 0)}


@pytest.fixture(params=ORDERS)
async def start(request: pytest.FixtureRequest, settings: Settings) -> AsyncIterator[Start]:
    """Begin a server under both instrumentations, whose client is a stranger's."""
    before = grpc.aio.server
    both = (GrpcAioInstrumentor(), GrpcAioInstrumentorServer())
    settings()
    for position in ORDERS[request.param]:
        both[position].instrument()
    running: list[AioRpcServer] = []

    async def begin(handler: Handler, **options: Any) -> AioRpcServer:
        running.append(await AioRpcServer(handler, **options).__aenter__())
        return running[-1]

    yield begin
    for server in running:
        await server.stop()
    for instrumentor in both:
        instrumentor.uninstrument()
    assert grpc.aio.server is before
