"""From events to counts, durations and named events: the one place that knows which is which."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from opentelemetry.metrics import Histogram
from opentelemetry.util.types import AttributeValue

from otel_resilience.events import (
    AttemptFinished,
    CircuitStateChanged,
    EndpointEjected,
    Event,
    ExecutionFailed,
    ExecutionFinished,
    ExecutionRejected,
    ExecutionTimedOut,
    FallbackExecuted,
    FaultInjected,
    FieldDiscarded,
    HedgeFinished,
    HedgeStarted,
    RetryExhausted,
    RetryFinished,
    RetryScheduled,
    RetrySuppressed,
)
from otel_resilience.telemetry import names, safely
from otel_resilience.telemetry.counts import Counts
from otel_resilience.telemetry.events import EventEmitter


class TelemetryListener:
    """A listener of the core. Counts first, then calls the SDK, which only traced calls and the cold path do.

    Safe for threads. Does not raise for what an SDK or an exporter does, so that it is never dropped.
    """

    def __init__(self, counts: Counts, duration: Histogram, emitter: EventEmitter) -> None:
        self._counts = counts
        self._duration = duration
        self._emitter = emitter
        self._handlers: dict[type[Event], Callable[[Any], None]] = {
            ExecutionFinished: self._execution_finished,
            AttemptFinished: self._attempt_finished,
            RetryFinished: self._retry_finished,
            ExecutionFailed: self._execution_failed,
            ExecutionRejected: self._execution_rejected,
            CircuitStateChanged: self._state_changed,
            RetryScheduled: self._retry_scheduled,
            RetrySuppressed: self._retry_suppressed,
            RetryExhausted: self._retry_exhausted,
            ExecutionTimedOut: self._timed_out,
            FieldDiscarded: self._field_discarded,
            FallbackExecuted: self._fallback_executed,
            HedgeStarted: self._hedge_started,
            HedgeFinished: self._hedge_finished,
            FaultInjected: self._fault_injected,
            EndpointEjected: self._endpoint_ejected,
        }

    def __call__(self, event: Event) -> None:
        handle = self._handlers.get(type(event))
        if handle is not None:
            handle(event)

    def _execution_finished(self, event: ExecutionFinished) -> None:
        if event.counted:
            self._counts.add(
                names.EXECUTIONS, event.name, event.outcome.value, event.error_type, event.enforced
            )
        if event.traced:
            _shielded(self._record_duration, event)

    def _record_duration(self, event: ExecutionFinished) -> None:
        attributes: dict[str, AttributeValue] = {
            names.POLICY_NAME: event.name,
            names.OUTCOME: event.outcome.value,
        }
        error_type = self._counts.bounded_error_type(event.error_type)
        if error_type is not None:
            attributes[names.ERROR_TYPE] = error_type
        if event.peer is not None:
            attributes[names.SERVICE_PEER_NAME] = event.peer
        self._duration.record(event.duration, attributes)

    def _attempt_finished(self, event: AttemptFinished) -> None:
        self._counts.add(names.ATTEMPTS, event.name, event.attempt_type, event.outcome.value)

    def _retry_finished(self, event: RetryFinished) -> None:
        self._counts.add(names.RETRY_CALLS, event.name, event.result)

    def _execution_failed(self, event: ExecutionFailed) -> None:
        _shielded(self._emitter.failed, event)

    def _execution_rejected(self, event: ExecutionRejected) -> None:
        self._counts.add(names.REJECTIONS, event.name, event.policy_type, event.reason, event.enforced)
        _shielded(self._emitter.rejected, event)

    def _state_changed(self, event: CircuitStateChanged) -> None:
        self._counts.add(names.BREAKER_TRANSITIONS, event.name, str(event.state), str(event.previous_state))
        _shielded(self._emitter.state_changed, event)

    def _retry_scheduled(self, event: RetryScheduled) -> None:
        _shielded(self._emitter.retry_scheduled, event)

    def _retry_suppressed(self, event: RetrySuppressed) -> None:
        self._counts.add(names.RETRY_SUPPRESSED, event.name, event.reason)

    def _retry_exhausted(self, event: RetryExhausted) -> None:
        _shielded(self._emitter.retry_exhausted, event)

    def _timed_out(self, event: ExecutionTimedOut) -> None:
        self._counts.add(names.TIMEOUTS, event.name, event.outcome.value)
        _shielded(self._emitter.timed_out, event)

    def _fallback_executed(self, event: FallbackExecuted) -> None:
        self._counts.add(names.FALLBACKS, event.name, event.outcome.value)
        _shielded(self._emitter.fallback_executed, event)

    def _hedge_started(self, event: HedgeStarted) -> None:
        _shielded(self._emitter.hedge_started, event)

    def _hedge_finished(self, event: HedgeFinished) -> None:
        self._counts.add(names.HEDGES, event.name, event.outcome.value)

    def _fault_injected(self, event: FaultInjected) -> None:
        self._counts.add(names.FAULTS, event.name, event.outcome.value)
        _shielded(self._emitter.fault_injected, event)

    def _endpoint_ejected(self, event: EndpointEjected) -> None:
        self._counts.add(names.EJECTIONS, event.name, event.enforced)

    def _field_discarded(self, event: FieldDiscarded) -> None:
        self._counts.add(names.PROPAGATION_DISCARDED, event.reason)


def _shielded(tell: Callable[[Any], None], event: Event) -> None:
    try:
        tell(event)
    except Exception:
        safely.report(f"telling of {type(event).__name__}")
