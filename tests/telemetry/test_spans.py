"""Whole span trees, with the exact attributes and their types."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF
from opentelemetry.trace import SpanKind, StatusCode

from otel_resilience import (
    Backoff,
    CircuitBreaker,
    CircuitOpenError,
    Deadline,
    DomainError,
    Pipeline,
    Retry,
    ServiceTimeoutError,
    Timeout,
    error_chain,
)
from otel_resilience.context import correlation, request
from otel_resilience.context.request import Request
from otel_resilience.errors.chain import ErrorChain
from otel_resilience.errors.hop import Hop
from otel_resilience.outcome import Success
from otel_resilience.policies.retry.conditions import Codes
from otel_resilience.telemetry.spans import current_call_span_id, record_chain
from otel_resilience.testing import ManualClock
from tests.telemetry.clients import (
    HTTP,
    LEDGER_SPAN,
    LEDGER_TRACE,
    Response,
    expect_chain_of_ledger,
    get,
    ledger_chain,
)
from tests.telemetry.observatory import Observatory, attributes
from tests.worlds import WORLDS, World

AT_ONCE = Backoff(initial=0.0, jitter="none")


def shape(span: ReadableSpan) -> tuple[str, SpanKind, StatusCode, dict[str, Any]]:
    return span.name, span.kind, span.status.status_code, dict(span.attributes or {})


def ids(span: ReadableSpan) -> tuple[str, str]:
    context = span.get_span_context()
    assert context is not None
    return trace.format_trace_id(context.trace_id), trace.format_span_id(context.span_id)


def parent_id(span: ReadableSpan) -> str | None:
    return None if span.parent is None else trace.format_span_id(span.parent.span_id)


def fail(error: BaseException) -> Any:
    raise error


def test_a_client_call_that_is_well_is_one_internal_span_around_one_client_span(
    observatory: Observatory,
) -> None:
    guard = Pipeline("spans.well", CircuitBreaker(), trace=True)
    guard.execute(get(observatory.tracer(), Response(200)), dialect=HTTP, peer="payments")
    client, call = observatory.spans
    assert shape(client) == (
        "GET",
        SpanKind.CLIENT,
        StatusCode.UNSET,
        {"http.request.method": "GET", "resilience.attempt.number": 1},
    )
    assert shape(call) == (
        "execute spans.well",
        SpanKind.INTERNAL,
        StatusCode.UNSET,
        {
            "resilience.policy.name": "spans.well",
            "service.peer.name": "payments",
            "resilience.outcome": "success",
            "resilience.attempt.count": 1,
            "resilience.retry.delay.total": 0.0,
            "resilience.circuit_breaker.state": "closed",
        },
    )
    assert parent_id(client) == ids(call)[1]
    assert parent_id(call) is None
    assert call.links == ()
    assert call.events == ()


def test_each_attempt_has_its_client_span_and_resends_are_counted(observatory: Observatory) -> None:
    guard = Pipeline("spans.resent", Retry(on=Codes(), backoff=AT_ONCE), trace=True)
    guard.execute(get(observatory.tracer(), Response(503), Response(503), Response(200)), dialect=HTTP)
    *clients, call = observatory.spans
    assert [dict(client.attributes or {}) for client in clients] == [
        {"http.request.method": "GET", "resilience.attempt.number": 1},
        {"http.request.method": "GET", "resilience.attempt.number": 2, "http.request.resend_count": 1},
        {"http.request.method": "GET", "resilience.attempt.number": 3, "http.request.resend_count": 2},
    ]
    assert {parent_id(client) for client in clients} == {ids(call)[1]}
    assert (call.attributes or {})["resilience.attempt.count"] == 3
    assert call.status.status_code is StatusCode.UNSET


def test_an_rpc_is_numbered_but_has_no_resend_count(observatory: Observatory) -> None:
    guard = Pipeline("spans.rpc", Retry(on=Codes(), backoff=AT_ONCE), trace=True)
    attempt = get(observatory.tracer(), Response(503), Response(200), key="rpc.system")
    guard.execute(attempt, dialect=HTTP)
    assert dict(observatory.spans[1].attributes or {}) == {
        "rpc.system": "GET",
        "resilience.attempt.number": 2,
    }


def test_what_is_no_client_has_an_internal_span_per_attempt(observatory: Observatory) -> None:
    guard = Pipeline("spans.plain", Retry(on=OSError, backoff=AT_ONCE), trace=True)
    errors: list[Exception | None] = [OSError("first"), None]
    seen: list[str] = []

    def function() -> str:
        seen.append(trace.format_span_id(trace.get_current_span().get_span_context().span_id))
        error = errors.pop(0)
        return fail(error) if error is not None else "well"

    assert guard.call(function) == "well"
    first, second, call = observatory.spans
    assert shape(first) == (
        "attempt spans.plain",
        SpanKind.INTERNAL,
        StatusCode.ERROR,
        {"resilience.attempt.number": 1, "resilience.outcome": "failure", "error.type": "OSError"},
    )
    assert shape(second) == (
        "attempt spans.plain",
        SpanKind.INTERNAL,
        StatusCode.UNSET,
        {"resilience.attempt.number": 2, "resilience.outcome": "success"},
    )
    assert {parent_id(first), parent_id(second)} == {ids(call)[1]}
    assert seen == [ids(first)[1], ids(second)[1]]
    assert call.status.status_code is StatusCode.UNSET


@pytest.mark.parametrize("world", WORLDS, ids=repr)
def test_the_span_is_current_during_the_call_and_gone_after_it(
    observatory: Observatory, world: World
) -> None:
    guard = Pipeline("spans.current", trace=True)
    with observatory.tracer().start_as_current_span("caller") as caller:
        seen = world.call(guard, lambda: (trace.get_current_span().is_recording(), current_call_span_id()))
        assert trace.get_current_span() is caller
        assert current_call_span_id() is None
    call = observatory.span("execute spans.current")
    assert seen == (True, int(ids(call)[1], 16))
    assert parent_id(call) == ids(observatory.span("caller"))[1]


def test_a_received_failure_is_told_whole_and_linked_to_its_root(observatory: Observatory) -> None:
    guard = Pipeline("spans.received", trace=True)
    answered = Response(503, ledger_chain())
    assert guard.execute(get(observatory.tracer(), answered), dialect=HTTP, peer="payments") is answered
    call = observatory.span("execute spans.received")
    assert shape(call)[2:] == (
        StatusCode.ERROR,
        {
            "resilience.policy.name": "spans.received",
            "service.peer.name": "payments",
            "resilience.outcome": "failure",
            "resilience.attempt.count": 1,
            "resilience.retry.delay.total": 0.0,
            "error.type": "503",
            **expect_chain_of_ledger(own_service="orders", own_code="HTTP_503"),
        },
    )
    [link] = call.links
    assert trace.format_trace_id(link.context.trace_id) == LEDGER_TRACE
    assert trace.format_span_id(link.context.span_id) == LEDGER_SPAN
    assert link.context.is_remote
    assert call.status.description == "HTTP_503"


def test_the_root_outside_of_a_request_is_the_call_itself_and_has_no_link(observatory: Observatory) -> None:
    guard = Pipeline("spans.root", trace=True)
    with pytest.raises(DomainError):
        guard.call(fail, DomainError("OUT_OF_STOCK", retryable=True))
    call = observatory.span("execute spans.root")
    trace_id, span_id = ids(call)
    assert shape(call)[3] == {
        "resilience.policy.name": "spans.root",
        "resilience.outcome": "failure",
        "resilience.attempt.count": 1,
        "resilience.retry.delay.total": 0.0,
        "error.type": "otel_resilience.exceptions.DomainError",
        "resilience.error.code": "OUT_OF_STOCK",
        "resilience.error.root.service": "orders",
        "resilience.error.root.code": "OUT_OF_STOCK",
        "resilience.error.root.trace_id": trace_id,
        "resilience.error.root.span_id": span_id,
        "resilience.error.chain.services": ("orders",),
        "resilience.error.chain.codes": ("OUT_OF_STOCK",),
        "resilience.error.chain.length": 1,
        "resilience.error.chain.omitted": 0,
        "resilience.error.retryable": True,
    }
    assert call.links == ()


def test_the_root_inside_a_request_is_its_server_span(observatory: Observatory) -> None:
    guard = Pipeline("spans.server", trace=True)
    token = request.enter(Request())
    try:
        with (
            observatory.tracer().start_as_current_span("POST /orders", kind=SpanKind.SERVER) as server,
            pytest.raises(OSError, match="away"),
        ):
            guard.call(fail, OSError("away"))
        current = request.current()
        assert current is not None
    finally:
        request.leave(token)
    trace_id, span_id = ids(observatory.span("POST /orders"))
    assert current.span == (trace_id, span_id)
    call = observatory.span("execute spans.server")
    told = dict(call.attributes or {})
    assert told["resilience.error.root.span_id"] == span_id
    assert told["resilience.error.root.trace_id"] == trace_id
    [link] = call.links
    assert trace.format_span_id(link.context.span_id) == span_id
    assert not link.context.is_remote
    assert server.get_span_context().span_id == link.context.span_id


def test_a_chain_on_the_roots_own_span_has_no_link(observatory: Observatory) -> None:
    with observatory.tracer().start_as_current_span("GET /account", kind=SpanKind.SERVER) as server:
        context = server.get_span_context()
        root = (trace.format_trace_id(context.trace_id), trace.format_span_id(context.span_id))
        guard = Pipeline("spans.own")
        token = request.enter(Request())
        try:
            with pytest.raises(OSError, match="away"):
                guard.call(fail, OSError("away"))
            current = request.current()
            assert current is not None
            assert current.last_failure is not None
            record_chain(server, current.last_failure.chain(*root), "HTTP_500")
        finally:
            request.leave(token)
    span = observatory.span("GET /account")
    told = dict(span.attributes or {})
    assert told["resilience.error.code"] == "HTTP_500"
    assert told["resilience.error.root.span_id"] == root[1]
    assert span.links == ()


def test_a_root_whose_span_nobody_knows_is_not_linked(observatory: Observatory) -> None:
    chain = ErrorChain.of(Hop(service="ledger", code="DB_UNAVAILABLE", trace_id=LEDGER_TRACE))
    with observatory.tracer().start_as_current_span("GET /account") as span:
        record_chain(span, chain)
    told = dict(observatory.span("GET /account").attributes or {})
    assert observatory.span("GET /account").links == ()
    assert told["resilience.error.code"] == "DB_UNAVAILABLE"
    assert told["resilience.error.root.trace_id"] == LEDGER_TRACE
    assert "resilience.error.root.span_id" not in told


def test_a_rejection_names_what_opened_the_circuit(observatory: Observatory) -> None:
    guard = Pipeline("spans.rejected", CircuitBreaker(failure_threshold=1), trace=True)
    guard.execute(get(observatory.tracer(), Response(503, ledger_chain())), dialect=HTTP, peer="payments")
    with pytest.raises(CircuitOpenError):
        guard.execute(get(observatory.tracer()), dialect=HTTP, peer="payments")
    _, rejected = [span for span in observatory.spans if span.name == "execute spans.rejected"]
    trace_id, span_id = ids(rejected)
    assert shape(rejected)[2:] == (
        StatusCode.ERROR,
        {
            "resilience.policy.name": "spans.rejected",
            "service.peer.name": "payments",
            "resilience.outcome": "rejected",
            "resilience.attempt.count": 0,
            "resilience.retry.delay.total": 0.0,
            "resilience.circuit_breaker.state": "open",
            "resilience.rejection.reason": "circuit_open",
            "resilience.circuit_breaker.cause.service": "ledger",
            "resilience.circuit_breaker.cause.code": "DB_UNAVAILABLE",
            "resilience.circuit_breaker.cause.trace_id": LEDGER_TRACE,
            "error.type": "CIRCUIT_OPEN",
            "resilience.error.code": "CIRCUIT_OPEN",
            "resilience.error.root.service": "orders",
            "resilience.error.root.code": "CIRCUIT_OPEN",
            "resilience.error.root.trace_id": trace_id,
            "resilience.error.root.span_id": span_id,
            "resilience.error.chain.services": ("orders",),
            "resilience.error.chain.codes": ("CIRCUIT_OPEN",),
            "resilience.error.chain.length": 1,
            "resilience.error.chain.omitted": 0,
            "resilience.error.retryable": False,
        },
    )
    assert [span.name for span in observatory.spans] == ["GET", *["execute spans.rejected"] * 2]


def test_a_timeout_is_an_error_with_its_own_code(observatory: Observatory) -> None:
    guard = Pipeline("spans.timeout", Timeout(1.0), trace=True)

    def hang() -> None:
        clock.sleep(2.0)
        Deadline.check()

    with ManualClock() as clock, pytest.raises(ServiceTimeoutError):
        guard.call(hang)
    call = observatory.span("execute spans.timeout")
    told = dict(call.attributes or {})
    assert call.status.status_code is StatusCode.ERROR
    assert told["resilience.outcome"] == "timeout"
    assert told["error.type"] == told["resilience.error.code"] == "SERVICE_TIMEOUT"
    assert "resilience.rejection.reason" not in told


def test_a_result_that_came_too_late_is_a_timeout_with_its_own_code(observatory: Observatory) -> None:
    guard = Pipeline("spans.late", Timeout(1.0), trace=True)
    with ManualClock() as clock:
        guard.call(clock.sleep, 2.0)
    call = observatory.span("execute spans.late")
    told = dict(call.attributes or {})
    assert call.status.status_code is StatusCode.ERROR
    assert told["resilience.outcome"] == "timeout"
    assert told["error.type"] == told["resilience.error.code"] == "SERVICE_TIMEOUT"


@pytest.mark.parametrize("error", [KeyboardInterrupt(), SystemExit(), GeneratorExit()], ids=repr)
def test_who_leaves_is_no_error(observatory: Observatory, error: BaseException) -> None:
    guard = Pipeline("spans.cancelled", trace=True)
    with pytest.raises(type(error)):
        guard.call(fail, error)
    attempt, call = observatory.spans
    assert call.status.status_code is attempt.status.status_code is StatusCode.UNSET
    assert dict(call.attributes or {}) == {
        "resilience.policy.name": "spans.cancelled",
        "resilience.outcome": "cancelled",
        "resilience.attempt.count": 1,
        "resilience.retry.delay.total": 0.0,
    }


def test_an_answer_that_is_the_callers_mistake_is_no_error_but_has_its_type(observatory: Observatory) -> None:
    guard = Pipeline("spans.mistake", trace=True)
    guard.execute(get(observatory.tracer(), Response(404)), dialect=HTTP)
    call = observatory.span("execute spans.mistake")
    assert call.status.status_code is StatusCode.UNSET
    assert (call.attributes or {})["error.type"] == "404"


def test_the_wait_between_attempts_is_on_the_span(observatory: Observatory) -> None:
    guard = Pipeline(
        "spans.wait", Retry(on=OSError, backoff=Backoff(initial=0.5, factor=2.0, jitter="none")), trace=True
    )
    with ManualClock(), pytest.raises(OSError, match="away"):
        guard.call(fail, OSError("away"))
    assert (observatory.span("execute spans.wait").attributes or {})["resilience.retry.delay.total"] == 1.5


def test_a_correlated_request_has_its_id_on_every_span(observatory: Observatory) -> None:
    guard = Pipeline("spans.correlated", trace=True)
    token = correlation.enter("abc")
    try:
        guard.execute(get(observatory.tracer(), Response(200)), dialect=HTTP)
        guard.call(len, "")
    finally:
        correlation.leave(token)
    assert len(observatory.spans) == 4
    assert {(span.attributes or {}).get("resilience.correlation.id") for span in observatory.spans} == {"abc"}


def test_without_our_processor_our_own_spans_have_the_correlation_id() -> None:
    with Observatory(processor=False) as observatory:
        token = correlation.enter("abc")
        try:
            Pipeline("spans.alone", trace=True).call(len, "")
        finally:
            correlation.leave(token)
    assert {(span.attributes or {})["resilience.correlation.id"] for span in observatory.spans} == {"abc"}


def test_a_parked_call_is_the_parent_of_its_client_span_and_leaves_its_caller_alone(
    observatory: Observatory,
) -> None:
    guard = Pipeline("spans.parked", trace=True)
    parked = guard.park(dialect=HTTP, peer="payments")
    assert not trace.get_current_span().get_span_context().is_valid
    response = parked.run(get(observatory.tracer(), Response(200)))
    assert [span.name for span in observatory.spans] == ["GET"]
    parked.finish(Success(response))
    client, call = observatory.spans
    assert parent_id(client) == ids(call)[1]
    assert (client.attributes or {})["resilience.attempt.number"] == 1
    assert (call.attributes or {})["resilience.outcome"] == "success"


def test_a_guarded_block_is_a_span(observatory: Observatory) -> None:
    guard = Pipeline("spans.block", CircuitBreaker(), trace=True)
    with guard:
        assert current_call_span_id() is not None
    assert [span.name for span in observatory.spans] == ["attempt spans.block", "execute spans.block"]
    assert current_call_span_id() is None


def test_an_untraced_pipeline_draws_nothing(observatory: Observatory) -> None:
    with pytest.raises(OSError, match="away"):
        Pipeline("spans.local", CircuitBreaker(), Retry(on=OSError, backoff=AT_ONCE)).call(
            fail, OSError("away")
        )
    assert observatory.spans == ()


def test_spans_that_are_not_sampled_still_carry_their_trace() -> None:
    with Observatory(sampler=ALWAYS_OFF) as observatory:
        guard = Pipeline("spans.unsampled", trace=True)
        seen: list[int] = []

        def function() -> None:
            seen.append(trace.get_current_span().get_span_context().trace_id)
            raise OSError("away")

        with pytest.raises(OSError, match="away") as caught:
            guard.call(function)
        assert error_chain(caught.value) is None
        assert seen[0] != 0
        assert observatory.spans == ()
        assert observatory.points("resilience.errors") == {
            attributes(
                resilience__error__root__service="orders",
                resilience__error__root__code="INTERNAL",
                error__type="OSError",
            ): 1
        }


def test_concurrent_tasks_keep_their_spans_apart(observatory: Observatory) -> None:
    guard = Pipeline("spans.tasks", trace=True)
    met = asyncio.Event()

    async def first() -> int | None:
        await met.wait()
        return current_call_span_id()

    async def second() -> int | None:
        met.set()
        return current_call_span_id()

    async def main() -> list[int | None]:
        return list(await asyncio.gather(guard.acall(first), guard.acall(second)))

    one, other = asyncio.run(main())
    calls = [span for span in observatory.spans if span.name == "execute spans.tasks"]
    assert {one, other} == {int(ids(call)[1], 16) for call in calls}
    assert one != other
    assert {parent_id(call) for call in calls} == {None}
