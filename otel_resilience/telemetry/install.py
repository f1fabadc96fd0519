"""Wires telemetry to the core. It needs the API alone: proxies stand in until an SDK is set up, before or after."""

from __future__ import annotations

import os
from collections.abc import Collection

from opentelemetry import _logs, metrics, trace
from opentelemetry._logs import LoggerProvider
from opentelemetry.metrics import MeterProvider
from opentelemetry.trace import TracerProvider

from otel_resilience.context import service
from otel_resilience.errors.chain import ErrorChain
from otel_resilience.exceptions import use_identity
from otel_resilience.forking import ProcessLock
from otel_resilience.inventory import POLICIES, Inventory
from otel_resilience.listener import LISTENERS, use_tracing
from otel_resilience.telemetry import names, parents
from otel_resilience.telemetry.counts import Counts
from otel_resilience.telemetry.error_roots import ErrorRoots
from otel_resilience.telemetry.events import EventEmitter, Signals
from otel_resilience.telemetry.gauges import Gauges
from otel_resilience.telemetry.listener import TelemetryListener
from otel_resilience.telemetry.names import SCOPE, VERSION
from otel_resilience.telemetry.service import find_service
from otel_resilience.telemetry.spans import SpanTracing


class Telemetry:
    """Counts, instruments, events and spans of one set of providers; the global ones where none are given."""

    def __init__(
        self,
        *,
        tracer_provider: TracerProvider | None = None,
        meter_provider: MeterProvider | None = None,
        logger_provider: LoggerProvider | None = None,
        signals: Signals | None = None,
        policies: Inventory = POLICIES,
    ) -> None:
        meter = metrics.get_meter(SCOPE, VERSION, meter_provider)
        logger = _logs.get_logger(SCOPE, VERSION, logger_provider=logger_provider)
        self.counts = Counts()
        self.gauges = Gauges(meter, self.counts, policies)
        self.errors = ErrorRoots(self.counts)
        self.tracing = SpanTracing(trace.get_tracer(SCOPE, VERSION, tracer_provider), self.errors)
        duration = meter.create_histogram(
            names.EXECUTION_DURATION.name,
            unit=names.EXECUTION_DURATION.unit,
            description=names.EXECUTION_DURATION.description,
            explicit_bucket_boundaries_advisory=names.DURATION_BOUNDARIES,
        )
        emitter = EventEmitter(logger, signals or Signals.from_environment(os.environ))
        self.listener = TelemetryListener(self.counts, duration, emitter)


_telemetry: Telemetry | None = None
_installing = ProcessLock()  # two threads must not both create the instruments


def install() -> Telemetry:
    """Let the core's events, spans and errors reach OpenTelemetry; once in a process, later calls change nothing."""
    global _telemetry
    with _installing:
        if _telemetry is None:
            _telemetry = Telemetry()
            LISTENERS.add(_telemetry.listener)
            use_tracing(_telemetry.tracing)
            use_identity(parents.identify)
            service.use(find_service)
        return _telemetry


def count_error(chain: ErrorChain, error_type: str | None) -> None:
    """Count one failure in ``resilience.errors``, by the root of its chain.

    A failure counts once in a service: as the failing answer of the request in hand, for which the server's
    instrumentation calls this, or, outside of any request, as the traced call that failed, which counts
    itself. A failed call from which a request recovers is none.
    """
    install().errors.count(chain, error_type)


def allow_error_roots(services: Collection[str] | None = None, codes: Collection[str] | None = None) -> None:
    """Let ``resilience.errors`` name these ``services`` and ``codes`` alone; ``None`` allows all, within the bound."""
    install().errors.allow(services, codes)


def set_config_status(valid: bool) -> None:
    """Say in which state the policy file was found when it was last read."""
    install().gauges.config_valid = valid
