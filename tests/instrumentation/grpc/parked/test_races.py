"""Whoever comes first settles a call, and everybody gets what it came to."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from otel_resilience.exceptions import ServiceTimeoutError
from otel_resilience.outcome import Outcome
from otel_resilience_instrumentation._settings import Runtime
from tests.instrumentation.grpc.parked.settled import Settled, waiting
from tests.instrumentation.grpc.rpc_server import Client, RpcServer

CALLS = 20


@pytest.fixture(autouse=True)
def hurried() -> Iterator[None]:
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


@pytest.fixture
def short(server: RpcServer, client: Client, settings: Callable[..., Runtime]) -> Client:
    settings('services: {ledger: {match: ["grpc:shop.v1.Ledger"], timeout: 50ms}}')
    server.handler = waiting(server)
    return client


def test_everybody_who_asks_for_a_future_gets_the_same_end(short: Client) -> None:
    met: list[BaseException] = []
    with Settled() as settled:
        for _ in range(CALLS):
            future = short.get.future(b"x")

            def ask(future: Any = future) -> None:
                error = future.exception()
                assert error is future.exception()
                met.append(error)

            threads = [threading.Thread(target=ask) for _ in range(3)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        assert settled.outcomes(CALLS) == [Outcome.TIMEOUT] * CALLS
    assert len(met) == 3 * CALLS
    assert {isinstance(error, ServiceTimeoutError) for error in met} == {True}


def test_a_stream_that_is_read_while_grpc_calls_back_has_one_end(short: Client) -> None:
    met: list[BaseException] = []

    def read() -> None:
        try:
            list(short.list(b"x"))
        except ServiceTimeoutError as error:
            met.append(error)

    with Settled() as settled:
        threads = [threading.Thread(target=read) for _ in range(CALLS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert settled.outcomes(CALLS) == [Outcome.TIMEOUT] * CALLS
    assert len(met) == CALLS
