"""Spans through OpenTelemetry; an error that was recorded knows its trace, its span and the spans around it."""

from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from otel_resilience import DistributedTracer, DomainError

finished = InMemorySpanExporter()
provider = TracerProvider()
provider.add_span_processor(SimpleSpanProcessor(finished))
trace.set_tracer_provider(provider)

tracer = DistributedTracer("orders")
try:
    with tracer.trace("checkout"), tracer.span("reserve"):
        raise DomainError("OUT_OF_STOCK", "none left")
except DomainError as error:
    reserve, checkout = finished.get_finished_spans()
    print("the error names its trace:", error.trace_id == trace.format_trace_id(reserve.context.trace_id))
    print("its span:", error.span_id == trace.format_span_id(reserve.context.span_id))
    print("and the spans around it:", error.parent_spans == (trace.format_span_id(checkout.context.span_id),))
    for span in (checkout, reserve):
        print(
            f"{span.name}: {span.status.status_code.name} {span.status.description}, {len(span.events)} exception(s)"
        )
