"""gRPC clients where nobody scripted the failure: ports, names, processes, channels, callers, ourselves."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from typing import Any

import grpc
import pytest

from otel_resilience.events import ExecutionFinished
from otel_resilience.outcome import Outcome
from otel_resilience.testing import Recorder
from otel_resilience_instrumentation._settings import Runtime
from tests.in_hand import request_in_hand
from tests.instrumentation.grpc.policies import BREAKER, THREE_ATTEMPTS
from tests.instrumentation.grpc.rpc_server import Client, RpcServer, aborting

Settings = Callable[..., Runtime]


def test_what_the_caller_did_wrong_opens_nothing(
    server: RpcServer, client: Client, settings: Settings
) -> None:
    settings(BREAKER.format(target=server.target))
    for _ in range(3):
        with pytest.raises(grpc.RpcError, match="Invalid metadata"):
            client.get(b"x", metadata=[("No Key", "x")])
        with pytest.raises(grpc.RpcError, match="Exception serializing request"):
            client.channel.unary_unary("/shop.v1.Ledger/Get", request_serializer=lambda _: 1 / 0)(b"x")
    assert client.get(b"x") == b"ok"


def test_a_port_that_refuses_is_an_unavailable_root_of_our_own(client: Client, settings: Settings) -> None:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        target = f"127.0.0.1:{held.getsockname()[1]}"
        settings(f'services: {{ledger: {{match: ["{target}"], timeout: 5s}}}}')
        with (
            request_in_hand() as current,
            Client(target) as lost,
            pytest.raises(grpc.RpcError) as caught,
        ):
            lost.get(b"x")
    assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
    assert (current.failures[-1].code, current.failures[-1].kind) == ("UNAVAILABLE", "remote")
    assert current.failures[-1].received is None


def test_a_name_that_does_not_resolve_is_unavailable(client: Client, settings: Settings) -> None:
    settings('services: {ledger: {match: ["nowhere.invalid:50051"], timeout: 20s}}')
    with Client("nowhere.invalid:50051") as lost, pytest.raises(grpc.RpcError) as caught:
        lost.get(b"x")
    assert caught.value.code() is grpc.StatusCode.UNAVAILABLE


def test_a_server_that_dies_in_mid_call_is_unavailable(
    server: RpcServer, client: Client, settings: Settings
) -> None:
    settings(f'services: {{ledger: {{match: ["{server.target}"], timeout: 10s}}}}')
    begun = threading.Event()

    def handler(message: Any, context: grpc.ServicerContext) -> bytes:
        begun.set()
        server.stopping.wait(10)
        return b"late"

    server.handler = handler
    met: list[BaseException] = []

    def call() -> None:
        try:
            client.get(b"x")
        except grpc.RpcError as error:
            met.append(error)

    calling = threading.Thread(target=call)
    calling.start()
    assert begun.wait(5)
    server._server.stop(grace=0)
    calling.join()
    (error,) = met
    assert isinstance(error, grpc.Call)
    assert error.code() in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED)


DOOMED = """
import threading
from concurrent.futures import ThreadPoolExecutor
import grpc

def wait(message, context):
    print("begun", flush=True)
    threading.Event().wait()

server = grpc.server(ThreadPoolExecutor(max_workers=1))
methods = {"Get": grpc.unary_unary_rpc_method_handler(wait)}
server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("shop.v1.Ledger", methods),))
print(server.add_insecure_port("127.0.0.1:0"), flush=True)
server.start()
server.wait_for_termination()
"""


def test_a_process_that_is_killed_in_mid_call_is_an_unavailable_root_of_our_own(
    settings: Settings, instrumented: None
) -> None:
    with subprocess.Popen([sys.executable, "-c", DOOMED], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        lines = process.stdout
        target = f"127.0.0.1:{lines.readline().strip()}"
        settings(f'services: {{ledger: {{match: ["{target}"], timeout: 20s}}}}')
        killing = threading.Thread(target=lambda: (lines.readline(), process.kill()))
        killing.start()
        try:
            with (
                request_in_hand() as current,
                Client(target) as doomed,
                pytest.raises(grpc.RpcError) as caught,
            ):
                doomed.get(b"x")
        finally:
            process.kill()
            killing.join()
    assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
    assert (current.failures[-1].code, current.failures[-1].kind) == ("UNAVAILABLE", "remote")


def test_a_channel_closed_in_mid_call_is_a_cancel_of_this_side(
    server: RpcServer, client: Client, settings: Settings
) -> None:
    settings(BREAKER.format(target=server.target))
    begun = threading.Event()

    def handler(message: Any, context: grpc.ServicerContext) -> bytes:
        begun.set()
        server.stopping.wait(10)
        return b"late"

    server.handler = handler

    def close() -> None:
        begun.wait(5)
        client.channel.close()

    closing = threading.Thread(target=close)
    closing.start()
    with Recorder() as recorder, pytest.raises(grpc.RpcError) as caught:
        client.get(b"x")
    closing.join()
    assert caught.value.code() is grpc.StatusCode.CANCELLED
    assert [event.outcome for event in recorder.of(ExecutionFinished)] == [Outcome.CANCELLED]


def test_when_our_part_fails_the_call_is_still_made(
    server: RpcServer, client: Client, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    from otel_resilience_instrumentation import _grpc_outgoing

    def broken(*args: Any, **kwargs: Any) -> Any:
        raise LookupError("ours")

    monkeypatch.setattr(_grpc_outgoing, "runtime", broken)
    assert client.get(b"x") == b"ok"
    monkeypatch.undo()
    monkeypatch.setattr(_grpc_outgoing, "request_fields", broken)
    assert client.get(b"x") == b"ok"
    assert [record.getMessage() for record in caplog.records] == [
        "an RPC is sent without its policies",
        "an RPC is sent without its fields",
    ]


@pytest.mark.parametrize("guarded", [True, False], ids=["guarded", "unguarded"])
@pytest.mark.parametrize("ask", [lambda client: client.get(b"x"), lambda client: list(client.list(b"x"))])
def test_an_answer_that_is_raised_is_no_failed_call_of_the_request(
    server: RpcServer, instrumented: None, settings: Settings, guarded: bool, ask: Callable[[Client], Any]
) -> None:
    """A dependency's NOT_FOUND is not what this service fails with."""
    settings(THREE_ATTEMPTS if guarded else "mode: enforce")
    server.handler = aborting(grpc.StatusCode.NOT_FOUND)
    with request_in_hand() as current, Client(server.target) as client, pytest.raises(grpc.RpcError):
        ask(client)
    assert current.failures == ()
