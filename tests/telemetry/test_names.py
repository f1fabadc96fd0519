"""What is emitted is what is listed, both ways."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

import pytest
from opentelemetry.sdk.metrics.export import Gauge, Histogram, Sum

from otel_resilience.telemetry import names
from otel_resilience.telemetry.names import Instrument
from otel_resilience.testing import ManualClock
from tests.telemetry.everything import happen
from tests.telemetry.observatory import Observatory

METRICS = {metric.name: metric for metric in names.METRICS}


@pytest.fixture(scope="module")
def everything() -> Iterator[Observatory]:
    with Observatory() as observatory, ManualClock() as clock:
        live = happen(observatory, clock)
        yield observatory
        del live


def test_the_metrics_are_those_listed(everything: Observatory) -> None:
    assert set(everything.metrics) == set(METRICS)


@pytest.mark.parametrize("metric", names.METRICS, ids=lambda metric: metric.name)
def test_a_metric_is_as_listed(everything: Observatory, metric: names.Metric) -> None:
    emitted = everything.metrics[metric.name]
    assert (emitted.unit, emitted.description) == (metric.unit, metric.description)
    if metric.instrument is Instrument.HISTOGRAM:
        assert isinstance(emitted.data, Histogram)
        assert tuple(emitted.data.data_points[0].explicit_bounds) == names.DURATION_BOUNDARIES
    elif metric.instrument is Instrument.OBSERVABLE_GAUGE:
        assert isinstance(emitted.data, Gauge)
    else:
        assert isinstance(emitted.data, Sum)
        assert emitted.data.is_monotonic == (metric.instrument is Instrument.OBSERVABLE_COUNTER)
    seen: set[str] = set()
    for point in emitted.data.data_points:
        keys = set(point.attributes or {})
        seen |= keys
        assert set(metric.attributes) - metric.optional <= keys
        for key, value in (point.attributes or {}).items():
            assert isinstance(value, bool if key == names.ENFORCED else str)
            assert key not in names.VALUES or value in names.VALUES[key]
    assert seen == set(metric.attributes)


def test_no_metric_is_named_like_an_attribute() -> None:
    attributes = {attribute for metric in names.METRICS for attribute in metric.attributes}
    spans = names.CALL_SPAN_ATTRIBUTES | names.ATTEMPT_SPAN_ATTRIBUTES | names.FOREIGN_SPAN_ATTRIBUTES
    events = {names.SUPPRESSED_COUNT}.union(*(event.attributes for event in names.EVENTS))
    assert not set(METRICS) & (attributes | spans | names.TRACER_SPAN_ATTRIBUTES | events)


def test_the_span_attributes_are_those_listed(everything: Observatory) -> None:
    seen: defaultdict[str, set[str]] = defaultdict(set)
    for span in everything.spans:
        seen[span.name.partition(" ")[0]] |= set(span.attributes or {})
    assert seen == {
        "execute": names.CALL_SPAN_ATTRIBUTES,
        "attempt": names.ATTEMPT_SPAN_ATTRIBUTES,
        "GET": names.FOREIGN_SPAN_ATTRIBUTES | {"http.request.method"},
        "hand": names.TRACER_SPAN_ATTRIBUTES,
    }


def test_values_of_closed_sets_on_spans_are_listed(everything: Observatory) -> None:
    for span in everything.spans:
        for key, value in (span.attributes or {}).items():
            assert key not in names.VALUES or value in names.VALUES[key]


@pytest.mark.parametrize("where", ["spans", "records"])
def test_the_events_are_those_listed(everything: Observatory, where: str) -> None:
    seen: defaultdict[str, set[str]] = defaultdict(set)
    if where == "spans":
        for span in everything.spans:
            for event in span.events:
                seen[event.name] |= set(event.attributes or {})
    else:
        for record in everything.records:
            assert record.log_record.event_name is not None
            seen[record.log_record.event_name] |= set(record.log_record.attributes or {})
    listed = {event.name: set(event.attributes) for event in names.EVENTS}
    for attributes in seen.values():
        attributes.discard(names.SUPPRESSED_COUNT)
    if where == "records":
        # The cap holds back the second exception, which is the one with a stack of its own kind.
        assert set(seen) == set(listed)
        assert all(seen[name] <= listed[name] for name in seen)
    else:
        assert seen == listed


def test_names_are_in_our_namespace_and_well_formed() -> None:
    for name in METRICS:
        assert name.startswith("resilience.")
        assert name == name.lower()
        # Prometheus appends it to counters, and would append it twice.
        assert not name.endswith("total")
