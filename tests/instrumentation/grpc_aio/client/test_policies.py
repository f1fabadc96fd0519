"""Policies around ``grpc.aio`` calls with one request and one answer."""

from __future__ import annotations

import asyncio
import pickle
from typing import Any

import grpc
import grpc.aio
import pytest
from opentelemetry.instrumentation.utils import suppress_instrumentation

from otel_resilience.context import deadline
from otel_resilience.events import AttemptFinished, ExecutionFinished, RetrySuppressed
from otel_resilience.exceptions import CircuitOpenError, DeadlineExceededError, ServiceTimeoutError
from otel_resilience.outcome import Outcome
from otel_resilience.testing import Recorder
from tests.instrumentation.grpc.policies import BREAKER, THREE_ATTEMPTS, failing, waiting
from tests.instrumentation.grpc.rpc_server import RpcServer, aborting
from tests.instrumentation.grpc_aio.client.calling import GET, AioClient
from tests.instrumentation.grpc_aio.client.conftest import Settings


async def test_an_idempotent_call_is_tried_again_and_says_which_attempt_it_is(
    server: RpcServer, client: AioClient, settings: Settings
) -> None:
    settings(THREE_ATTEMPTS)
    server.handler = failing(2)
    with Recorder() as recorder:
        assert await client.get(b"x") == b"ok"
    assert [asked.get("resilience") for asked in server.asked] == [
        "attempt=1, chain",
        "attempt=2, chain",
        "attempt=3, chain",
    ]
    assert len(recorder.of(AttemptFinished)) == 3
    (finished,) = recorder.of(ExecutionFinished)
    assert (finished.outcome, finished.peer) == (Outcome.SUCCESS, "ledger")


async def test_a_call_that_nobody_called_idempotent_is_sent_once(
    server: RpcServer, client: AioClient, settings: Settings
) -> None:
    settings(THREE_ATTEMPTS.replace("operations: {Get: {idempotent: true}}", ""))
    server.handler = failing(2)
    with Recorder() as recorder, pytest.raises(grpc.aio.AioRpcError) as caught:
        await client.get(b"x")
    assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
    assert [event.reason for event in recorder.of(RetrySuppressed)] == ["not_idempotent"]
    assert len(server.asked) == 1


async def test_the_very_error_of_the_last_attempt_is_raised_to_all_who_ask(
    server: RpcServer, client: AioClient, settings: Settings
) -> None:
    settings(THREE_ATTEMPTS)
    server.handler = failing(9)
    call = client.get(b"x")
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    assert type(caught.value) is grpc.aio.AioRpcError
    assert len(server.asked) == 3
    with pytest.raises(grpc.aio.AioRpcError) as again:
        await call
    assert again.value is caught.value
    with pytest.raises(grpc.aio.AioRpcError) as connecting:
        await call.wait_for_connection()
    assert connecting.value is caught.value
    assert await call.code() is grpc.StatusCode.UNAVAILABLE
    assert (await call.details(), call.done(), call.cancelled()) == ("not yet", True, False)


async def test_an_open_circuit_is_also_the_librarys_unavailable(
    server: RpcServer, client: AioClient, settings: Settings
) -> None:
    settings(BREAKER.format(target=server.target))
    server.handler = aborting(grpc.StatusCode.INTERNAL)
    for _ in range(2):
        with pytest.raises(grpc.aio.AioRpcError):
            await client.get(b"x")
    call = client.get(b"x")
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    refused = caught.value
    assert isinstance(refused, CircuitOpenError)
    assert refused.code() is grpc.StatusCode.UNAVAILABLE
    assert refused.details() == str(refused)
    assert "is open" in repr(refused)
    assert (len(refused.trailing_metadata()), len(refused.initial_metadata())) == (0, 0)
    assert refused.retry_after is not None
    copy = pickle.loads(pickle.dumps(refused))
    assert (type(copy), copy.code(), copy.args) == (type(refused), refused.code(), refused.args)
    assert await call.code() is grpc.StatusCode.UNAVAILABLE
    assert await call.details() == str(refused)
    assert await call.debug_error_string() == refused.debug_error_string() == ""
    assert len(server.asked) == 2


@pytest.mark.parametrize(
    "code",
    [grpc.StatusCode.NOT_FOUND, grpc.StatusCode.FAILED_PRECONDITION, grpc.StatusCode.CANCELLED],
)
async def test_an_answer_that_is_no_failure_of_the_dependency_opens_nothing(
    server: RpcServer, client: AioClient, settings: Settings, code: grpc.StatusCode
) -> None:
    settings(BREAKER.format(target=server.target))
    server.handler = aborting(code)
    with Recorder() as recorder:
        for _ in range(4):
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await client.get(b"x")
            assert caught.value.code() is code
    assert {event.outcome for event in recorder.of(ExecutionFinished)} == {Outcome.FAILURE}
    assert {event.error_type for event in recorder.of(ExecutionFinished)} == {code.name}


async def test_a_timeout_of_ours_ends_in_service_timeout_and_the_librarys_own(
    server: RpcServer, client: AioClient, settings: Settings
) -> None:
    settings(f'services: {{ledger: {{match: ["{server.target}"], timeout: 150ms}}}}')
    server.handler = waiting(server)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await client.get(b"x", timeout=30)
    assert isinstance(caught.value, ServiceTimeoutError)
    assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    assert server.asked[0].time_remaining is not None
    assert server.asked[0].time_remaining <= 0.2


async def test_an_attempt_that_takes_too_long_is_made_again(
    server: RpcServer, client: AioClient, settings: Settings
) -> None:
    settings(THREE_ATTEMPTS.replace("retry:", "attempt_timeout: 100ms\n    retry:"))
    slow = waiting(server)
    server.handler = lambda message, context: slow(message, context) if len(server.asked) == 1 else b"ok"
    assert await client.get(b"x") == b"ok"
    assert len(server.asked) == 2


async def test_the_users_own_shorter_timeout_is_kept_and_is_no_end_of_ours(
    server: RpcServer, client: AioClient, settings: Settings
) -> None:
    settings(f'services: {{ledger: {{match: ["{server.target}"], timeout: 10s}}}}')
    server.handler = waiting(server)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await client.get(b"x", timeout=0.1)
    assert not isinstance(caught.value, ServiceTimeoutError)
    assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED


async def test_a_call_whose_deadline_has_passed_is_refused(
    server: RpcServer, client: AioClient, settings: Settings
) -> None:
    settings(f'services: {{ledger: {{match: ["{server.target}"], timeout: 10s}}}}')
    token = deadline.tighten(0.0)
    try:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await client.get(b"x")
    finally:
        deadline.restore(token)
    assert isinstance(caught.value, DeadlineExceededError)
    assert server.asked == []


async def test_a_bulkhead_lets_calls_wait_their_turn(
    server: RpcServer, client: AioClient, settings: Settings
) -> None:
    settings(
        f'services: {{ledger: {{match: ["{server.target}"], bulkhead: {{max_concurrency: 1, max_queue: 9}}}}}}'
    )
    assert await asyncio.gather(*(client.get(b"x") for _ in range(5))) == [b"ok"] * 5


async def test_a_suppressed_call_is_left_alone(
    server: RpcServer, client: AioClient, settings: Settings
) -> None:
    settings('services: {"*": {retry: {max_attempts: 3}, circuit_breaker: {failure_threshold: 1}}}')
    server.handler = aborting(grpc.StatusCode.UNAVAILABLE)
    with Recorder() as recorder, suppress_instrumentation():
        for _ in range(3):
            with pytest.raises(grpc.aio.AioRpcError):
                await client.get(b"x")
    assert recorder.events == []
    assert server.asked[0].get("resilience") is None


async def test_the_users_interceptors_are_inside_and_see_each_attempt(
    server: RpcServer, client: AioClient, settings: Settings
) -> None:
    seen: list[Any] = []

    class Noting(grpc.aio.UnaryUnaryClientInterceptor):  # type: ignore[type-arg, misc]
        async def intercept_unary_unary(self, continuation: Any, details: Any, message: Any) -> Any:
            seen.append(dict(details.metadata)["resilience"])
            return await continuation(details, message)

    settings(THREE_ATTEMPTS)
    server.handler = failing(1)
    async with AioClient(server.target, interceptors=[Noting()]) as intercepted:
        assert await intercepted.get(b"x") == b"ok"
    assert seen == ["attempt=1, chain", "attempt=2, chain"]


async def test_what_a_users_interceptor_raises_is_raised_as_the_very_object(
    server: RpcServer, client: AioClient, settings: Settings
) -> None:
    class OwnError(grpc.aio.AioRpcError):
        pass

    error = OwnError(grpc.StatusCode.UNAVAILABLE, details="its own")

    class Raising(grpc.aio.UnaryUnaryClientInterceptor, grpc.aio.UnaryStreamClientInterceptor):  # type: ignore[type-arg, misc]
        async def intercept_unary_unary(self, continuation: Any, details: Any, message: Any) -> Any:
            raise error

        async def intercept_unary_stream(self, continuation: Any, details: Any, message: Any) -> Any:
            raise error

    for text in (None, THREE_ATTEMPTS):
        settings(text)
        async with AioClient(server.target, interceptors=[Raising()]) as intercepted:
            with pytest.raises(OwnError) as caught:
                await intercepted.get(b"x")
            assert caught.value is error


async def test_options_are_passed_on_and_a_method_is_all_that_it_was(
    server: RpcServer, client: AioClient, settings: Settings
) -> None:
    settings(THREE_ATTEMPTS)
    compressed = client.get(
        b"x" * 2000,
        compression=grpc.Compression.Gzip,
        wait_for_ready=True,
        metadata=grpc.aio.Metadata(("tag", "a")),
    )
    assert await compressed == b"ok"
    assert server.asked[0].all("tag") == ["a"]
    registered = client.channel.unary_unary(f"/{GET}", _registered_method=True)
    assert isinstance(registered, grpc.aio.UnaryUnaryMultiCallable)
    assert registered._request_serializer is None
    assert await registered(b"x") == b"ok"


async def test_a_channel_made_before_is_left_alone(
    server: RpcServer, settings: Settings, official: bool
) -> None:
    from otel_resilience_instrumentation.grpc_aio import GrpcAioInstrumentor

    settings(THREE_ATTEMPTS)
    async with grpc.aio.insecure_channel(server.target) as early:
        GrpcAioInstrumentor().instrument()
        try:
            assert await early.unary_unary(f"/{GET}")(b"x") == b"ok"
        finally:
            GrpcAioInstrumentor().uninstrument()
    assert server.asked[0].get("resilience") is None
