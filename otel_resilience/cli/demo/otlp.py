"""OTLP requests as plain values."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import Span as SpanMessage
from opentelemetry.proto.trace.v1.trace_pb2 import Status

from otel_resilience.cli.demo.telemetry import LogRecord, Point, Span, SpanEvent


def spans_of(request: ExportTraceServiceRequest) -> Iterator[Span]:
    """The spans in ``request``."""
    for resource_spans in request.resource_spans:
        service = _service(resource_spans.resource)
        for scope_spans in resource_spans.scope_spans:
            for span in scope_spans.spans:
                yield _span(span, service, scope_spans.scope.name)


def points_of(request: ExportMetricsServiceRequest) -> Iterator[Point]:
    """The numbers in ``request``: sums and gauges."""
    for resource_metrics in request.resource_metrics:
        service = _service(resource_metrics.resource)
        for scope_metrics in resource_metrics.scope_metrics:
            for metric in scope_metrics.metrics:
                for point in (*metric.sum.data_points, *metric.gauge.data_points):
                    yield Point(
                        service=service,
                        name=metric.name,
                        time=point.time_unix_nano,
                        value=getattr(point, point.WhichOneof("value") or "as_int"),
                        attributes=_attributes(point.attributes),
                    )


def logs_of(request: ExportLogsServiceRequest) -> Iterator[LogRecord]:
    """The log records in ``request``."""
    for resource_logs in request.resource_logs:
        service = _service(resource_logs.resource)
        for scope_logs in resource_logs.scope_logs:
            for record in scope_logs.log_records:
                yield LogRecord(
                    service=service,
                    time=record.time_unix_nano or record.observed_time_unix_nano,
                    severity=record.severity_text,
                    event_name=record.event_name,
                    body=_value(record.body),
                    trace_id=record.trace_id.hex(),
                    attributes=_attributes(record.attributes),
                )


def _span(span: SpanMessage, service: str, scope: str) -> Span:
    return Span(
        trace_id=span.trace_id.hex(),
        span_id=span.span_id.hex(),
        parent_id=span.parent_span_id.hex() or None,
        service=service,
        name=span.name,
        kind=SpanMessage.SpanKind.Name(span.kind).removeprefix("SPAN_KIND_"),
        start=span.start_time_unix_nano,
        end=span.end_time_unix_nano,
        status=Status.StatusCode.Name(span.status.code).removeprefix("STATUS_CODE_"),
        scope=scope,
        attributes=_attributes(span.attributes),
        events=tuple(
            SpanEvent(name=event.name, time=event.time_unix_nano, attributes=_attributes(event.attributes))
            for event in span.events
        ),
    )


def _service(resource: Resource) -> str:
    return str(_attributes(resource.attributes).get("service.name", ""))


def _attributes(pairs: Iterable[KeyValue]) -> dict[str, Any]:
    return {pair.key: _value(pair.value) for pair in pairs}


def _value(value: AnyValue) -> Any:
    kind = value.WhichOneof("value")
    if kind is None:
        return None
    if kind == "array_value":
        return [_value(item) for item in value.array_value.values]
    if kind == "kvlist_value":
        return _attributes(value.kvlist_value.values)
    return getattr(value, kind)
