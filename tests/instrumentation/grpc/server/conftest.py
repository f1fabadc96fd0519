"""A server under both instrumentations, loaded in either order."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import grpc
import pytest
from opentelemetry.instrumentation.grpc import GrpcInstrumentorServer

from otel_resilience_instrumentation._settings import Runtime
from otel_resilience_instrumentation.grpc import GrpcInstrumentor
from tests.instrumentation.grpc.rpc_server import RpcServer

Settings = Callable[..., Runtime]


Start = Callable[..., RpcServer]


ORDERS = {"ours first": (0, 1), "the official one first": (1, 0)}


@pytest.fixture(params=ORDERS)
def start(request: pytest.FixtureRequest, settings: Settings) -> Iterator[Start]:
    """Begin a server under both instrumentations, whose client is a stranger's."""
    before = grpc.server
    both = (GrpcInstrumentor(), GrpcInstrumentorServer())
    settings()
    for position in ORDERS[request.param]:
        both[position].instrument()
    running: list[RpcServer] = []

    def begin(handler: Callable[[Any, grpc.ServicerContext], Any]) -> RpcServer:
        running.append(RpcServer(handler).__enter__())
        return running[-1]

    yield begin
    for server in running:
        server.stop()
    for instrumentor in both:
        instrumentor.uninstrument()
    assert grpc.server is before
