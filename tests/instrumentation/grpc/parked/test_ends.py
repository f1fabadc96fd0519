"""How futures and streams end: asked for, not asked for, cancelled, given up."""

from __future__ import annotations

import gc
import threading
from collections.abc import Iterator
from typing import Any

import grpc
import pytest

from otel_resilience.events import ExecutionFinished
from otel_resilience.exceptions import CircuitOpenError
from otel_resilience.outcome import Outcome
from tests.instrumentation.grpc.parked.settled import Settled, waiting
from tests.instrumentation.grpc.rpc_server import Client, RpcServer, aborting


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


def test_a_stream_that_nobody_reads_to_its_end_is_cancelled_and_settled(
    server: RpcServer, client: Client, official: bool
) -> None:
    left = threading.Event()

    def endless(message: Any, context: grpc.ServicerContext) -> Iterator[bytes]:
        context.add_callback(left.set)
        while context.is_active() and not server.stopping.is_set():
            yield b"more"

    server.handler = endless
    with Settled() as settled:
        stream = client.list(b"x")
        assert next(stream) == b"more"
        del stream
        gc.collect()
        assert left.wait(5)
        if official:  # its streams are generators, which tell nobody: settled with the next call
            server.handler = lambda message, context: b"ok"
            client.get(b"x")
            assert settled.outcomes(2) == [Outcome.CANCELLED, Outcome.SUCCESS]
        else:
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


def test_a_failed_stream_raises_the_very_same_each_time(
    server: RpcServer, client: Client, official: bool
) -> None:
    server.handler = aborting(grpc.StatusCode.DATA_LOSS)
    stream = client.chat(iter([b"a"]))
    with pytest.raises(grpc.RpcError) as first:
        next(stream)
    with pytest.raises(grpc.RpcError) as second:
        next(stream)
    assert first.value is second.value
    assert stream.code() is grpc.StatusCode.DATA_LOSS
