"""How ``grpc.aio`` calls end: asked for, not asked for, cancelled, given up."""

from __future__ import annotations

import asyncio
import gc
import threading
from collections.abc import Callable
from typing import Any

import grpc
import grpc.aio
import pytest

from otel_resilience import Timeout
from otel_resilience.exceptions import CircuitOpenError, ServiceTimeoutError
from otel_resilience.outcome import Outcome
from tests.instrumentation.grpc.parked.settled import POLICIES
from tests.instrumentation.grpc.rpc_server import RpcServer, aborting
from tests.instrumentation.grpc_aio.client.begun import Begun
from tests.instrumentation.grpc_aio.client.calling import (
    PARKED,
    STREAMS,
    AioClient,
    Read,
    Settled,
    given,
    read_unary,
)
from tests.instrumentation.grpc_aio.client.conftest import Settings


@pytest.fixture
def client(client: AioClient, settings: Settings) -> AioClient:
    settings(POLICIES.format(timeout="10s"))
    return client


#: All but `write_and_read_both`, which may be at a write when it is cancelled.
WAITING: list[Read] = [read_unary, *PARKED[:-1]]


@pytest.mark.parametrize("read", WAITING)
async def test_who_cancels_gets_his_cancellation(
    server: RpcServer, client: AioClient, read: Read, official: bool
) -> None:
    handler = Begun(server)
    server.handler = handler if read in STREAMS else handler.unary
    with Settled() as settled:
        task = asyncio.create_task(read(client))
        await handler.begun()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert await settled.outcomes() == [Outcome.CANCELLED]
    # The official interceptor lets a call with one answer go on, that nobody waits for.
    if not official or read in STREAMS:
        await handler.was_left()


@pytest.mark.parametrize("read", [read_unary, *PARKED])
async def test_a_deadline_around_a_call_that_cancels_it_is_a_timeout(
    server: RpcServer, client: AioClient, read: Read
) -> None:
    handler = Begun(server)
    server.handler = handler if read in STREAMS else handler.unary
    with Settled() as settled:
        with pytest.raises(ServiceTimeoutError):
            await Timeout(0.15).acall(read, client)
        assert (await settled.outcomes(2)) == [Outcome.TIMEOUT] * 2


ONE_ANSWER = [lambda client: client.get(b"x"), lambda client: client.sum(given(b"a"))]


@pytest.mark.parametrize("begin", ONE_ANSWER)
async def test_a_call_that_is_cancelled_says_nothing_of_the_dependency(
    server: RpcServer, client: AioClient, begin: Callable[[AioClient], Any]
) -> None:
    handler = Begun(server)
    server.handler = handler.unary
    with Settled() as settled:
        call = begin(client)
        await handler.begun()
        assert not call.done()
        assert call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        assert call.cancelled()
        assert call.done()
        assert await call.code() is grpc.StatusCode.CANCELLED
        assert await call.details() == "Locally cancelled by application!"
        assert not await call.trailing_metadata()
        assert await settled.outcomes() == [Outcome.CANCELLED]


@pytest.mark.parametrize("begin", ONE_ANSWER)
@pytest.mark.parametrize("guarded", [False, True])
async def test_a_call_that_nobody_holds_is_made_all_the_same(
    server: RpcServer,
    client: AioClient,
    settings: Settings,
    begin: Callable[[AioClient], Any],
    guarded: bool,
) -> None:
    if not guarded:
        settings()
    begun, release, ended = threading.Event(), threading.Event(), threading.Event()
    active: list[bool] = []

    def handler(message: Any, context: grpc.ServicerContext) -> bytes:
        if message != b"ping":
            begun.set()
            release.wait(5)
            active.append(context.is_active())
            ended.set()
        return b"ok"

    server.handler = handler
    with Settled() as settled:
        begin(client)
        gc.collect()
        assert await asyncio.to_thread(begun.wait, 5)
        await client.get(b"ping")  # on the same connection: a cancellation would have arrived before it
        release.set()
        assert await asyncio.to_thread(ended.wait, 5)
        if guarded:
            assert await settled.outcomes(2) == [Outcome.SUCCESS] * 2
    assert active == [True]


@pytest.mark.parametrize("begin", ONE_ANSWER)
async def test_a_call_is_settled_when_nobody_asks_for_its_result(
    server: RpcServer, client: AioClient, begin: Callable[[AioClient], Any]
) -> None:
    told: list[Any] = []
    with Settled() as settled:
        call = begin(client)
        call.add_done_callback(told.append)
        assert await settled.outcomes() == [Outcome.SUCCESS]
        server.handler = aborting(grpc.StatusCode.INTERNAL)
        lost = begin(client)
        assert await settled.outcomes(2) == [Outcome.SUCCESS, Outcome.FAILURE]
    assert await call == b"ok"
    assert told == [call]
    del lost
    gc.collect()


async def test_a_wait_for_the_status_that_is_given_up_does_not_end_the_call(
    server: RpcServer, client: AioClient
) -> None:
    release = threading.Event()
    server.handler = lambda message, context: b"late" if release.wait(10) else b""
    call = client.get(b"x")
    with pytest.raises(asyncio.TimeoutError):
        await asyncio.wait_for(call.code(), 0.05)
    assert not call.done()
    release.set()
    assert await call == b"late"


@pytest.mark.parametrize("begin", ONE_ANSWER)
async def test_what_a_call_has_left_is_what_its_policies_leave(
    server: RpcServer, lone_client: AioClient, settings: Settings, begin: Callable[[AioClient], Any]
) -> None:
    settings(POLICIES.format(timeout="10s"))
    handler = Begun(server)
    server.handler = handler.unary
    call = begin(lone_client)
    await handler.begun()
    assert 5 < call.time_remaining() <= 10
    call.cancel()


async def test_a_refused_stream_is_a_call_that_failed(server: RpcServer, client: AioClient) -> None:
    server.handler = aborting(grpc.StatusCode.INTERNAL)
    for _ in range(2):
        with pytest.raises(grpc.aio.AioRpcError):
            await client.get(b"x")
    for call in (client.list(b"x"), client.chat(), client.sum()):
        told: list[Any] = []
        call.add_done_callback(told.append)
        assert told == [call]
        assert (call.done(), call.cancelled(), call.cancel(), call.time_remaining()) == (
            True,
            False,
            False,
            None,
        )
        assert await call.code() is grpc.StatusCode.UNAVAILABLE
        assert "is open" in await call.details()
        assert (len(await call.initial_metadata()), len(await call.trailing_metadata())) == (0, 0)
        with pytest.raises(CircuitOpenError):
            await call.wait_for_connection()
    with pytest.raises(CircuitOpenError):
        await client.list(b"x").read()
    with pytest.raises(CircuitOpenError):
        await client.chat().write(b"a")
    summed = client.sum()
    await summed.done_writing()
    with pytest.raises(CircuitOpenError):
        await summed


@pytest.mark.parametrize("read", [read_unary, *PARKED])
async def test_a_channel_closed_in_mid_call_is_a_cancel_of_this_side(
    server: RpcServer, client: AioClient, read: Read
) -> None:
    handler = Begun(server)
    server.handler = handler if read in STREAMS else handler.unary
    with Settled() as settled:
        task = asyncio.create_task(read(client))
        await handler.begun()
        await client.channel.close()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert await settled.outcomes() == [Outcome.CANCELLED]
    with pytest.raises(grpc.aio.UsageError):
        await read(client)


def test_an_event_loop_that_ends_before_its_calls_leaves_nothing_but_silence(
    server: RpcServer, settings: Settings, instrumented: None, recwarn: pytest.WarningsRecorder
) -> None:
    settings(POLICIES.format(timeout="10s"))
    server.handler = Begun(server, b"first")
    held: list[Any] = []

    async def leave() -> None:
        client = AioClient(server.target)
        held.extend([client, client.list(b"x"), client.get(b"x")])
        assert await anext(aiter(held[1])) == b"first"

    asyncio.run(leave())
    held.clear()
    gc.collect()
    assert [str(warning.message) for warning in recwarn if "resilience" in str(warning.message)] == []
