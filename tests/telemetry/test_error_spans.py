"""What a span tells of an error: its chain, its root, what refused it, and what is none."""

from __future__ import annotations

from dataclasses import replace

import pytest
from opentelemetry import trace
from opentelemetry.trace import SpanKind, StatusCode

from otel_resilience import (
    CircuitBreaker,
    CircuitOpenError,
    Deadline,
    DomainError,
    Fallback,
    Pipeline,
    ServiceTimeoutError,
    Timeout,
)
from otel_resilience.errors.chain import ErrorChain
from otel_resilience.errors.hop import Hop
from otel_resilience.errors.redaction import use_redactor
from otel_resilience.telemetry.chain_on_span import record_chain
from otel_resilience.testing import ManualClock
from tests.in_hand import request_in_hand
from tests.telemetry.clients import (
    HTTP,
    LEDGER_SPAN,
    LEDGER_TRACE,
    Response,
    expect_chain_of_ledger,
    get,
    ledger_chain,
)
from tests.telemetry.observatory import Observatory
from tests.telemetry.spans import fail, ids, shape


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
    with (
        request_in_hand() as current,
        observatory.tracer().start_as_current_span("POST /orders", kind=SpanKind.SERVER) as server,
        pytest.raises(OSError, match="away"),
    ):
        guard.call(fail, OSError("away"))
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


def test_nested_calls_outside_of_a_request_tell_one_story(observatory: Observatory) -> None:
    outer, inner = Pipeline("spans.story", trace=True), Pipeline("spans.story.inside", trace=True)
    for _ in range(2):
        with pytest.raises(OSError, match="away"):
            outer.call(inner.call, fail, OSError("away"))
    [(_, counted)] = observatory.points("resilience.errors").items()
    assert counted == 2


def test_what_a_call_around_it_has_recovered_from_is_no_story(observatory: Observatory) -> None:
    outer = Pipeline("spans.recovered", Fallback("cached"), trace=True)
    assert outer.call(Pipeline("spans.recovered.inside", trace=True).call, fail, OSError()) == "cached"
    assert observatory.points("resilience.errors") == {}


def test_a_chain_on_the_roots_own_span_has_no_link(observatory: Observatory) -> None:
    with observatory.tracer().start_as_current_span("GET /account", kind=SpanKind.SERVER) as server:
        context = server.get_span_context()
        root = (trace.format_trace_id(context.trace_id), trace.format_span_id(context.span_id))
        guard = Pipeline("spans.own")
        with request_in_hand() as current:
            with pytest.raises(OSError, match="away"):
                guard.call(fail, OSError("away"))
            record_chain(server, current.failures[-1].chain(*root), "HTTP_500")
    span = observatory.span("GET /account")
    told = dict(span.attributes or {})
    assert told["resilience.error.code"] == "HTTP_500"
    assert told["resilience.error.root.span_id"] == root[1]
    assert span.links == ()


def test_a_root_whose_span_nobody_knows_is_not_linked(observatory: Observatory) -> None:
    chain = ErrorChain.of(Hop(service="ledger", code="DB_UNAVAILABLE", trace_id=LEDGER_TRACE))
    with observatory.tracer().start_as_current_span("GET /account") as span:
        record_chain(span, chain, chain.root.code)
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


def test_a_redacted_code_is_shown_nowhere_on_the_span(observatory: Observatory) -> None:
    before = use_redactor(lambda hop: replace(hop, code="WITHHELD"))
    try:
        with pytest.raises(DomainError):
            Pipeline("spans.redacted", trace=True).call(fail, DomainError("FRAUD_SEEN"))
    finally:
        use_redactor(before)
    call = observatory.span("execute spans.redacted")
    assert (call.attributes or {})["resilience.error.code"] == "WITHHELD"
    assert call.status.description == "WITHHELD"
