"""gRPC clients: policies around unary calls, what goes out with them, what is read from their failures."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any

import grpc
import pytest
from opentelemetry.instrumentation.utils import suppress_instrumentation

from otel_resilience.context import correlation, deadline, request
from otel_resilience.context.request import Request
from otel_resilience.errors.adopt import error_chain
from otel_resilience.events import AttemptFinished, ExecutionFinished, FieldDiscarded, RetrySuppressed
from otel_resilience.exceptions import CircuitOpenError, DeadlineExceededError, ServiceTimeoutError
from otel_resilience.outcome import Outcome
from otel_resilience.testing import Recorder
from otel_resilience_instrumentation._settings import Runtime
from otel_resilience_instrumentation.grpc import GrpcInstrumentor, wrap_channel
from tests.instrumentation.rpc_server import Client, RpcServer, aborting

Settings = Callable[..., Runtime]

CHAIN = '"ledger";c=DB_UNAVAILABLE;t="4bf92f3577b34da6a3ce929d0e0e4736";s="00f067aa0ba902b7";r'
FINAL_CHAIN = CHAIN.removesuffix(";r")

THREE_ATTEMPTS = """
services:
  ledger:
    match: ["grpc:shop.v1.Ledger"]
    retry: {max_attempts: 3, backoff: {initial: 1ms, jitter: none}}
    operations: {Get: {idempotent: true}}
"""


@pytest.fixture
def instrumented() -> Iterator[None]:
    before = grpc.insecure_channel, grpc.secure_channel, grpc.server
    GrpcInstrumentor().instrument()
    yield
    GrpcInstrumentor().uninstrument()
    assert (grpc.insecure_channel, grpc.secure_channel, grpc.server) == before


@pytest.fixture
def server() -> Iterator[RpcServer]:
    """Made before anything is instrumented: a peer that knows nothing of us."""
    with RpcServer() as running:
        yield running


@pytest.fixture
def client(server: RpcServer, settings: Settings, instrumented: None) -> Iterator[Client]:
    settings()
    with Client(server.target) as made:
        yield made


def failing(times: int, then: bytes = b"ok") -> Callable[[Any, grpc.ServicerContext], bytes]:
    left = iter([grpc.StatusCode.UNAVAILABLE] * times)

    def handler(message: Any, context: grpc.ServicerContext) -> bytes:
        code = next(left, None)
        if code is not None:
            context.abort(code, "not yet")
        return then

    return handler


def test_an_unguarded_call_goes_out_with_its_fields(server: RpcServer, client: Client) -> None:
    token = correlation.enter("order-17")
    try:
        assert client.get(b"x") == b"ok"
    finally:
        correlation.leave(token)
    (asked,) = server.asked
    assert asked.get("resilience") == "chain"
    assert asked.get("x-correlation-id") == "order-17"


def test_nothing_goes_out_to_a_host_outside(server: RpcServer, settings: Settings, instrumented: None) -> None:
    settings(internal_hosts="none,")
    with Client(server.target) as client:
        client.get(b"x")
    assert server.asked[0].get("resilience") is None


def test_an_idempotent_call_is_tried_again_and_says_which_attempt_it_is(
    server: RpcServer, client: Client, settings: Settings
) -> None:
    settings(THREE_ATTEMPTS)
    server.handler = failing(2)
    with Recorder() as recorder:
        assert client.get(b"x") == b"ok"
    assert [asked.get("resilience") for asked in server.asked] == [
        "attempt=1, chain",
        "attempt=2, chain",
        "attempt=3, chain",
    ]
    assert len(recorder.of(AttemptFinished)) == 3
    (finished,) = recorder.of(ExecutionFinished)
    assert (finished.outcome, finished.peer) == (Outcome.SUCCESS, "ledger")


def test_a_call_that_nobody_called_idempotent_is_sent_once(
    server: RpcServer, client: Client, settings: Settings
) -> None:
    settings(THREE_ATTEMPTS.replace("operations: {Get: {idempotent: true}}", ""))
    server.handler = failing(2)
    with Recorder() as recorder, pytest.raises(grpc.RpcError) as caught:
        client.get(b"x")
    assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
    assert [event.reason for event in recorder.of(RetrySuppressed)] == ["not_idempotent"]
    assert len(server.asked) == 1


def test_with_call_is_tried_again_too(server: RpcServer, client: Client, settings: Settings) -> None:
    settings(THREE_ATTEMPTS)
    server.handler = failing(1)
    response, call = client.get.with_call(b"x")
    assert response == b"ok"
    assert call.code() is grpc.StatusCode.OK


def test_the_very_error_of_the_last_attempt_is_raised(
    server: RpcServer, client: Client, settings: Settings
) -> None:
    settings(THREE_ATTEMPTS)
    server.handler = failing(9)
    with pytest.raises(grpc.RpcError) as caught:
        client.get(b"x")
    assert type(caught.value).__name__ == "_InactiveRpcError"
    assert caught.value.__context__ is None
    assert len(server.asked) == 3


@pytest.mark.parametrize(("chain", "attempts"), [(CHAIN, 3), (FINAL_CHAIN, 1)])
def test_the_root_of_the_peers_chain_decides_on_another_try(
    server: RpcServer, client: Client, settings: Settings, chain: str, attempts: int
) -> None:
    settings(THREE_ATTEMPTS)
    server.handler = aborting(grpc.StatusCode.UNAVAILABLE, error_chain=chain)
    with pytest.raises(grpc.RpcError) as caught:
        client.get(b"x")
    assert len(server.asked) == attempts
    found = error_chain(caught.value)
    assert found is not None
    assert (found.root.service, found.root_cause_code) == ("ledger", "DB_UNAVAILABLE")


def test_a_failed_call_is_remembered_by_the_request_in_hand(server: RpcServer, client: Client) -> None:
    server.handler = aborting(grpc.StatusCode.UNAVAILABLE, error_chain=CHAIN)
    current = Request()
    token = request.enter(current)
    try:
        with pytest.raises(grpc.RpcError):
            client.get(b"x")
    finally:
        request.leave(token)
    assert current.last_failure is not None
    assert current.last_failure.received is not None
    assert current.last_failure.code == "UNAVAILABLE"


@pytest.mark.parametrize("chain", ["not a list (", '"a";c=lower', '"a";c=X' + ";z=1" * 900])
def test_a_chain_that_is_none_is_ignored_and_counted(server: RpcServer, client: Client, chain: str) -> None:
    server.handler = aborting(grpc.StatusCode.INTERNAL, error_chain=chain)
    with Recorder() as recorder, pytest.raises(grpc.RpcError) as caught:
        client.get(b"x")
    assert error_chain(caught.value) is None
    assert len(recorder.of(FieldDiscarded)) == 1


def test_a_chain_from_outside_is_not_believed(
    server: RpcServer, settings: Settings, instrumented: None
) -> None:
    settings(internal_hosts="none,")
    server.handler = aborting(grpc.StatusCode.UNAVAILABLE, error_chain=CHAIN)
    with Client(server.target) as client, Recorder() as recorder, pytest.raises(grpc.RpcError) as caught:
        client.get(b"x")
    assert error_chain(caught.value) is None
    assert [event.reason for event in recorder.of(FieldDiscarded)] == ["untrusted"]


BREAKER = """
services:
  ledger:
    match: ["{target}"]
    circuit_breaker: {{failure_threshold: 2, recovery_timeout: 60s}}
"""


def test_an_open_circuit_is_also_the_librarys_unavailable(
    server: RpcServer, client: Client, settings: Settings
) -> None:
    settings(BREAKER.format(target=server.target))
    server.handler = aborting(grpc.StatusCode.INTERNAL)
    for _ in range(2):
        with pytest.raises(grpc.RpcError):
            client.get(b"x")
    with pytest.raises(grpc.RpcError) as caught:
        client.get(b"x")
    refused = caught.value
    assert isinstance(refused, CircuitOpenError)
    assert isinstance(refused, grpc.Call)
    assert refused.code() is grpc.StatusCode.UNAVAILABLE
    assert refused.details() == str(refused)
    assert refused.trailing_metadata() == ()
    assert refused.retry_after is not None
    assert len(server.asked) == 2


@pytest.mark.parametrize(
    "code",
    [grpc.StatusCode.NOT_FOUND, grpc.StatusCode.FAILED_PRECONDITION, grpc.StatusCode.CANCELLED],
)
def test_an_answer_that_is_no_failure_of_the_dependency_opens_nothing(
    server: RpcServer, client: Client, settings: Settings, code: grpc.StatusCode
) -> None:
    settings(BREAKER.format(target=server.target))
    server.handler = aborting(code)
    with Recorder() as recorder:
        for _ in range(4):
            with pytest.raises(grpc.RpcError) as caught:
                client.get(b"x")
            assert caught.value.code() is code
    assert {event.outcome for event in recorder.of(ExecutionFinished)} == {Outcome.FAILURE}
    assert {event.error_type for event in recorder.of(ExecutionFinished)} == {code.name}


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


def waiting(server: RpcServer) -> Callable[[Any, grpc.ServicerContext], bytes]:
    def handler(message: Any, context: grpc.ServicerContext) -> bytes:
        server.stopping.wait(10)
        return b"late"

    return handler


def test_a_timeout_of_ours_ends_in_service_timeout_and_the_librarys_own(
    server: RpcServer, client: Client, settings: Settings
) -> None:
    settings(f'services: {{ledger: {{match: ["{server.target}"], timeout: 150ms}}}}')
    server.handler = waiting(server)
    with pytest.raises(grpc.RpcError) as caught:
        client.get(b"x", timeout=30)
    ended = caught.value
    assert isinstance(ended, ServiceTimeoutError)
    assert ended.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    assert isinstance(ended.__cause__, grpc.RpcError)
    assert server.asked[0].time_remaining is not None
    assert server.asked[0].time_remaining <= 0.2


def test_the_users_own_shorter_timeout_is_kept_and_is_no_end_of_ours(
    server: RpcServer, client: Client, settings: Settings
) -> None:
    settings(f'services: {{ledger: {{match: ["{server.target}"], timeout: 10s}}}}')
    server.handler = waiting(server)
    with pytest.raises(grpc.RpcError) as caught:
        client.get(b"x", timeout=0.1)
    assert not isinstance(caught.value, ServiceTimeoutError)
    assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED


def test_a_call_whose_deadline_has_passed_is_refused(
    server: RpcServer, client: Client, settings: Settings
) -> None:
    settings(f'services: {{ledger: {{match: ["{server.target}"], timeout: 10s}}}}')
    token = deadline.tighten(0.0)
    try:
        with pytest.raises(grpc.RpcError) as caught:
            client.get(b"x")
    finally:
        deadline.restore(token)
    assert isinstance(caught.value, DeadlineExceededError)
    assert server.asked == []


def test_the_users_metadata_is_kept_repeated_keys_too(server: RpcServer, client: Client) -> None:
    client.get(b"x", metadata=(("tag", "a"), ("tag", "b"), ("x-correlation-id", "mine"), ("k-bin", b"\x00")))
    (asked,) = server.asked
    assert asked.all("tag") == ["a", "b"]
    assert asked.all("x-correlation-id") == ["mine"]
    assert asked.all("k-bin") == [b"\x00"]


def test_a_suppressed_call_is_left_alone(server: RpcServer, client: Client, settings: Settings) -> None:
    settings('services: {"*": {retry: {max_attempts: 3}, circuit_breaker: {failure_threshold: 1}}}')
    server.handler = aborting(grpc.StatusCode.UNAVAILABLE)
    with Recorder() as recorder, suppress_instrumentation():
        for _ in range(3):
            with pytest.raises(grpc.RpcError):
                client.get(b"x")
    assert recorder.events == []
    assert server.asked[0].get("resilience") is None


def test_a_port_that_refuses_is_an_unavailable_root_of_our_own(client: Client, settings: Settings) -> None:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        target = f"127.0.0.1:{held.getsockname()[1]}"
        settings(f'services: {{ledger: {{match: ["{target}"], timeout: 5s}}}}')
        current = Request()
        token = request.enter(current)
        try:
            with Client(target) as lost, pytest.raises(grpc.RpcError) as caught:
                lost.get(b"x")
        finally:
            request.leave(token)
    assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
    assert current.last_failure is not None
    assert (current.last_failure.code, current.last_failure.kind) == ("UNAVAILABLE", "remote")
    assert current.last_failure.received is None


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


def test_a_channel_made_before_can_be_wrapped(server: RpcServer, settings: Settings) -> None:
    settings(THREE_ATTEMPTS)
    server.handler = failing(2)
    with wrap_channel(grpc.insecure_channel(server.target), server.target) as channel:
        assert wrap_channel(channel, server.target) is channel
        assert channel.unary_unary("/shop.v1.Ledger/Get")(b"x") == b"ok"
    assert len(server.asked) == 3


def test_a_guarded_channel_is_a_channel_to_the_librarys_own_tools(server: RpcServer, client: Client) -> None:
    class Tagging(grpc.UnaryUnaryClientInterceptor):
        def intercept_unary_unary(self, continuation: Any, details: Any, message: Any) -> Any:
            return continuation(details._replace(metadata=[("tag", "mine")]), message)

    grpc.channel_ready_future(client.channel).result(timeout=5)
    intercepted = grpc.intercept_channel(client.channel, Tagging())
    assert intercepted.unary_unary("/shop.v1.Ledger/Get", _registered_method=True)(b"x") == b"ok"
    assert server.asked[0].all("tag") == ["mine"]
    assert server.asked[0].get("resilience") == "chain"


def test_when_our_part_fails_the_call_is_still_made(
    server: RpcServer, client: Client, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    from otel_resilience_instrumentation import _grpc_call

    def broken(*args: Any, **kwargs: Any) -> Any:
        raise LookupError("ours")

    monkeypatch.setattr(_grpc_call, "runtime", broken)
    assert client.get(b"x") == b"ok"
    monkeypatch.undo()
    monkeypatch.setattr(_grpc_call, "request_fields", broken)
    assert client.get(b"x") == b"ok"
    assert [record.getMessage() for record in caplog.records] == [
        "an RPC is sent without its policies",
        "an RPC is sent without its fields",
    ]
