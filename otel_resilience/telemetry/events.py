"""Events of ours where people look: on the current span, and as log records with an event name.

Both by default, since the one common trace viewer keeps no logs, and the log signal is where events belong in future.
"""

from __future__ import annotations

import logging
import time
import traceback
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from opentelemetry import trace
from opentelemetry._logs import Logger, SeverityNumber
from opentelemetry.util.types import AttributeValue

from otel_resilience import classify
from otel_resilience.events import (
    CircuitStateChanged,
    ExecutionFailed,
    ExecutionRejected,
    ExecutionTimedOut,
    FallbackExecuted,
    FaultInjected,
    HedgeStarted,
    RetryExhausted,
    RetryScheduled,
)
from otel_resilience.exceptions import RejectedError
from otel_resilience.policies.circuit_breaker.transitions import BreakerState
from otel_resilience.telemetry import names
from otel_resilience.telemetry.cause import cause_attributes
from otel_resilience.telemetry.names import EventType
from otel_resilience.telemetry.rate_cap import RateCap
from otel_resilience.telemetry.recorded import was_recorded

EVENTS_VARIABLE = "OTEL_RESILIENCE_EVENTS"
EXCEPTION_SIGNAL_VARIABLE = "OTEL_SEMCONV_EXCEPTION_SIGNAL_OPT_IN"

_log = logging.getLogger("otel_resilience")

_OPENED = frozenset({BreakerState.OPEN.value, BreakerState.FORCED_OPEN.value})
_MAX_TEXT = 8_192
_MAX_STACK = 65_536

Attributes = dict[str, AttributeValue]


@dataclass(frozen=True, slots=True, kw_only=True)
class Signals:
    """Where events go. ``exception_on_span`` is about ``resilience.execution.exception`` alone."""

    span: bool = True
    log: bool = True
    exception_on_span: bool = True

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Self:
        """Read ``OTEL_RESILIENCE_EVENTS`` (``both span log none``) and ``OTEL_SEMCONV_EXCEPTION_SIGNAL_OPT_IN``.

        The latter's ``logs`` takes exceptions off the spans wherever they are logged; unset means here what
        ``logs/dup`` says. A bad value is said once and not used.
        """
        chosen = environment.get(EVENTS_VARIABLE, "").strip().lower() or "both"
        if chosen not in ("both", "span", "log", "none"):
            _log.warning(
                "%s=%r is not used: it must be one of both, span, log, none",
                EVENTS_VARIABLE,
                environment[EVENTS_VARIABLE],
            )
            chosen = "both"
        log = chosen in ("both", "log")
        only_logs = "logs" in [
            word.strip() for word in environment.get(EXCEPTION_SIGNAL_VARIABLE, "").split(",")
        ]
        span = chosen in ("both", "span")
        return cls(span=span, log=log, exception_on_span=span and not (log and only_logs))


class EventEmitter:
    """Emits the events that have a name of their own. Safe for threads; called on the cold path only."""

    def __init__(self, logger: Logger, signals: Signals) -> None:
        self._logger = logger
        self._signals = signals
        self._cap = RateCap()

    def state_changed(self, event: CircuitStateChanged) -> None:
        attributes: Attributes = {
            names.POLICY_NAME: event.name,
            names.BREAKER_STATE: str(event.state),
            names.BREAKER_PREVIOUS_STATE: str(event.previous_state),
            names.BREAKER_SIGNAL: str(event.signal),
            **cause_attributes(event.cause),
        }
        kind = names.STATE_CHANGED
        opening = kind.opening_severity if event.state in _OPENED else None
        self._emit(kind, event.name, attributes, severity=opening)

    def rejected(self, event: ExecutionRejected) -> None:
        attributes: Attributes = {
            names.POLICY_NAME: event.name,
            names.POLICY_TYPE: event.policy_type,
            names.REJECTION_REASON: event.reason,
            names.ENFORCED: event.enforced,
            names.ERROR_CODE: event.error_code,
            **cause_attributes(event.cause),
        }
        if event.retry_after is not None:
            attributes[names.REJECTION_RETRY_AFTER] = float(event.retry_after)
        self._emit(names.EXECUTION_REJECTED, event.name, attributes)

    def retry_scheduled(self, event: RetryScheduled) -> None:
        attributes: Attributes = {
            names.POLICY_NAME: event.name,
            names.ATTEMPT_NUMBER: event.attempt,
            names.RETRY_DELAY: float(event.delay),
            **_failure(event.error_type, event.error_code),
        }
        self._emit(names.RETRY_SCHEDULED, event.name, attributes)

    def retry_exhausted(self, event: RetryExhausted) -> None:
        attributes: Attributes = {
            names.POLICY_NAME: event.name,
            names.ATTEMPT_COUNT: event.attempts,
            **_failure(event.error_type, event.error_code),
        }
        self._emit(names.RETRY_EXHAUSTED, event.name, attributes)

    def timed_out(self, event: ExecutionTimedOut) -> None:
        attributes: Attributes = {
            names.POLICY_NAME: event.name,
            names.TIMEOUT_SECONDS: float(event.seconds),
            names.ENFORCED: event.enforced,
        }
        self._emit(names.EXECUTION_TIMED_OUT, event.name, attributes)

    def fallback_executed(self, event: FallbackExecuted) -> None:
        attributes: Attributes = {
            names.POLICY_NAME: event.name,
            names.OUTCOME: event.outcome.value,
            names.ENFORCED: event.enforced,
            **_failure(event.error_type, event.error_code),
        }
        self._emit(names.FALLBACK_EXECUTED, event.name, attributes)

    def hedge_started(self, event: HedgeStarted) -> None:
        attributes: Attributes = {
            names.POLICY_NAME: event.name,
            names.ATTEMPT_NUMBER: event.attempt,
            names.HEDGE_DELAY: float(event.delay),
        }
        self._emit(names.HEDGE_STARTED, event.name, attributes)

    def fault_injected(self, event: FaultInjected) -> None:
        attributes: Attributes = {
            names.POLICY_NAME: event.name,
            names.OUTCOME: event.outcome.value,
            names.FAULT_LATENCY: float(event.latency),
            **_failure(event.error_type, None),
        }
        self._emit(names.FAULT_INJECTED, event.name, attributes)

    def failed(self, event: ExecutionFailed) -> None:
        """The exception that ended a traced call; its stack once, and only where it began."""
        kind = names.EXECUTION_EXCEPTION
        refused = isinstance(event.error, RejectedError)
        if refused and (event.error.__traceback__ is None or not event.on_span):
            return  # our own refusal, which is an event of its own already, and was raised by nobody or by our own call
        on_span = (
            event.on_span and self._signals.exception_on_span and trace.get_current_span().is_recording()
        )
        as_log = self._signals.log and self._is_enabled(kind, kind.severity)
        if not on_span and not as_log:
            return
        error = event.error
        recorded = not event.remote and was_recorded(error)
        if recorded and not event.on_span:
            return  # a call of ours has ended with it, and nobody has caught it since
        attributes: Attributes = {
            names.POLICY_NAME: event.name,
            names.ERROR_CODE: event.error_code,
            names.EXCEPTION_TYPE: classify.qualified_name(error),
            names.EXCEPTION_MESSAGE: _message(error),
        }
        # A stack costs more than all the rest, and it says what it says where the story begins.
        if not event.remote and not recorded:
            attributes[names.EXCEPTION_STACKTRACE] = _stack(error)
        self._emit(kind, event.name, attributes, on_span=on_span)

    def _emit(
        self,
        kind: EventType,
        policy: str,
        attributes: Attributes,
        *,
        severity: SeverityNumber | None = None,
        on_span: bool | None = None,
    ) -> None:
        if self._signals.span if on_span is None else on_span:
            span = trace.get_current_span()
            if span.is_recording():
                span.add_event(kind.name, attributes)
        severity = severity or kind.severity
        if self._signals.log and self._is_enabled(kind, severity):
            self._log_record(kind, policy, attributes, severity)

    def _log_record(
        self, kind: EventType, policy: str, attributes: Attributes, severity: SeverityNumber
    ) -> None:
        if kind.capped:
            held_back = self._cap.take(policy, kind.name)
            if held_back is None:
                return
            if held_back:
                attributes = {**attributes, names.SUPPRESSED_COUNT: held_back}
        self._logger.emit(
            timestamp=time.time_ns(),
            severity_number=severity,
            severity_text=severity.name,
            attributes=attributes,
            event_name=kind.name,
        )

    def _is_enabled(self, kind: EventType, severity: SeverityNumber) -> bool:
        enabled = getattr(self._logger, "enabled", None)  # the API has it since 1.45
        return enabled is None or enabled(severity_number=severity, event_name=kind.name)


def _failure(error_type: str | None, error_code: str | None) -> Attributes:
    attributes: Attributes = {}
    if error_type is not None:
        attributes[names.ERROR_TYPE] = error_type
    if error_code is not None:
        attributes[names.ERROR_CODE] = error_code
    return attributes


def _message(error: BaseException) -> str:
    try:
        return str(error)[:_MAX_TEXT]
    except Exception:
        return f"<{type(error).__name__} whose text cannot be made>"


def _stack(error: BaseException) -> str:
    try:
        stack = "".join(traceback.format_exception(error))
        if len(stack) <= _MAX_STACK:
            return stack
        half = _MAX_STACK // 2  # the way stands first, and last what happened
        return f"{stack[:half]}\n…\n{stack[-half:]}"
    except Exception:
        return f"<{type(error).__name__} whose stack cannot be made>"
