"""A service of the tests: the real OpenTelemetry SDK with the real OTLP exporters."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from types import TracebackType
from typing import Self

from opentelemetry.exporter.otlp.proto.grpc.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.metrics import CallbackOptions, Observation
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

EXPORT_MILLIS = 300
STATES = ("closed", "open", "half_open", "forced_open", "forced_closed")


class Service:
    """Sends spans and metrics to a collector under a name that no other test uses; a context manager."""

    def __init__(self, purpose: str, otlp_grpc: str) -> None:
        self.name = f"{purpose}-{uuid.uuid4().hex[:8]}"
        resource = Resource.create({"service.name": self.name, "service.instance.id": "one"})
        self._spans = TracerProvider(resource=resource, shutdown_on_exit=False)
        self._spans.add_span_processor(
            BatchSpanProcessor(
                OTLPSpanExporter(otlp_grpc, insecure=True), schedule_delay_millis=EXPORT_MILLIS
            )
        )
        exporter = OTLPMetricExporter(otlp_grpc, insecure=True)
        reader = PeriodicExportingMetricReader(exporter, export_interval_millis=EXPORT_MILLIS)
        self._metrics = MeterProvider([reader], resource=resource, shutdown_on_exit=False)
        self.tracer = self._spans.get_tracer("tests")
        self.meter = self._metrics.get_meter("tests")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        self._spans.shutdown()
        self._metrics.shutdown()


class BreakerStatus:
    """The metric `resilience.circuit_breaker.status` of one breaker, in whatever state the test puts it."""

    def __init__(self, service: Service, policy: str) -> None:
        self.state = "closed"
        self._policy = policy
        service.meter.create_observable_up_down_counter(
            "resilience.circuit_breaker.status", [self._observe], unit="1"
        )

    def _observe(self, options: CallbackOptions) -> Iterable[Observation]:
        for state in STATES:
            attributes = {"resilience.policy.name": self._policy, "resilience.circuit_breaker.state": state}
            yield Observation(int(state == self.state), attributes)
