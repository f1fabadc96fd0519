"""Spans by hand."""

from __future__ import annotations

import asyncio

import pytest
from opentelemetry import baggage, context, trace
from opentelemetry.trace import StatusCode

from otel_resilience import ConfigurationError, DistributedTracer, DomainError, Pipeline
from otel_resilience.context import correlation
from tests.telemetry.observatory import Observatory


def test_a_trace_begins_anew_and_a_span_is_a_child(observatory: Observatory) -> None:
    tracer = DistributedTracer("orders", tracer_provider=observatory.tracers)
    with tracer.trace("outer") as outer:
        with tracer.span("child") as child:
            assert trace.get_current_span() is child
        with tracer.trace("another"):
            pass
        assert trace.get_current_span() is outer
    spans = {span.name: span for span in observatory.spans}
    assert spans["outer"].parent is None
    assert spans["another"].parent is None
    assert spans["child"].parent == spans["outer"].get_span_context()
    assert spans["another"].get_span_context().trace_id != spans["outer"].get_span_context().trace_id
    assert dict(spans["child"].attributes or {}) == {"service.name": "orders"}


async def test_tasks_have_their_own_current_span(observatory: Observatory) -> None:
    tracer = DistributedTracer(tracer_provider=observatory.tracers)

    async def work(name: str) -> None:
        async with tracer.span(name) as span:
            await asyncio.sleep(0)
            assert trace.get_current_span() is span

    async with tracer.trace("root"):
        await asyncio.gather(*(work(f"w{number}") for number in range(3)))
    root = next(span for span in observatory.spans if span.name == "root")
    assert {s.parent.span_id for s in observatory.spans if s.parent} == {root.get_span_context().span_id}


def test_an_escaping_exception_is_recorded_once_where_it_began(observatory: Observatory) -> None:
    tracer = DistributedTracer(tracer_provider=observatory.tracers)
    error = DomainError("OUT_OF_STOCK")
    with pytest.raises(DomainError) as caught, tracer.trace("outer"), tracer.span("inner"):
        raise error
    assert caught.value is error
    spans = {span.name: span for span in observatory.spans}
    assert [[event.name for event in spans[name].events] for name in ("inner", "outer")] == [
        ["exception"],
        [],
    ]
    for span in spans.values():
        assert (span.status.status_code, span.status.description) == (StatusCode.ERROR, "OUT_OF_STOCK")
    inner, outer = spans["inner"].get_span_context(), spans["outer"].get_span_context()
    assert vars(error)["trace_id"] == trace.format_trace_id(inner.trace_id)
    assert vars(error)["span_id"] == trace.format_span_id(inner.span_id)
    assert vars(error)["parent_spans"] == (trace.format_span_id(outer.span_id),)


def test_a_recorded_error_knows_its_place_and_is_returned(observatory: Observatory) -> None:
    tracer = DistributedTracer(tracer_provider=observatory.tracers)
    with tracer.trace("outer") as span:
        error = tracer.record_error(KeyError("x"))
        assert tracer.record_error(error) is error
    assert vars(error)["span_id"] == trace.format_span_id(span.get_span_context().span_id)
    (outer,) = observatory.spans
    assert len(outer.events) == 1
    outside = tracer.record_error(ValueError())
    assert (vars(outside)["trace_id"], vars(outside)["parent_spans"]) == (None, ())


def test_what_a_traced_pipeline_has_recorded_still_gets_its_place(observatory: Observatory) -> None:
    tracer = DistributedTracer(tracer_provider=observatory.tracers)
    error = OSError("away")

    def away() -> None:
        raise error

    with tracer.trace("outer") as span:
        with pytest.raises(OSError, match="away"):
            Pipeline("ledger", trace=True).call(away)
        assert tracer.record_error(error) is error
    assert vars(error)["trace_id"] == trace.format_trace_id(span.get_span_context().trace_id)
    assert vars(error)["span_id"] == trace.format_span_id(span.get_span_context().span_id)
    assert observatory.span("outer").events == (), "it is on record inside"
    assert [event.name for event in observatory.span("execute ledger").events] == [
        "resilience.execution.exception"
    ]


def test_an_exception_that_is_raised_again_belongs_to_the_trace_in_hand(observatory: Observatory) -> None:
    tracer = DistributedTracer(tracer_provider=observatory.tracers)
    always_the_same = ValueError("made once, when its module was imported")
    for number in range(2):
        with pytest.raises(ValueError, match="made once"), tracer.trace(f"request {number}"):
            raise always_the_same
        span = observatory.span(f"request {number}")
        assert vars(always_the_same)["trace_id"] == trace.format_trace_id(span.get_span_context().trace_id)
        assert len(span.events) == 1
    tracer.record_error(always_the_same)
    assert vars(always_the_same)["trace_id"] is not None, "outside of any span it keeps the last place"


def test_a_trace_within_a_trace_records_what_escapes_both_once(observatory: Observatory) -> None:
    tracer = DistributedTracer(tracer_provider=observatory.tracers)
    error = ValueError()
    with pytest.raises(ValueError), tracer.trace("outer"), tracer.trace("inner"):
        raise error
    inner = observatory.span("inner").get_span_context()
    assert vars(error)["trace_id"] == trace.format_trace_id(inner.trace_id)
    assert [len(observatory.span(name).events) for name in ("inner", "outer")] == [1, 0]
    assert observatory.span("outer").status.status_code is StatusCode.ERROR


def test_what_was_recorded_outside_of_any_span_is_recorded_in_one(observatory: Observatory) -> None:
    tracer = DistributedTracer(tracer_provider=observatory.tracers)
    error = tracer.record_error(KeyError("x"))
    with tracer.trace("later") as span:
        tracer.record_error(error)
    assert vars(error)["span_id"] == trace.format_span_id(span.get_span_context().span_id)
    assert len(observatory.span("later").events) == 1


def test_a_new_root_leaves_the_rest_of_the_context_as_it_is(observatory: Observatory) -> None:
    tracer = DistributedTracer(tracer_provider=observatory.tracers)
    token = context.attach(baggage.set_baggage("tenant", "7"))
    try:
        with tracer.span("around"), tracer.trace("root"):
            assert baggage.get_baggage("tenant") == "7"
    finally:
        context.detach(token)
    assert observatory.span("root").parent is None


class Nameless(Exception):
    """Breaks whoever looks at it."""

    def __str__(self) -> str:
        raise RuntimeError("no text")

    @property
    def trace_id(self) -> str:
        raise RuntimeError("no place")

    error_code = trace_id


def test_an_exception_that_breaks_who_looks_at_it_is_still_the_users(observatory: Observatory) -> None:
    tracer = DistributedTracer(tracer_provider=observatory.tracers)
    error = Nameless()
    with pytest.raises(Nameless) as caught, tracer.trace("outer"), tracer.span("inner"):
        raise error
    assert caught.value is error
    assert tracer.record_error(error) is error
    assert {span.name: span.status.status_code for span in observatory.spans} == dict.fromkeys(
        ("inner", "outer"), StatusCode.ERROR
    )
    assert trace.get_current_span() is trace.INVALID_SPAN


def test_what_ends_a_task_is_no_error_of_the_operation(observatory: Observatory) -> None:
    tracer = DistributedTracer(tracer_provider=observatory.tracers)
    with pytest.raises(KeyboardInterrupt), tracer.trace("outer"):
        raise KeyboardInterrupt
    (outer,) = observatory.spans
    assert outer.status.status_code is StatusCode.UNSET
    assert outer.events == ()


def test_the_correlation_id_is_on_the_span_without_a_processor_too() -> None:
    with Observatory(processor=False) as observatory:
        token = correlation.enter("r1")
        try:
            with DistributedTracer(tracer_provider=observatory.tracers).trace("outer"):
                pass
        finally:
            correlation.leave(token)
        (outer,) = observatory.spans
        assert dict(outer.attributes or {}) == {"resilience.correlation.id": "r1"}


def test_bad_use_is_one_clear_error(observatory: Observatory) -> None:
    with pytest.raises(ConfigurationError, match="service must be a text that is not empty, got ''"):
        DistributedTracer("")
    scope = DistributedTracer(tracer_provider=observatory.tracers).span("x")
    with scope, pytest.raises(RuntimeError, match="entered once"), scope:
        pytest.fail("entered twice")
