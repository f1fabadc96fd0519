"""Every name that is emitted, as data: metrics, span attributes, events, and the values that they may have.

Nothing that is not listed here is emitted, and nothing is listed that is not emitted; tests compare both
ways. The names are the contract with dashboards and alert rules: they are kept, or a change of them is a
breaking one.

The file is longer than 300 lines because it is one table, which is read by looking things up.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from importlib import metadata

from opentelemetry._logs import SeverityNumber

from otel_resilience.discovery.endpoint_state import EndpointState
from otel_resilience.outcome import Outcome
from otel_resilience.policies.circuit_breaker.transitions import BreakerState

SCOPE = "otel_resilience"


def _version() -> str:
    try:
        return metadata.version("otel-resilience")
    except metadata.PackageNotFoundError:  # run from a source tree that was never installed
        return "0"


VERSION = _version()

#: What stands for a value when there are too many different ones.
OTHER = "_OTHER"

ERROR_TYPE = "error.type"
SERVICE_NAME = "service.name"
SERVICE_PEER_NAME = "service.peer.name"
HTTP_RESEND_COUNT = "http.request.resend_count"
EXCEPTION_TYPE = "exception.type"
EXCEPTION_MESSAGE = "exception.message"
EXCEPTION_STACKTRACE = "exception.stacktrace"

POLICY_NAME = "resilience.policy.name"
POLICY_TYPE = "resilience.policy.type"
OUTCOME = "resilience.outcome"
ENFORCED = "resilience.enforced"
CORRELATION_ID = "resilience.correlation.id"
ATTEMPT_NUMBER = "resilience.attempt.number"
ATTEMPT_COUNT = "resilience.attempt.count"
ATTEMPT_TYPE = "resilience.attempt.type"
RETRY_DELAY = "resilience.retry.delay"
RETRY_DELAY_TOTAL = "resilience.retry.delay.total"
RETRY_RESULT = "resilience.retry.result"
RETRY_SUPPRESSION_REASON = "resilience.retry.suppression.reason"
BREAKER_STATE = "resilience.circuit_breaker.state"
BREAKER_PREVIOUS_STATE = "resilience.circuit_breaker.previous_state"
BREAKER_SIGNAL = "resilience.circuit_breaker.signal"
CAUSE_SERVICE = "resilience.circuit_breaker.cause.service"
CAUSE_CODE = "resilience.circuit_breaker.cause.code"
CAUSE_TRACE_ID = "resilience.circuit_breaker.cause.trace_id"
REJECTION_REASON = "resilience.rejection.reason"
REJECTION_RETRY_AFTER = "resilience.rejection.retry_after"
TIMEOUT_SECONDS = "resilience.timeout.seconds"
HEDGE_DELAY = "resilience.hedge.delay"
FAULT_LATENCY = "resilience.fault.latency"
ERROR_CODE = "resilience.error.code"
ERROR_ROOT_SERVICE = "resilience.error.root.service"
ERROR_ROOT_CODE = "resilience.error.root.code"
ERROR_ROOT_TRACE_ID = "resilience.error.root.trace_id"
ERROR_ROOT_SPAN_ID = "resilience.error.root.span_id"
ERROR_CHAIN_SERVICES = "resilience.error.chain.services"
ERROR_CHAIN_CODES = "resilience.error.chain.codes"
ERROR_CHAIN_LENGTH = "resilience.error.chain.length"
ERROR_CHAIN_OMITTED = "resilience.error.chain.omitted"
ERROR_RETRYABLE = "resilience.error.retryable"
DISCARD_REASON = "resilience.discard.reason"
ENDPOINT_STATE = "resilience.endpoint.state"
CONFIG_STATE = "resilience.config.state"
SUPPRESSED_COUNT = "resilience.suppressed_count"

#: The closed sets: an attribute that is listed here has no other value.
VALUES: Mapping[str, frozenset[str]] = {
    OUTCOME: frozenset(outcome.value for outcome in Outcome),
    POLICY_TYPE: frozenset({"bulkhead", "circuit_breaker", "discovery", "rate_limiter", "timeout"}),
    BREAKER_STATE: frozenset(state.value for state in BreakerState),
    BREAKER_PREVIOUS_STATE: frozenset(state.value for state in BreakerState),
    ATTEMPT_TYPE: frozenset({"initial", "retry", "hedge"}),
    RETRY_RESULT: frozenset(
        {"success_without_retry", "success_with_retry", "failure_without_retry", "failure_with_retry"}
    ),
    RETRY_SUPPRESSION_REASON: frozenset(
        {"budget", "deadline", "not_idempotent", "circuit_open", "nested", "not_retryable"}
    ),
    REJECTION_REASON: frozenset(
        {
            "circuit_open",
            "half_open_limit",
            "bulkhead_full",
            "rate_limited",
            "deadline_exceeded",
            "no_healthy_endpoint",
        }
    ),
    DISCARD_REASON: frozenset({"malformed", "oversized", "untrusted"}),
    ENDPOINT_STATE: frozenset(state.value for state in EndpointState),
    CONFIG_STATE: frozenset({"valid", "invalid"}),
}


class Instrument(StrEnum):
    """The kinds of instruments in use. All counts and states are observed, so that an event costs one addition."""

    OBSERVABLE_COUNTER = "observable_counter"
    OBSERVABLE_UP_DOWN_COUNTER = "observable_up_down_counter"
    OBSERVABLE_GAUGE = "observable_gauge"
    HISTOGRAM = "histogram"


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """One metric. ``attributes`` are in the order of its series' keys; those in ``optional`` may be absent.

    At most ``max_series`` combinations are kept apart; further ones have ``_OTHER`` in every attribute that
    has no closed set.
    """

    name: str
    instrument: Instrument
    unit: str
    description: str
    attributes: tuple[str, ...] = ()
    optional: frozenset[str] = frozenset()
    max_series: int = 1000


BREAKER_STATUS = Metric(
    name="resilience.circuit_breaker.status",
    instrument=Instrument.OBSERVABLE_UP_DOWN_COUNTER,
    unit="1",
    description="1 for the state that the circuit breaker is in, 0 for every other one.",
    attributes=(POLICY_NAME, BREAKER_STATE),
)
BREAKER_TRANSITIONS = Metric(
    name="resilience.circuit_breaker.transitions",
    instrument=Instrument.OBSERVABLE_COUNTER,
    unit="{transition}",
    description="How often the circuit breaker went from the previous state to the state.",
    attributes=(POLICY_NAME, BREAKER_STATE, BREAKER_PREVIOUS_STATE),
)
BREAKER_FAILURE_RATIO = Metric(
    name="resilience.circuit_breaker.failure_ratio",
    instrument=Instrument.OBSERVABLE_GAUGE,
    unit="1",
    description="Share of the calls in the circuit breaker's window that failed; 0 where there are none.",
    attributes=(POLICY_NAME,),
)
BREAKER_SLOW_CALL_RATIO = Metric(
    name="resilience.circuit_breaker.slow_call_ratio",
    instrument=Instrument.OBSERVABLE_GAUGE,
    unit="1",
    description="Share of the calls in the circuit breaker's window that were slow, where it is told what is slow.",
    attributes=(POLICY_NAME,),
)
EXECUTIONS = Metric(
    name="resilience.executions",
    instrument=Instrument.OBSERVABLE_COUNTER,
    unit="{execution}",
    description="Logical calls that ended, counted once by the outermost guard of the name.",
    attributes=(POLICY_NAME, OUTCOME, ERROR_TYPE, ENFORCED),
    optional=frozenset({ERROR_TYPE}),
)
EXECUTION_DURATION = Metric(
    name="resilience.execution.duration",
    instrument=Instrument.HISTOGRAM,
    unit="s",
    description="Duration of logical calls to other services, waiting between attempts included.",
    attributes=(POLICY_NAME, OUTCOME, ERROR_TYPE, SERVICE_PEER_NAME),
    optional=frozenset({ERROR_TYPE, SERVICE_PEER_NAME}),
)
ATTEMPTS = Metric(
    name="resilience.attempts",
    instrument=Instrument.OBSERVABLE_COUNTER,
    unit="{attempt}",
    description="Attempts that were sent; a rejected one is none.",
    attributes=(POLICY_NAME, ATTEMPT_TYPE, OUTCOME),
)
RETRY_CALLS = Metric(
    name="resilience.retry.calls",
    instrument=Instrument.OBSERVABLE_COUNTER,
    unit="{execution}",
    description="Calls through a retry policy, by how they ended and whether they were retried.",
    attributes=(POLICY_NAME, RETRY_RESULT),
)
RETRY_SUPPRESSED = Metric(
    name="resilience.retry.suppressed",
    instrument=Instrument.OBSERVABLE_COUNTER,
    unit="{attempt}",
    description="Retries that the policy wanted and that were not made, by the reason against them.",
    attributes=(POLICY_NAME, RETRY_SUPPRESSION_REASON),
)
RETRY_BUDGET_AVAILABLE = Metric(
    name="resilience.retry_budget.available",
    instrument=Instrument.OBSERVABLE_UP_DOWN_COUNTER,
    unit="{token}",
    description="Retries that the budget permits now.",
    attributes=(POLICY_NAME,),
)
RETRY_BUDGET_LIMIT = Metric(
    name="resilience.retry_budget.limit",
    instrument=Instrument.OBSERVABLE_UP_DOWN_COUNTER,
    unit="{token}",
    description="Retries that the budget permits in its window, for the traffic of the last window.",
    attributes=(POLICY_NAME,),
)
REJECTIONS = Metric(
    name="resilience.rejections",
    instrument=Instrument.OBSERVABLE_COUNTER,
    unit="{execution}",
    description="Calls that a policy refused, or would have refused where it is not enforced.",
    attributes=(POLICY_NAME, POLICY_TYPE, REJECTION_REASON, ENFORCED),
)
BULKHEAD_USAGE = Metric(
    name="resilience.bulkhead.usage",
    instrument=Instrument.OBSERVABLE_UP_DOWN_COUNTER,
    unit="{execution}",
    description="Calls that run in the bulkhead now.",
    attributes=(POLICY_NAME,),
)
BULKHEAD_LIMIT = Metric(
    name="resilience.bulkhead.limit",
    instrument=Instrument.OBSERVABLE_UP_DOWN_COUNTER,
    unit="{execution}",
    description="Calls that may run in the bulkhead at a time.",
    attributes=(POLICY_NAME,),
)
BULKHEAD_QUEUE_USAGE = Metric(
    name="resilience.bulkhead.queue.usage",
    instrument=Instrument.OBSERVABLE_UP_DOWN_COUNTER,
    unit="{execution}",
    description="Calls that wait for the bulkhead now.",
    attributes=(POLICY_NAME,),
)
BULKHEAD_QUEUE_LIMIT = Metric(
    name="resilience.bulkhead.queue.limit",
    instrument=Instrument.OBSERVABLE_UP_DOWN_COUNTER,
    unit="{execution}",
    description="Calls that may wait for the bulkhead at a time.",
    attributes=(POLICY_NAME,),
)
TIMEOUTS = Metric(
    name="resilience.timeouts",
    instrument=Instrument.OBSERVABLE_COUNTER,
    unit="{timeout}",
    description="Timeouts that ended a call, found it too late, or would have where they are not enforced.",
    attributes=(POLICY_NAME, OUTCOME),
)
FALLBACKS = Metric(
    name="resilience.fallbacks",
    instrument=Instrument.OBSERVABLE_COUNTER,
    unit="{fallback}",
    description="Fallbacks that stood in for a failure, or failed to; where not enforced, by what the caller got without.",
    attributes=(POLICY_NAME, OUTCOME),
)
HEDGES = Metric(
    name="resilience.hedges",
    instrument=Instrument.OBSERVABLE_COUNTER,
    unit="{hedge}",
    description="Attempts that were begun beside a slow one and ended.",
    attributes=(POLICY_NAME, OUTCOME),
)
FAULTS = Metric(
    name="resilience.faults",
    instrument=Instrument.OBSERVABLE_COUNTER,
    unit="{fault}",
    description="Faults that were injected on purpose, by what the attempt came to.",
    attributes=(POLICY_NAME, OUTCOME),
)
ERRORS = Metric(
    name="resilience.errors",
    instrument=Instrument.OBSERVABLE_COUNTER,
    unit="{error}",
    description="Failed requests, and failed calls outside of any request, by the root of their error chain.",
    attributes=(ERROR_ROOT_SERVICE, ERROR_ROOT_CODE, ERROR_TYPE),
    optional=frozenset({ERROR_TYPE}),
    max_series=200,
)
PROPAGATION_DISCARDED = Metric(
    name="resilience.propagation.discarded",
    instrument=Instrument.OBSERVABLE_COUNTER,
    unit="{field}",
    description="Fields from peers that were ignored.",
    attributes=(DISCARD_REASON,),
)
ENDPOINTS = Metric(
    name="resilience.endpoints",
    instrument=Instrument.OBSERVABLE_UP_DOWN_COUNTER,
    unit="{endpoint}",
    description="Endpoints that the registries of this process know of a service, by state.",
    attributes=(SERVICE_PEER_NAME, ENDPOINT_STATE),
)
EJECTIONS = Metric(
    name="resilience.ejections",
    instrument=Instrument.OBSERVABLE_COUNTER,
    unit="{ejection}",
    description="Endpoints of a service that were left out, as calls to them kept failing.",
    attributes=(SERVICE_PEER_NAME, ENFORCED),
)
CONFIG_STATUS = Metric(
    name="resilience.config.status",
    instrument=Instrument.OBSERVABLE_UP_DOWN_COUNTER,
    unit="1",
    description="1 for the state that the policy file was found in when it was last read, 0 for the other one.",
    attributes=(CONFIG_STATE,),
)

METRICS: tuple[Metric, ...] = (
    BREAKER_STATUS,
    BREAKER_TRANSITIONS,
    BREAKER_FAILURE_RATIO,
    BREAKER_SLOW_CALL_RATIO,
    EXECUTIONS,
    EXECUTION_DURATION,
    ATTEMPTS,
    RETRY_CALLS,
    RETRY_SUPPRESSED,
    RETRY_BUDGET_AVAILABLE,
    RETRY_BUDGET_LIMIT,
    REJECTIONS,
    BULKHEAD_USAGE,
    BULKHEAD_LIMIT,
    BULKHEAD_QUEUE_USAGE,
    BULKHEAD_QUEUE_LIMIT,
    TIMEOUTS,
    FALLBACKS,
    HEDGES,
    FAULTS,
    ERRORS,
    PROPAGATION_DISCARDED,
    ENDPOINTS,
    EJECTIONS,
    CONFIG_STATUS,
)

#: Boundaries of ``resilience.execution.duration`` in seconds: those of the HTTP semantic conventions.
DURATION_BOUNDARIES = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0)

#: What a failure's chain puts on a span, INTERNAL or SERVER.
CHAIN_ATTRIBUTES = frozenset(
    {
        ERROR_CODE,
        ERROR_ROOT_SERVICE,
        ERROR_ROOT_CODE,
        ERROR_ROOT_TRACE_ID,
        ERROR_ROOT_SPAN_ID,
        ERROR_CHAIN_SERVICES,
        ERROR_CHAIN_CODES,
        ERROR_CHAIN_LENGTH,
        ERROR_CHAIN_OMITTED,
        ERROR_RETRYABLE,
    }
)
_CAUSE_ATTRIBUTES = frozenset({CAUSE_SERVICE, CAUSE_CODE, CAUSE_TRACE_ID})
#: What ``execute {name}`` may carry.
CALL_SPAN_ATTRIBUTES = (
    frozenset(
        {
            POLICY_NAME,
            SERVICE_PEER_NAME,
            CORRELATION_ID,
            OUTCOME,
            ATTEMPT_COUNT,
            RETRY_DELAY_TOTAL,
            BREAKER_STATE,
            REJECTION_REASON,
            ERROR_TYPE,
        }
    )
    | CHAIN_ATTRIBUTES
    | _CAUSE_ATTRIBUTES
)
#: What ``attempt {name}`` may carry.
ATTEMPT_SPAN_ATTRIBUTES = frozenset({ATTEMPT_NUMBER, CORRELATION_ID, OUTCOME, ERROR_TYPE})
#: What ``DistributedTracer`` puts on its spans.
TRACER_SPAN_ATTRIBUTES = frozenset({SERVICE_NAME, CORRELATION_ID})
#: What the span processor adds to spans of others.
FOREIGN_SPAN_ATTRIBUTES = frozenset({ATTEMPT_NUMBER, HTTP_RESEND_COUNT, CORRELATION_ID})


@dataclass(frozen=True, slots=True, kw_only=True)
class EventType:
    """One event, on spans and as log record. ``capped``: at most one log record a second per policy name.

    ``opening_severity`` replaces ``severity`` where the event says that a circuit opened.
    """

    name: str
    severity: SeverityNumber
    attributes: frozenset[str]
    opening_severity: SeverityNumber | None = None
    capped: bool = True


STATE_CHANGED = EventType(
    name="resilience.circuit_breaker.state_changed",
    severity=SeverityNumber.INFO,
    opening_severity=SeverityNumber.WARN,
    attributes=frozenset({POLICY_NAME, BREAKER_STATE, BREAKER_PREVIOUS_STATE, BREAKER_SIGNAL})
    | _CAUSE_ATTRIBUTES,
    capped=False,
)
EXECUTION_REJECTED = EventType(
    name="resilience.execution.rejected",
    severity=SeverityNumber.WARN,
    attributes=frozenset(
        {POLICY_NAME, POLICY_TYPE, REJECTION_REASON, REJECTION_RETRY_AFTER, ENFORCED, ERROR_CODE}
    )
    | _CAUSE_ATTRIBUTES,
)
RETRY_SCHEDULED = EventType(
    name="resilience.retry.scheduled",
    severity=SeverityNumber.DEBUG,
    attributes=frozenset({POLICY_NAME, ATTEMPT_NUMBER, RETRY_DELAY, ERROR_TYPE, ERROR_CODE}),
)
RETRY_EXHAUSTED = EventType(
    name="resilience.retry.exhausted",
    severity=SeverityNumber.WARN,
    attributes=frozenset({POLICY_NAME, ATTEMPT_COUNT, ERROR_TYPE, ERROR_CODE}),
)
EXECUTION_TIMED_OUT = EventType(
    name="resilience.execution.timed_out",
    severity=SeverityNumber.WARN,
    attributes=frozenset({POLICY_NAME, TIMEOUT_SECONDS, ENFORCED}),
)
FALLBACK_EXECUTED = EventType(
    name="resilience.fallback.executed",
    severity=SeverityNumber.INFO,
    attributes=frozenset({POLICY_NAME, OUTCOME, ENFORCED, ERROR_TYPE, ERROR_CODE}),
)
HEDGE_STARTED = EventType(
    name="resilience.hedge.started",
    severity=SeverityNumber.DEBUG,
    attributes=frozenset({POLICY_NAME, ATTEMPT_NUMBER, HEDGE_DELAY}),
)
FAULT_INJECTED = EventType(
    name="resilience.fault.injected",
    severity=SeverityNumber.INFO,
    attributes=frozenset({POLICY_NAME, OUTCOME, FAULT_LATENCY, ERROR_TYPE}),
)
EXECUTION_EXCEPTION = EventType(
    name="resilience.execution.exception",
    severity=SeverityNumber.WARN,
    attributes=frozenset({POLICY_NAME, ERROR_CODE, EXCEPTION_TYPE, EXCEPTION_MESSAGE, EXCEPTION_STACKTRACE}),
)

EVENTS: tuple[EventType, ...] = (
    STATE_CHANGED,
    EXECUTION_REJECTED,
    RETRY_SCHEDULED,
    RETRY_EXHAUSTED,
    EXECUTION_TIMED_OUT,
    FALLBACK_EXECUTED,
    HEDGE_STARTED,
    FAULT_INJECTED,
    EXECUTION_EXCEPTION,
)
