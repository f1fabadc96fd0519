"""What our span processor adds to the spans of others, and whose ids our errors know."""

from __future__ import annotations

import gc

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import NonRecordingSpan, Span, SpanContext, SpanKind, TraceFlags

from otel_resilience import Pipeline, ServiceTimeoutError
from otel_resilience.context import attempt, correlation
from otel_resilience.context.attempt import Attempt
from otel_resilience.telemetry import parents
from otel_resilience.telemetry.processor import SpanProcessor
from tests.in_hand import request_in_hand
from tests.telemetry.observatory import Observatory

REMOTE = NonRecordingSpan(SpanContext(0xA1, 0xB2, is_remote=True, trace_flags=TraceFlags(TraceFlags.SAMPLED)))


def hex_id(span: Span) -> str:
    return trace.format_span_id(span.get_span_context().span_id)


def told(span: ReadableSpan) -> dict[str, object]:
    return dict(span.attributes or {})


def test_a_client_span_further_below_is_no_attempt(observatory: Observatory) -> None:
    tracer = observatory.tracer()

    def function() -> None:
        with tracer.start_as_current_span("own work"):
            tracer.start_span("GET", kind=SpanKind.CLIENT).end()

    Pipeline("processor.deep", trace=True).call(function)
    assert told(observatory.span("GET")) == {}
    assert told(observatory.span("own work")) == {}


def test_a_client_span_of_a_local_guard_is_no_attempt(observatory: Observatory) -> None:
    tracer = observatory.tracer()
    Pipeline("processor.local").call(lambda: tracer.start_span("GET", kind=SpanKind.CLIENT).end())
    assert told(observatory.span("GET")) == {}


def test_an_attempt_without_a_call_of_ours_says_nothing(observatory: Observatory) -> None:
    token = attempt.enter(Attempt(2))
    try:
        observatory.tracer().start_span("GET", kind=SpanKind.CLIENT).end()
    finally:
        attempt.leave(token)
    assert told(observatory.span("GET")) == {}


def test_the_first_server_span_of_a_request_is_its_span(observatory: Observatory) -> None:
    tracer = observatory.tracer()
    with request_in_hand() as current:
        tracer.start_span("work").end()
        assert current.span is None
        with tracer.start_as_current_span("POST /orders", kind=SpanKind.SERVER) as server:
            tracer.start_span("a server inside", kind=SpanKind.SERVER).end()
    context = server.get_span_context()
    assert current.span == (trace.format_trace_id(context.trace_id), hex_id(server))


def test_a_correlated_request_marks_every_kind_of_span(observatory: Observatory) -> None:
    token = correlation.enter("abc-1")
    try:
        for kind in SpanKind:
            observatory.tracer().start_span(kind.name, kind=kind).end()
    finally:
        correlation.leave(token)
    observatory.tracer().start_span("after").end()
    assert {span.name: told(span) for span in observatory.spans} == {
        **{kind.name: {"resilience.correlation.id": "abc-1"} for kind in SpanKind},
        "after": {},
    }


def test_it_never_raises() -> None:
    processor = SpanProcessor()
    processor.on_start(object())
    processor._on_ending(object())
    processor.on_end(object())
    assert processor.force_flush() is True
    assert processor.force_flush(1) is True
    processor.shutdown()


def test_errors_know_their_span_and_all_spans_around_it(observatory: Observatory) -> None:
    tracer = observatory.tracer()
    with (
        tracer.start_as_current_span("server", context=trace.set_span_in_context(REMOTE)) as server,
        tracer.start_as_current_span("view") as view,
    ):
        error = Pipeline("processor.identity", trace=True).call(ServiceTimeoutError, "late")
    call, attempted = (
        observatory.span("execute processor.identity"),
        observatory.span("attempt processor.identity"),
    )
    assert call.context is not None
    assert attempted.context is not None
    assert error.trace_id == trace.format_trace_id(0xA1)
    assert error.span_id == trace.format_span_id(attempted.context.span_id)
    # The caller's span is in another process.
    assert error.parent_spans == (hex_id(server), hex_id(view), trace.format_span_id(call.context.span_id))


def test_without_the_processor_pipelines_and_the_direct_parent_are_known() -> None:
    with Observatory(processor=False) as observatory:
        tracer = observatory.tracer()
        with tracer.start_as_current_span("server"), tracer.start_as_current_span("view") as view:
            alone = ServiceTimeoutError("late")
            guarded = Pipeline("processor.without", trace=True).call(ServiceTimeoutError, "late")
    call = observatory.span("execute processor.without")
    server = observatory.span("server")
    assert call.context is not None
    assert server.context is not None
    assert alone.span_id == hex_id(view)
    assert alone.parent_spans == (trace.format_span_id(server.context.span_id),)
    assert guarded.parent_spans == (
        trace.format_span_id(server.context.span_id),
        hex_id(view),
        trace.format_span_id(call.context.span_id),
    )


def test_outside_of_a_span_errors_know_nothing(observatory: Observatory) -> None:
    error = ServiceTimeoutError("late")
    assert (error.trace_id, error.span_id, error.parent_spans) == (None, None, ())


def test_a_span_that_begins_a_trace_of_its_own_has_no_parents(observatory: Observatory) -> None:
    with (
        observatory.tracer().start_as_current_span("outside"),
        observatory.tracer().start_as_current_span("root", context=Context()),
    ):
        assert ServiceTimeoutError("late").parent_spans == ()


def test_what_is_known_of_a_span_is_forgotten_with_it() -> None:
    with Observatory() as observatory:
        gc.collect()
        before = len(parents._enclosing)
        span = observatory.tracer().start_span("short")
        assert len(parents._enclosing) == before + 1
        span.end()
        del span
        gc.collect()
        assert len(parents._enclosing) == before
