"""What the tests of ``grpc.aio`` clients share: a peer that knows nothing of us, and a client under our instrumentation."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator

import pytest
from grpc.aio._channel import Channel
from opentelemetry.instrumentation.grpc import GrpcAioInstrumentorClient

from otel_resilience_instrumentation._settings import Runtime
from otel_resilience_instrumentation.grpc_aio import GrpcAioInstrumentor
from tests.instrumentation.grpc.rpc_server import RpcServer
from tests.instrumentation.grpc_aio.client.calling import AioClient

Settings = Callable[..., Runtime]

PATCHED = ("__init__", "unary_unary", "unary_stream", "stream_unary", "stream_stream")


@pytest.fixture
def instrumented() -> Iterator[None]:
    before = {name: vars(Channel)[name] for name in PATCHED}
    GrpcAioInstrumentor().instrument()
    yield
    GrpcAioInstrumentor().uninstrument()
    assert {name: vars(Channel)[name] for name in PATCHED} == before


@pytest.fixture(params=[False, True], ids=["official absent", "official below"])
def official(request: pytest.FixtureRequest) -> Iterator[bool]:
    if request.param:
        GrpcAioInstrumentorClient().instrument()
    yield request.param
    if request.param:
        GrpcAioInstrumentorClient().uninstrument()


@pytest.fixture
def server() -> Iterator[RpcServer]:
    with RpcServer() as running:
        yield running


@pytest.fixture
async def client(
    server: RpcServer, settings: Settings, official: bool, instrumented: None
) -> AsyncIterator[AioClient]:
    settings()
    async with AioClient(server.target) as made:
        yield made


@pytest.fixture
async def lone_client(server: RpcServer, settings: Settings, instrumented: None) -> AsyncIterator[AioClient]:
    """A client without the official instrumentation."""
    settings()
    async with AioClient(server.target) as made:
        yield made
