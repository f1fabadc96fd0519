"""A channel that is closed while a stream is read: this side's doing, which says nothing of the dependency."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import grpc
import pytest

from otel_resilience.outcome import Outcome
from tests.instrumentation.grpc.parked.settled import Settled
from tests.instrumentation.grpc.rpc_server import Client, RpcServer


def test_is_a_cancel_of_this_side(server: RpcServer, client: Client) -> None:
    server.handler = one_and_wait(server)
    with Settled() as settled:
        stream = client.list(b"x")
        assert next(stream) == b"first"
        client.channel.close()
        with pytest.raises(grpc.RpcError) as caught:
            next(stream)
        assert caught.value.code() is grpc.StatusCode.CANCELLED
        assert settled.outcomes() == [Outcome.CANCELLED]


def one_and_wait(server: RpcServer) -> Callable[[Any, grpc.ServicerContext], Iterator[bytes]]:
    def handler(message: Any, context: grpc.ServicerContext) -> Iterator[bytes]:
        yield b"first"
        server.stopping.wait(10)

    return handler
