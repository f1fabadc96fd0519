"""Streams of ``grpc.aio``: read, left, cancelled, given up, and requests that break."""

from __future__ import annotations

import asyncio
import gc
import threading
from collections.abc import AsyncIterator
from typing import Any

import grpc
import grpc.aio
import pytest

from otel_resilience.outcome import Outcome
from tests.instrumentation.grpc.parked.settled import POLICIES
from tests.instrumentation.grpc.rpc_server import RpcServer, aborting
from tests.instrumentation.grpc_aio.client.begun import Begun
from tests.instrumentation.grpc_aio.client.calling import AioClient, Settled, given
from tests.instrumentation.grpc_aio.client.conftest import Settings


@pytest.fixture
def client(client: AioClient, settings: Settings) -> AioClient:
    settings(POLICIES.format(timeout="10s"))
    return client


@pytest.mark.parametrize("kind", ["list", "chat"])
async def test_a_stream_that_is_cancelled_says_nothing_of_the_dependency(
    server: RpcServer, client: AioClient, kind: str
) -> None:
    server.handler = Begun(server, b"first")
    with Settled() as settled:
        call = client.list(b"x") if kind == "list" else client.chat(given(b"a"))
        stream = aiter(call)
        assert await anext(stream) == b"first"
        assert call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await anext(stream)
        assert await settled.outcomes() == [Outcome.CANCELLED]


@pytest.mark.parametrize("guarded", [False, True])
async def test_a_stream_that_nobody_reads_to_its_end_is_cancelled_and_settled(
    server: RpcServer, client: AioClient, settings: Settings, guarded: bool
) -> None:
    if not guarded:
        settings()
    handler = server.handler = Begun(server, b"first")
    with Settled() as settled:
        async for response in client.list(b"x"):
            assert response == b"first"
            break
        gc.collect()
        await handler.was_left()
        if guarded:
            assert await settled.outcomes() == [Outcome.CANCELLED]


async def test_a_stream_lives_while_it_is_read_whoever_holds_its_call(
    server: RpcServer, client: AioClient
) -> None:
    server.handler = lambda message, context: (b"%d" % number for number in range(50))
    read: list[bytes] = []
    async for response in client.list(b"x"):  # nobody else holds the call
        if len(read) < 2:
            gc.collect()
        read.append(response)
    assert len(read) == 50


async def test_a_stream_can_be_left_and_read_on(server: RpcServer, client: AioClient) -> None:
    server.handler = lambda message, context: [b"1", b"2", b"3"]
    call = client.list(b"x")
    async for response in call:
        assert response == b"1"
        break
    assert [each async for each in call] == [b"2", b"3"]


async def test_a_callers_mistake_leaves_the_call_as_it_is(
    server: RpcServer, lone_client: AioClient, settings: Settings
) -> None:
    settings(POLICIES.format(timeout="10s"))
    server.handler = lambda message, context: [b"1", b"2"]
    with Settled() as settled:
        call = lone_client.list(b"x")
        assert await call.read() == b"1"
        with pytest.raises(grpc.aio.UsageError):
            await anext(aiter(call))
        assert await call.read() == b"2"
        assert await call.read() is grpc.aio.EOF
        assert await settled.outcomes() == [Outcome.SUCCESS]
        call = lone_client.chat(given(b"a"))
        with pytest.raises(grpc.aio.UsageError):
            await call.write(b"b")
        assert [each async for each in call] == [b"1", b"2"]
        assert await settled.outcomes(2) == [Outcome.SUCCESS] * 2


async def test_a_failed_stream_says_the_same_to_everybody(server: RpcServer, client: AioClient) -> None:
    server.handler = aborting(grpc.StatusCode.DATA_LOSS)
    with Settled() as settled:
        call = client.list(b"x")
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await anext(aiter(call))
        assert caught.value.code() is await call.code() is grpc.StatusCode.DATA_LOSS
        assert caught.value.details() == await call.details()
        assert await settled.outcomes() == [Outcome.FAILURE]


async def test_a_write_that_is_given_up_ends_the_call_where_grpc_says_so(
    server: RpcServer, client: AioClient, official: bool
) -> None:
    release = threading.Event()

    def handler(message: Any, context: grpc.ServicerContext) -> list[bytes]:
        release.wait(10)
        return [b"1"]

    server.handler = handler
    with Settled() as settled:
        call = client.chat()
        writing = asyncio.create_task(call.write(b"x" * 1_000_000))
        while (await asyncio.wait({writing}, timeout=0.3))[
            0
        ]:  # until the server, which reads no more, holds it up
            writing = asyncio.create_task(call.write(b"x" * 1_000_000))
        writing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await writing
        release.set()
        if official:  # with interceptors a write only waits for its place in a queue
            await call.done_writing()
            assert {each async for each in call} == {b"1"}
        assert await settled.outcomes() == [Outcome.SUCCESS if official else Outcome.CANCELLED]


async def test_requests_that_break_cancel_the_call(server: RpcServer, client: AioClient) -> None:
    async def broken() -> AsyncIterator[bytes]:
        yield b"a"
        raise LookupError("its own")

    with Settled() as settled:
        with pytest.raises(asyncio.CancelledError):
            await client.sum(broken())
        assert await settled.outcomes() == [Outcome.CANCELLED]
