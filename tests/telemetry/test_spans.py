"""Whole span trees, with the exact attributes and their types."""

from __future__ import annotations

import asyncio

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF
from opentelemetry.trace import SpanKind, StatusCode

from otel_resilience import (
    Backoff,
    CircuitBreaker,
    Pipeline,
    Retry,
    error_chain,
)
from otel_resilience.context import correlation
from otel_resilience.outcome import Success
from otel_resilience.policies.retry.conditions import Codes
from otel_resilience.telemetry.spans import current_call_span_id
from otel_resilience.testing import ManualClock
from tests.telemetry.clients import (
    HTTP,
    Response,
    get,
)
from tests.telemetry.observatory import Observatory, attributes
from tests.telemetry.spans import AT_ONCE, fail, ids, parent_id, shape
from tests.worlds import WORLDS, World


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
