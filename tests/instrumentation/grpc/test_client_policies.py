"""Policies around gRPC calls with one answer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import grpc
import pytest
from opentelemetry.instrumentation.utils import suppress_instrumentation

from otel_resilience.context import deadline
from otel_resilience.events import AttemptFinished, ExecutionFinished, RetrySuppressed
from otel_resilience.exceptions import CircuitOpenError, DeadlineExceededError, ServiceTimeoutError
from otel_resilience.outcome import Outcome
from otel_resilience.testing import Recorder
from otel_resilience_instrumentation._settings import Runtime
from otel_resilience_instrumentation.grpc import wrap_channel
from tests.instrumentation.grpc.policies import BREAKER, THREE_ATTEMPTS, failing, waiting
from tests.instrumentation.grpc.rpc_server import Client, RpcServer, aborting

Settings = Callable[..., Runtime]


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


def test_a_suppressed_call_is_left_alone(server: RpcServer, client: Client, settings: Settings) -> None:
    settings('services: {"*": {retry: {max_attempts: 3}, circuit_breaker: {failure_threshold: 1}}}')
    server.handler = aborting(grpc.StatusCode.UNAVAILABLE)
    with Recorder() as recorder, suppress_instrumentation():
        for _ in range(3):
            with pytest.raises(grpc.RpcError):
                client.get(b"x")
    assert recorder.events == []
    assert server.asked[0].get("resilience") is None


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
