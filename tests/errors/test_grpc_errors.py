"""What gRPC raises, in both worlds: the status, the reason before it, and futures that are waited for."""

from __future__ import annotations

from typing import Any, NamedTuple

import grpc
import grpc.aio
import pytest
from google.protobuf.any_pb2 import Any as AnyMessage
from google.rpc.error_details_pb2 import ErrorInfo
from google.rpc.status_pb2 import Status

from otel_resilience.errors.codecs import error_info
from otel_resilience.errors.codes import code_of, grpc_status, is_retryable
from tests.errors import loopback
from tests.instrumentation.grpc.rpc_server import SERVICE, Client, RpcServer


class Rich(NamedTuple):
    """A status with details, as ``grpc_status.rpc_status.to_status`` makes it."""

    code: grpc.StatusCode
    details: str
    trailing_metadata: tuple[tuple[str, bytes], ...]


def out_of_stock(request: bytes, context: grpc.ServicerContext) -> Any:
    packed = AnyMessage()
    packed.Pack(ErrorInfo(reason="OUT_OF_STOCK", domain="shop.com"))
    details = Status(code=14, details=[packed]).SerializeToString()
    context.abort_with_status(
        Rich(grpc.StatusCode.UNAVAILABLE, "sold out", ((error_info.KEY, details),))  # type: ignore[arg-type]  # one by its members
    )


def get(target: str) -> grpc.RpcError:
    with Client(target) as client, pytest.raises(grpc.RpcError) as caught:
        client.get(b"x", timeout=10)
    return caught.value


async def aget(target: str) -> grpc.RpcError:
    async with grpc.aio.insecure_channel(target) as channel:
        call = channel.unary_unary(f"/{SERVICE}/Get")
        with pytest.raises(grpc.RpcError) as caught:
            await call(b"x", timeout=10)
    return caught.value


async def test_nobody_is_there() -> None:
    with loopback.refusing() as port:
        for error in (get(f"127.0.0.1:{port}"), await aget(f"127.0.0.1:{port}")):
            assert code_of(error) == grpc_status(error) == "UNAVAILABLE"


async def test_the_peers_application_says_why() -> None:
    with RpcServer(out_of_stock) as server:
        for error in (get(server.target), await aget(server.target)):
            assert code_of(error) == "OUT_OF_STOCK"
            assert grpc_status(error) == "UNAVAILABLE"
            assert is_retryable(error, code_of(error))


def test_a_future_that_is_waited_for_no_longer() -> None:
    with RpcServer() as server, Client(server.target) as client:
        server.handler = lambda request, context: server.stopping.wait(10)
        future = client.get.future(b"x")
        with pytest.raises(grpc.FutureTimeoutError) as late:
            future.result(timeout=0.01)
        future.cancel()
        with pytest.raises(grpc.FutureCancelledError) as cancelled:
            future.result()
        server.stopping.set()
    assert code_of(late.value) == "DEADLINE_EXCEEDED"
    assert code_of(cancelled.value) == "CANCELLED"
