"""Every kind of call, in every way to read it: guarded from begin to end, settled once, and sent once but for one kind."""

from __future__ import annotations

import grpc
import grpc.aio
import pytest

from otel_resilience.errors.adopt import error_chain
from otel_resilience.exceptions import CircuitOpenError, ServiceTimeoutError
from otel_resilience.outcome import Outcome
from tests.instrumentation.grpc.parked.settled import POLICIES, waiting
from tests.instrumentation.grpc.policies import CHAIN
from tests.instrumentation.grpc.rpc_server import RpcServer, aborting
from tests.instrumentation.grpc_aio.client.calling import (
    PARKED,
    STREAMS,
    AioClient,
    Read,
    Remembered,
    Settled,
    read_unary,
    write_client_stream,
)
from tests.instrumentation.grpc_aio.client.conftest import Settings

KINDS: list[Read] = [read_unary, *PARKED]


@pytest.fixture
def client(client: AioClient, settings: Settings) -> AioClient:
    settings(POLICIES.format(timeout="10s"))
    return client


@pytest.mark.parametrize("read", KINDS)
async def test_what_succeeds_is_one_success(server: RpcServer, client: AioClient, read: Read) -> None:
    server.handler = lambda message, context: [b"1", b"2"] if read in STREAMS else b"12"
    with Settled() as settled:
        assert await read(client) == b"12"
        assert await settled.outcomes() == [Outcome.SUCCESS]
    assert server.asked[0].get("resilience") == "attempt=1, chain"
    assert server.asked[0].time_remaining is not None


@pytest.mark.parametrize("read", PARKED)
async def test_what_fails_is_sent_once_with_its_chain_read(
    server: RpcServer, client: AioClient, read: Read
) -> None:
    server.handler = aborting(grpc.StatusCode.UNAVAILABLE, error_chain=CHAIN)
    with Settled() as settled, Remembered() as remembered:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await read(client)
        assert await settled.outcomes() == [Outcome.FAILURE]
    assert len(server.asked) == 1
    assert type(caught.value) is grpc.aio.AioRpcError
    found = error_chain(caught.value)
    assert found is not None
    assert found.root_cause_code == "DB_UNAVAILABLE"
    assert remembered.failure is not None
    assert remembered.failure.received == found


@pytest.mark.parametrize("read", KINDS)
async def test_our_timeout_ends_them_in_service_timeout(
    server: RpcServer, client: AioClient, settings: Settings, read: Read
) -> None:
    settings(POLICIES.format(timeout="150ms"))
    server.handler = waiting(server)
    with Settled() as settled:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await read(client)
        assert await settled.outcomes() == [Outcome.TIMEOUT]
    assert isinstance(caught.value, ServiceTimeoutError)
    assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED


@pytest.mark.parametrize("read", KINDS)
async def test_an_open_circuit_refuses_when_the_result_is_asked_for(
    server: RpcServer, client: AioClient, read: Read
) -> None:
    server.handler = aborting(grpc.StatusCode.INTERNAL)
    for _ in range(2):
        with pytest.raises(grpc.aio.AioRpcError):
            await read(client)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await read(client)
    assert isinstance(caught.value, CircuitOpenError)
    assert len(server.asked) == 2


@pytest.mark.parametrize("read", KINDS)
async def test_unguarded_ones_carry_fields_and_are_remembered(
    server: RpcServer, client: AioClient, settings: Settings, read: Read
) -> None:
    settings()
    server.handler = aborting(grpc.StatusCode.UNAVAILABLE, error_chain=CHAIN)
    with Remembered() as remembered, pytest.raises(grpc.aio.AioRpcError) as caught:
        await read(client)
    assert error_chain(caught.value) is not None
    assert remembered.failure is not None
    assert remembered.failure.code == "UNAVAILABLE"
    assert server.asked[0].get("resilience") == "chain"
    assert server.asked[0].time_remaining is None or server.asked[0].time_remaining > 1e9


async def test_a_call_that_is_written_to_is_guarded_too(
    server: RpcServer, lone_client: AioClient, settings: Settings
) -> None:
    settings(POLICIES.format(timeout="10s"))
    with Settled() as settled:
        assert await write_client_stream(lone_client) == b"ok"
        server.handler = aborting(grpc.StatusCode.INTERNAL, error_chain=CHAIN)
        for _ in range(2):
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await write_client_stream(lone_client)
            assert error_chain(caught.value) is not None
        with pytest.raises(CircuitOpenError):
            await write_client_stream(lone_client)
        assert await settled.outcomes(4) == [
            Outcome.SUCCESS,
            Outcome.FAILURE,
            Outcome.FAILURE,
            Outcome.REJECTED,
        ]
