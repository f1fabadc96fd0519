"""A whole SDK in memory, and telemetry of ours on it: what tests look at."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import Any, Self

from opentelemetry.sdk._logs import LoggerProvider, ReadableLogRecord
from opentelemetry.sdk._logs.export import InMemoryLogRecordExporter, SimpleLogRecordProcessor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader, Metric
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_ON, Sampler
from opentelemetry.trace import Tracer

from otel_resilience import listener
from otel_resilience.context import service
from otel_resilience.context.service import Service
from otel_resilience.events import Event
from otel_resilience.inventory import POLICIES, Inventory
from otel_resilience.listener import LISTENERS
from otel_resilience.telemetry.events import Signals
from otel_resilience.telemetry.install import Telemetry
from otel_resilience.telemetry.processor import SpanProcessor

SERVICE = "orders"

#: Attributes as something that can be a key: a tuple stands for an attribute's list.
Attributes = frozenset[tuple[str, Any]]


class Observatory:
    """In use inside ``with``: the process's telemetry goes here and nowhere else."""

    def __init__(
        self,
        *,
        processor: bool = True,
        signals: Signals | None = None,
        sampler: Sampler = ALWAYS_ON,
        policies: Inventory | None = None,
    ) -> None:
        resource = Resource({"service.name": SERVICE})
        self._spans = InMemorySpanExporter()
        self.tracers = TracerProvider(resource=resource, sampler=sampler, shutdown_on_exit=False)
        if processor:
            shaped: Any = SpanProcessor()  # one by its shape, not by its type
            self.tracers.add_span_processor(shaped)
        self.tracers.add_span_processor(SimpleSpanProcessor(self._spans))
        self._reader = InMemoryMetricReader()
        self._meters = MeterProvider([self._reader], resource=resource, shutdown_on_exit=False)
        self._records = InMemoryLogRecordExporter()  # type: ignore[no-untyped-call]  # the SDK's own lack
        self._loggers = LoggerProvider(resource=resource, shutdown_on_exit=False)
        self._loggers.add_log_record_processor(SimpleLogRecordProcessor(self._records))
        self.telemetry = Telemetry(
            tracer_provider=self.tracers,
            meter_provider=self._meters,
            logger_provider=self._loggers,
            signals=signals or Signals(),
            policies=POLICIES if policies is None else policies,
        )
        self._replaced: tuple[Sequence[Callable[[Event], None]], Any, Callable[[], Service]]

    def __enter__(self) -> Self:
        self._replaced = (LISTENERS._listeners, listener.tracing(), service._find)
        LISTENERS._listeners = ()
        LISTENERS.add(self.telemetry.listener)
        listener.use_tracing(self.telemetry.tracing)
        service.use(lambda: Service(SERVICE, "1.0"))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        listeners, tracing, find = self._replaced
        LISTENERS._listeners = tuple(listeners)
        listener.use_tracing(tracing)
        service.use(find)
        self._meters.shutdown()
        self.tracers.shutdown()
        self._loggers.shutdown()

    def tracer(self) -> Tracer:
        """A tracer of somebody else's: an instrumentation, an application."""
        return self.tracers.get_tracer("somebody")

    @property
    def spans(self) -> tuple[ReadableSpan, ...]:
        """Finished spans, in the order in which they ended."""
        return self._spans.get_finished_spans()

    def span(self, name: str) -> ReadableSpan:
        """The one span of that name."""
        [span] = [span for span in self.spans if span.name == name]
        return span

    @property
    def metrics(self) -> Mapping[str, Metric]:
        """What a collection reads now, by name."""
        data = self._reader.get_metrics_data()
        return (
            {}
            if data is None
            else {
                metric.name: metric
                for resource in data.resource_metrics
                for scope in resource.scope_metrics
                for metric in scope.metrics
            }
        )

    def points(self, metric: str) -> dict[Attributes, Any]:
        """The points of one metric: values, or counts of a histogram."""
        found = self.metrics.get(metric)
        return (
            {}
            if found is None
            else {
                frozenset((point.attributes or {}).items()): getattr(point, "value", None)
                if hasattr(point, "value")
                else point.count
                for point in found.data.data_points
            }
        )

    @property
    def records(self) -> list[ReadableLogRecord]:
        """Log records, in order."""
        return list(self._records.get_finished_logs())


def attributes(**named: Any) -> Attributes:
    """Attributes by their names with ``__`` for a dot: ``attributes(error__type="X")``."""
    return frozenset((name.replace("__", "."), value) for name, value in named.items())
