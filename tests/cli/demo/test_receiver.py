"""The receiver against the official OTLP exporters, and the way on to the user's own collector."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import grpc
import pytest
from opentelemetry._logs import LogRecord, SeverityNumber
from opentelemetry.exporter.otlp.proto.grpc._log_exporter import OTLPLogExporter
from opentelemetry.exporter.otlp.proto.grpc.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.metrics import CallbackOptions, Observation
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import SimpleLogRecordProcessor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.trace import SpanKind, Status, StatusCode

from otel_resilience.cli.demo.forward import Forward, read_endpoint
from otel_resilience.cli.demo.receiver import Receiver

RESOURCE = Resource({"service.name": "tester"})


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as running:
        yield running


def send_spans(endpoint: str) -> None:
    provider = TracerProvider(resource=RESOURCE)
    provider.add_span_processor(SimpleSpanProcessor(OTLPSpanExporter(endpoint, insecure=True)))
    tracer = provider.get_tracer("a scope")
    with tracer.start_as_current_span(
        "outer", kind=SpanKind.SERVER, attributes={"list": ["a", "b"], "n": 3}
    ) as outer:
        with tracer.start_as_current_span("inner", kind=SpanKind.CLIENT) as inner:
            inner.add_event("happened", {"why": "because"}, timestamp=1_700_000_000_000_000_000)
        outer.set_status(Status(StatusCode.ERROR))
    provider.shutdown()


def test_spans_arrive_as_they_were(receiver: Receiver) -> None:
    send_spans(receiver.endpoint)

    inner, outer = receiver.telemetry.spans
    assert (outer.service, outer.name, outer.kind, outer.status) == ("tester", "outer", "SERVER", "ERROR")
    assert (inner.kind, inner.status, inner.scope) == ("CLIENT", "UNSET", "a scope")
    assert (inner.trace_id, inner.parent_id) == (outer.trace_id, outer.span_id)
    assert outer.parent_id is None
    assert outer.attributes == {"list": ["a", "b"], "n": 3}
    assert outer.start <= inner.start <= inner.end <= outer.end
    (event,) = inner.events
    assert (event.name, event.time, event.attributes) == (
        "happened",
        1_700_000_000_000_000_000,
        {"why": "because"},
    )


def test_metric_points_arrive_as_they_were(receiver: Receiver) -> None:
    def observe(options: CallbackOptions) -> list[Observation]:
        return [Observation(1, {"state": "open"}), Observation(0, {"state": "closed"})]

    reader = PeriodicExportingMetricReader(OTLPMetricExporter(receiver.endpoint, insecure=True), 3_600_000)
    provider = MeterProvider([reader], RESOURCE)
    meter = provider.get_meter("a scope")
    meter.create_observable_up_down_counter("status", [observe])
    meter.create_observable_gauge("ratio", [lambda options: [Observation(0.25)]])
    provider.shutdown()

    found = {
        (point.service, point.name, point.attributes.get("state"), point.value)
        for point in receiver.telemetry.points
    }
    assert found == {
        ("tester", "status", "open", 1),
        ("tester", "status", "closed", 0),
        ("tester", "ratio", None, 0.25),
    }


def test_log_records_arrive_as_they_were(receiver: Receiver) -> None:
    provider = LoggerProvider(RESOURCE)
    provider.add_log_record_processor(
        SimpleLogRecordProcessor(OTLPLogExporter(receiver.endpoint, insecure=True))
    )
    provider.get_logger("a scope").emit(
        LogRecord(
            timestamp=1_700_000_000_000_000_000,
            severity_number=SeverityNumber.WARN,
            severity_text="WARN",
            body="text",
            event_name="an.event",
            attributes={"a": True},
        )
    )
    provider.shutdown()

    (record,) = receiver.telemetry.logs
    assert (record.service, record.time, record.severity) == ("tester", 1_700_000_000_000_000_000, "WARN")
    assert (record.event_name, record.body, record.attributes) == ("an.event", "text", {"a": True})


def test_the_users_collector_gets_the_same(receiver: Receiver) -> None:
    with Forward(receiver.endpoint) as forward, Receiver(forward) as first:
        send_spans(first.endpoint)

    assert receiver.telemetry.spans == first.telemetry.spans
    assert (forward.sent, forward.lost, forward.failure) == (2, 0, "")


def test_a_collector_that_is_not_there_loses_requests_and_nothing_else() -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
        with Forward(f"http://127.0.0.1:{port}") as forward, Receiver(forward) as first:
            send_spans(first.endpoint)

    assert len(first.telemetry.spans) == 2
    assert (forward.sent, forward.lost) == (0, 2)
    assert forward.failure.startswith("UNAVAILABLE: ")


def test_a_request_that_is_not_otlp_is_refused_and_nothing_is_kept(receiver: Receiver) -> None:
    with grpc.insecure_channel(f"127.0.0.1:{receiver.port}") as channel:
        export = channel.unary_unary("/opentelemetry.proto.collector.trace.v1.TraceService/Export")
        with pytest.raises(grpc.RpcError):
            export(b"\xff\xff\xff", timeout=5)

    assert receiver.telemetry.spans == ()


@pytest.mark.parametrize(
    ("url", "target"),
    [
        ("http://localhost:4317", ("localhost:4317", False)),
        ("http://collector", ("collector:4317", False)),
        ("https://collector.example:443/", ("collector.example:443", True)),
        ("http://[::1]:4317", ("[::1]:4317", False)),
    ],
)
def test_an_endpoint_is_read(url: str, target: tuple[str, bool]) -> None:
    assert read_endpoint(url) == target


@pytest.mark.parametrize(
    "url",
    ["", "localhost:4317", "grpc://host:4317", "http://", "http://host:port", "http://host:4318/v1/traces"],
)
def test_an_endpoint_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="must be http://host:port"):
        read_endpoint(url)
