"""What a service sends to the collector is found again where people look for it."""

from __future__ import annotations

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.trace import SpanKind, format_span_id, format_trace_id

from tests.backends.asking import eventually, get_json
from tests.backends.running import Backends
from tests.backends.service import BreakerStatus, Service


def test_spans_are_found_in_jaeger_by_id_and_by_what_broke(backends: Backends) -> None:
    with Service("spans", backends.otlp_grpc) as service:
        with service.tracer.start_as_current_span("POST /checkout", kind=SpanKind.SERVER) as server:
            server.set_attribute("resilience.error.root.code", "DB_UNAVAILABLE")
            with service.tracer.start_as_current_span("execute payments") as guarded:
                guarded_id = format_span_id(guarded.get_span_context().span_id)
        context = server.get_span_context()
        trace_id, server_id = format_trace_id(context.trace_id), format_span_id(context.span_id)

        def whole() -> dict[str, dict[str, object]]:
            trace = backends.trace(trace_id)
            spans = {span["spanID"]: span for span in trace["spans"]} if trace else {}
            return spans if len(spans) == 2 else {}

        spans = eventually(whole, "both spans in Jaeger")
        assert spans[server_id]["operationName"] == "POST /checkout"
        assert spans[guarded_id]["references"] == [
            {"refType": "CHILD_OF", "traceID": trace_id, "spanID": server_id}
        ]
        broken = {"resilience.error.root.code": "DB_UNAVAILABLE"}
        assert [trace["traceID"] for trace in backends.traces(service.name, broken)] == [trace_id]
        assert backends.traces(service.name, {"resilience.error.root.code": "CIRCUIT_OPEN"}) == []


def test_spans_sent_over_http_arrive_too(backends: Backends) -> None:
    exporter = OTLPSpanExporter(f"http://{backends.otlp_http}/v1/traces")
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    span = provider.get_tracer("tests").start_span("GET /")
    span.end()
    provider.shutdown()
    trace_id = format_trace_id(span.get_span_context().trace_id)
    trace = eventually(lambda: backends.trace(trace_id), "the span in Jaeger")
    assert [one["operationName"] for one in trace["spans"]] == ["GET /"]


def test_requests_of_spans_are_counted_in_prometheus_and_shown_by_jaeger(backends: Backends) -> None:
    with Service("rates", backends.otlp_grpc) as service:
        for _ in range(3):
            service.tracer.start_span("GET /accounts/{id}", kind=SpanKind.SERVER).end()
    counted = (
        f'traces_span_metrics_calls_total{{service_name="{service.name}", span_kind="SPAN_KIND_SERVER"}}'
    )
    # The connector hands on what it has counted every 15 seconds.
    eventually(lambda: backends.query(f"{counted} == 3"), "the count of spans in Prometheus", within=45.0)
    assert len(backends.query(counted)) == 1
    question = {"service": service.name, "spanKind": "server", "lookback": "3600000", "ratePer": "60000"}
    answer = get_json(f"{backends.jaeger_url}/api/metrics/calls", **question)
    assert [{"name": "service_name", "value": service.name}] in [one["labels"] for one in answer["metrics"]]


def test_the_breaker_metric_has_the_name_and_labels_that_alerts_use(backends: Backends) -> None:
    with Service("metrics", backends.otlp_grpc) as service:
        status = BreakerStatus(service, "payments")
        status.state = "half_open"
        every = f'resilience_circuit_breaker_status{{job="{service.name}"}}'
        series = eventually(lambda: backends.query(every), "the breaker's status in Prometheus")
        values = {one["metric"]["resilience_circuit_breaker_state"]: one["value"][1] for one in series}
        assert values == {
            "closed": "0",
            "open": "0",
            "half_open": "1",
            "forced_open": "0",
            "forced_closed": "0",
        }
        for one in series:
            labels = one["metric"]
            assert (labels["instance"], labels["service_name"]) == ("one", service.name)
            assert labels["resilience_policy_name"] == "payments"
