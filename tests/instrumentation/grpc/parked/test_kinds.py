"""Every kind of call that ends somewhere else: guarded from begin to end, settled once, never sent twice."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import grpc
import pytest

from otel_resilience.errors.adopt import error_chain
from otel_resilience.exceptions import CircuitOpenError, ServiceTimeoutError
from otel_resilience.outcome import Outcome
from otel_resilience_instrumentation._settings import Runtime
from tests.in_hand import request_in_hand
from tests.instrumentation.grpc.parked.settled import POLICIES, Settled, waiting
from tests.instrumentation.grpc.rpc_server import Client, RpcServer, aborting

Settings = Callable[..., Runtime]


Make = Callable[[Client], Any]


CHAIN = '"ledger";c=DB_UNAVAILABLE;t="4bf92f3577b34da6a3ce929d0e0e4736";s="00f067aa0ba902b7";r'


def read_future(client: Client) -> Any:
    return client.get.future(b"x").result()


def read_client_stream(client: Client) -> Any:
    return client.sum(iter([b"a", b"b"]))


def read_client_stream_future(client: Client) -> Any:
    return client.sum.future(iter([b"a", b"b"])).result()


def read_server_stream(client: Client) -> Any:
    return list(client.list(b"x"))


def read_both(client: Client) -> Any:
    return list(client.chat(iter([b"a"])))


KINDS: list[Make] = [
    read_future,
    read_client_stream,
    read_client_stream_future,
    read_server_stream,
    read_both,
]


@pytest.mark.parametrize("read", KINDS)
def test_what_succeeds_is_one_success(server: RpcServer, client: Client, read: Make) -> None:
    server.handler = lambda message, context: (
        [b"1", b"2"] if read in (read_server_stream, read_both) else b"12"
    )
    with Settled() as settled:
        response = read(client)
    assert b"".join(response if isinstance(response, list) else [response]) == b"12"
    assert settled.outcomes() == [Outcome.SUCCESS]
    assert server.asked[0].get("resilience") == "attempt=1, chain"
    assert server.asked[0].time_remaining is not None


@pytest.mark.parametrize("read", KINDS)
def test_what_fails_is_sent_once_with_its_chain_read(server: RpcServer, client: Client, read: Make) -> None:
    server.handler = aborting(grpc.StatusCode.UNAVAILABLE, error_chain=CHAIN)
    with (
        request_in_hand() as current,
        Settled() as settled,
        pytest.raises(grpc.RpcError) as caught,
    ):
        read(client)
    assert settled.outcomes() == [Outcome.FAILURE]
    assert len(server.asked) == 1
    found = error_chain(caught.value)
    assert found is not None
    assert found.root_cause_code == "DB_UNAVAILABLE"
    assert current.failures[-1].received == found


@pytest.mark.parametrize("read", KINDS)
def test_our_timeout_ends_them_in_service_timeout(
    server: RpcServer, client: Client, settings: Settings, read: Make
) -> None:
    settings(POLICIES.format(timeout="150ms"))
    server.handler = waiting(server)
    with Settled() as settled, pytest.raises(grpc.RpcError) as caught:
        read(client)
    assert settled.outcomes() == [Outcome.TIMEOUT]
    assert isinstance(caught.value, ServiceTimeoutError)


@pytest.mark.parametrize("read", KINDS)
def test_an_open_circuit_refuses_when_the_result_is_asked_for(
    server: RpcServer, client: Client, read: Make
) -> None:
    server.handler = aborting(grpc.StatusCode.INTERNAL)
    for _ in range(2):
        with pytest.raises(grpc.RpcError):
            read(client)
    with pytest.raises(CircuitOpenError) as caught:
        read(client)
    assert isinstance(caught.value, grpc.RpcError)
    assert len(server.asked) == 2


def test_unguarded_ones_carry_fields_and_are_remembered(
    server: RpcServer, client: Client, settings: Settings
) -> None:
    settings()
    server.handler = aborting(grpc.StatusCode.UNAVAILABLE, error_chain=CHAIN)
    for read in KINDS:
        with request_in_hand() as current, pytest.raises(grpc.RpcError) as caught:
            read(client)
        assert error_chain(caught.value) is not None
        assert current.failures[-1].code == "UNAVAILABLE"
    assert {asked.get("resilience") for asked in server.asked} == {"chain"}
    assert {asked.time_remaining is None or asked.time_remaining > 1e9 for asked in server.asked} == {True}
