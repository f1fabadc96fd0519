"""What the tests of futures and streams share: a client over the real channel and over the official interceptor."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from opentelemetry.instrumentation.grpc import GrpcInstrumentorClient

from otel_resilience_instrumentation._settings import Runtime
from otel_resilience_instrumentation.grpc import GrpcInstrumentor
from tests.instrumentation.grpc.parked.settled import POLICIES
from tests.instrumentation.grpc.rpc_server import Client, RpcServer

Settings = Callable[..., Runtime]


@pytest.fixture(params=[False, True], ids=["official absent", "official below"])
def official(request: pytest.FixtureRequest) -> Iterator[bool]:
    if request.param:
        GrpcInstrumentorClient().instrument()
    yield request.param
    if request.param:
        GrpcInstrumentorClient().uninstrument()


@pytest.fixture
def server() -> Iterator[RpcServer]:
    with RpcServer() as running:
        yield running


@pytest.fixture
def client(server: RpcServer, settings: Settings, official: bool) -> Iterator[Client]:
    settings(POLICIES.format(timeout="10s"))
    GrpcInstrumentor().instrument()
    with Client(server.target) as made:
        yield made
    GrpcInstrumentor().uninstrument()
