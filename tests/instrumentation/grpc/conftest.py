"""What the tests of gRPC clients share: a peer that knows nothing of us, and a client under our instrumentation."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import grpc
import pytest

from otel_resilience_instrumentation._settings import Runtime
from otel_resilience_instrumentation.grpc import GrpcInstrumentor
from tests.instrumentation.grpc.rpc_server import Client, RpcServer

Settings = Callable[..., Runtime]


@pytest.fixture
def instrumented() -> Iterator[None]:
    before = grpc.insecure_channel, grpc.secure_channel, grpc.server
    GrpcInstrumentor().instrument()
    yield
    GrpcInstrumentor().uninstrument()
    assert (grpc.insecure_channel, grpc.secure_channel, grpc.server) == before


@pytest.fixture
def server() -> Iterator[RpcServer]:
    """Made before anything is instrumented: a peer that knows nothing of us."""
    with RpcServer() as running:
        yield running


@pytest.fixture
def client(server: RpcServer, settings: Settings, instrumented: None) -> Iterator[Client]:
    settings()
    with Client(server.target) as made:
        yield made
