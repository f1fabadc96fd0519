"""Spans put together into traces."""

from __future__ import annotations

from otel_resilience.cli.demo.telemetry import Span
from otel_resilience.cli.demo.traces import traces_of, walk
from otel_resilience.cli.demo.tree import answer_of


def span(
    span_id: str, parent_id: str | None = None, *, start: int = 0, trace_id: str = "t", **attributes: object
) -> Span:
    return Span(
        trace_id=trace_id,
        span_id=span_id,
        parent_id=parent_id,
        service="s",
        name=span_id,
        kind="INTERNAL",
        start=start,
        end=start + 1,
        attributes=attributes,
    )


def test_spans_come_by_trace_in_the_order_of_their_starts_whatever_arrives_first() -> None:
    traces = traces_of([span("b", "a", start=2), span("x", trace_id="u"), span("a", start=1)])

    assert [each.span_id for each in traces["t"].spans] == ["a", "b"]
    assert traces["u"].trace_id == "u"


def test_a_walk_has_each_parent_before_its_children() -> None:
    trace = traces_of([span("a"), span("b", "a", start=1), span("c", "b", start=2), span("d", "a", start=3)])[
        "t"
    ]

    assert [(depth, each.span_id) for depth, each in walk(trace)] == [(0, "a"), (1, "b"), (2, "c"), (1, "d")]


def test_a_span_whose_parent_got_lost_is_a_root() -> None:
    trace = traces_of([span("a"), span("b", "lost", start=1)])["t"]

    assert [each.span_id for each in trace.roots] == ["a", "b"]


def test_the_answer_is_the_http_status_or_the_name_of_the_grpc_status() -> None:
    assert answer_of(span("a", **{"http.response.status_code": 503})) == "503"
    assert answer_of(span("a", **{"http.status_code": 404})) == "404"
    assert answer_of(span("a", **{"rpc.grpc.status_code": 14})) == "UNAVAILABLE"
    assert answer_of(span("a", **{"rpc.response.status_code": "UNAVAILABLE"})) == "UNAVAILABLE"
    assert answer_of(span("a")) is None
