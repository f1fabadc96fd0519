"""gRPC calls that end somewhere else: futures and streams are guarded from begin to end, settled once, and never sent twice."""

from __future__ import annotations

import gc
import threading
from collections.abc import Callable, Iterator
from typing import Any

import grpc
import pytest
from opentelemetry.instrumentation.grpc import GrpcInstrumentorClient

from otel_resilience.context import request
from otel_resilience.context.request import Request
from otel_resilience.errors.adopt import error_chain
from otel_resilience.events import ExecutionFinished
from otel_resilience.exceptions import CircuitOpenError, ServiceTimeoutError
from otel_resilience.outcome import Outcome
from otel_resilience.testing import Recorder
from otel_resilience_instrumentation._settings import Runtime
from otel_resilience_instrumentation.grpc import GrpcInstrumentor
from tests.instrumentation.rpc_server import Client, RpcServer, aborting

Settings = Callable[..., Runtime]
Make = Callable[[Client], Any]

CHAIN = '"ledger";c=DB_UNAVAILABLE;t="4bf92f3577b34da6a3ce929d0e0e4736";s="00f067aa0ba902b7";r'

POLICIES = """
services:
  ledger:
    match: ["grpc:shop.v1.Ledger"]
    timeout: {timeout}
    retry: {{max_attempts: 3}}
    circuit_breaker: {{failure_threshold: 2, recovery_timeout: 60s}}
    operations: {{Get: {{idempotent: true}}, List: {{idempotent: true}}, Sum: {{idempotent: true}}, Chat: {{idempotent: true}}}}
"""


class Settled(Recorder):
    """Knows when a call was settled, whichever thread it was."""

    def __init__(self) -> None:
        super().__init__()
        self.count = threading.Semaphore(0)

    def __call__(self, event: Any) -> None:
        super().__call__(event)
        if isinstance(event, ExecutionFinished):
            self.count.release()

    def outcomes(self, number: int = 1) -> list[Outcome]:
        for _ in range(number):
            assert self.count.acquire(timeout=5)
        return [event.outcome for event in self.of(ExecutionFinished)]


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


def waiting(server: RpcServer) -> Callable[[Any, grpc.ServicerContext], Any]:
    def handler(message: Any, context: grpc.ServicerContext) -> list[bytes]:
        server.stopping.wait(10)
        return [b"late"]

    return handler


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


KINDS: list[Make] = [read_future, read_client_stream, read_client_stream_future, read_server_stream, read_both]


@pytest.mark.parametrize("read", KINDS)
def test_what_succeeds_is_one_success(server: RpcServer, client: Client, read: Make) -> None:
    server.handler = lambda message, context: [b"1", b"2"] if read in (read_server_stream, read_both) else b"12"
    with Settled() as settled:
        response = read(client)
    assert b"".join(response if isinstance(response, list) else [response]) == b"12"
    assert settled.outcomes() == [Outcome.SUCCESS]
    assert server.asked[0].get("resilience") == "attempt=1, chain"
    assert server.asked[0].time_remaining is not None


@pytest.mark.parametrize("read", KINDS)
def test_what_fails_is_sent_once_with_its_chain_read(server: RpcServer, client: Client, read: Make) -> None:
    server.handler = aborting(grpc.StatusCode.UNAVAILABLE, error_chain=CHAIN)
    current = Request()
    token = request.enter(current)
    try:
        with Settled() as settled, pytest.raises(grpc.RpcError) as caught:
            read(client)
    finally:
        request.leave(token)
    assert settled.outcomes() == [Outcome.FAILURE]
    assert len(server.asked) == 1
    found = error_chain(caught.value)
    assert found is not None
    assert found.root_cause_code == "DB_UNAVAILABLE"
    assert current.last_failure is not None
    assert current.last_failure.received == found


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


def test_a_refused_future_is_a_future_that_failed(server: RpcServer, client: Client) -> None:
    server.handler = aborting(grpc.StatusCode.INTERNAL)
    for _ in range(2):
        with pytest.raises(grpc.RpcError):
            client.get(b"x")
    told: list[Any] = []
    future = client.get.future(b"x")
    future.add_done_callback(told.append)
    assert told == [future]
    assert future.done()
    assert not future.running()
    assert not future.cancel()
    assert future.code() is grpc.StatusCode.UNAVAILABLE
    assert isinstance(future.exception(), CircuitOpenError)


def test_a_future_is_settled_when_nobody_asks_for_its_result(server: RpcServer, client: Client) -> None:
    told: list[Any] = []
    with Settled() as settled:
        future = client.get.future(b"x")
        future.add_done_callback(told.append)
        assert settled.outcomes() == [Outcome.SUCCESS]
    assert future.result() == b"ok"
    assert told == [future]
    assert future.exception() is None


def test_a_future_that_is_cancelled_says_nothing_of_the_dependency(server: RpcServer, client: Client) -> None:
    server.handler = waiting(server)
    with Settled() as settled:
        future = client.get.future(b"x")
        assert future.running()
        assert future.cancel()
        with pytest.raises(grpc.FutureCancelledError):
            future.result()
        assert settled.outcomes() == [Outcome.CANCELLED]


def test_a_wait_that_runs_out_does_not_end_the_call(server: RpcServer, client: Client) -> None:
    release = threading.Event()
    server.handler = lambda message, context: b"late" if release.wait(10) else b""
    with Settled() as settled:
        future = client.get.future(b"x")
        with pytest.raises(grpc.FutureTimeoutError):
            future.result(timeout=0.05)
        assert settled.of(ExecutionFinished) == []
        release.set()
        assert future.result() == b"late"
        assert settled.outcomes() == [Outcome.SUCCESS]


def test_a_stream_that_nobody_reads_to_its_end_is_settled_when_it_is_let_go(
    server: RpcServer, client: Client
) -> None:
    def endless(message: Any, context: grpc.ServicerContext) -> Iterator[bytes]:
        while context.is_active() and not server.stopping.is_set():
            yield b"more"

    server.handler = endless
    with Settled() as settled:
        stream = client.list(b"x")
        assert next(stream) == b"more"
        del stream
        gc.collect()
        assert settled.outcomes() == [Outcome.CANCELLED]


def test_a_stream_cancelled_from_another_thread_while_it_is_read_is_settled_once(
    server: RpcServer, client: Client, official: bool
) -> None:
    if official:
        return  # its streams are generators, which cannot be cancelled
    server.handler = waiting(server)
    with Settled() as settled:
        stream = client.list(b"x")
        reading = threading.Event()

        def cancel() -> None:
            reading.wait(5)
            stream.cancel()

        cancelling = threading.Thread(target=cancel)
        cancelling.start()
        reading.set()
        with pytest.raises(grpc.RpcError) as caught:
            next(stream)
        cancelling.join()
        assert caught.value.code() is grpc.StatusCode.CANCELLED
        assert settled.outcomes() == [Outcome.CANCELLED]


def test_a_failed_stream_raises_the_very_same_each_time(server: RpcServer, client: Client, official: bool) -> None:
    server.handler = aborting(grpc.StatusCode.DATA_LOSS)
    stream = client.chat(iter([b"a"]))
    with pytest.raises(grpc.RpcError) as first:
        next(stream)
    with pytest.raises(grpc.RpcError) as second:
        next(stream)
    assert first.value is second.value
    assert stream.code() is grpc.StatusCode.DATA_LOSS


def test_unguarded_ones_carry_fields_and_are_remembered(
    server: RpcServer, client: Client, settings: Settings
) -> None:
    settings()
    server.handler = aborting(grpc.StatusCode.UNAVAILABLE, error_chain=CHAIN)
    for read in KINDS:
        current = Request()
        token = request.enter(current)
        try:
            with pytest.raises(grpc.RpcError) as caught:
                read(client)
        finally:
            request.leave(token)
        assert error_chain(caught.value) is not None
        assert current.last_failure is not None
        assert current.last_failure.code == "UNAVAILABLE"
    assert {asked.get("resilience") for asked in server.asked} == {"chain"}
    assert {asked.time_remaining is None or asked.time_remaining > 1e9 for asked in server.asked} == {True}
