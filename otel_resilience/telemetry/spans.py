"""The INTERNAL span of a traced call, and of its attempts where no client draws them.

Spans are attached and ended by hand: no generator of ours stands in the user's tracebacks. Nothing here raises.
"""

from __future__ import annotations

from contextvars import ContextVar, Token
from typing import TypeVar

from opentelemetry import context as otel_context
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace import Span, SpanKind, Status, StatusCode, Tracer
from opentelemetry.util.types import AttributeValue

from otel_resilience import classify
from otel_resilience.context import correlation, leaving, request
from otel_resilience.errors.failed_call import FailedCall
from otel_resilience.errors.redaction import redacted, shown_code
from otel_resilience.exceptions import CircuitOpenError, ResilienceError
from otel_resilience.listener import CallSummary
from otel_resilience.outcome import Outcome
from otel_resilience.telemetry import names, parents, safely
from otel_resilience.telemetry.cause import cause_attributes
from otel_resilience.telemetry.chain_on_span import record_chain
from otel_resilience.telemetry.error_roots import ErrorRoots

_FAILED = frozenset({Outcome.FAILURE, Outcome.REJECTED, Outcome.TIMEOUT})

_call_span_id: ContextVar[int | None] = ContextVar("otel_resilience.call_span_id", default=None)
#: Set where a span was made current, so that the context of its end is known to be that of its begin.
_attached: ContextVar[None] = ContextVar("otel_resilience.attached", default=None)

T = TypeVar("T")


def current_call_span_id() -> int | None:
    """The span id of the guarded call around this code, as an int; ``None`` outside of a traced one."""
    return _call_span_id.get()


class SpanTracing:
    """Draws the spans of traced calls with ``tracer``, and counts the root of those that fail with nothing around them."""

    def __init__(self, tracer: Tracer, errors: ErrorRoots) -> None:
        self._tracer = tracer
        self._errors = errors

    def call_started(self, name: str, peer: str | None, is_client: bool) -> CallSpan | None:
        """Begin ``execute {name}`` and make it current. ``None`` if that was not possible."""
        try:
            return CallSpan(self._tracer, self._errors, name, peer, is_client)
        except Exception:
            safely.report("starting the span of a call")
            return None


class CallSpan:
    """``execute {name}``: one logical call, whatever it took. Begun and finished in the same context."""

    def __init__(
        self, tracer: Tracer, errors: ErrorRoots, name: str, peer: str | None, is_client: bool
    ) -> None:
        self._tracer = tracer
        self._errors = errors
        self._name = name
        self._is_client = is_client
        attributes: dict[str, AttributeValue] = {names.POLICY_NAME: name}
        if peer is not None:
            attributes[names.SERVICE_PEER_NAME] = peer
        self._span = _start(tracer, f"execute {name}", attributes)
        self._attached = _Attached(self._span)
        self._is_outermost = current_call_span_id() is None
        self._id_token = _call_span_id.set(self._span.get_span_context().span_id)

    def attempt_started(self, number: int) -> AttemptSpan | None:
        """The attempt as a child span, current while it runs; ``None`` where a client has a span of its own for it."""
        if self._is_client:
            return None
        try:
            return AttemptSpan(self._tracer, self._name, number)
        except Exception:
            safely.report("starting the span of an attempt")
            return None

    def finish(self, summary: CallSummary) -> None:
        """Tell how the call ended, end the span, make its parent current again."""
        try:
            self._describe(summary)
        except Exception:
            safely.report("describing a call on its span")
        leaving.leave(_call_span_id, self._id_token)
        self._attached.detach()
        _end(self._span)

    def _describe(self, summary: CallSummary) -> None:
        failed = summary.failed_call
        own_code = None
        if isinstance(failed, FailedCall):
            own_request = request.current()
            root_span = None if own_request is None else own_request.span
            whole = failed.chain(*(root_span or parents.ids(self._span.get_span_context())))
            chain, own_code = redacted(whole), shown_code(whole.hops[-1])
            if own_request is None and self._is_outermost and chain is not None:
                # The failing answer of a request, or the call around, counts instead: one story counts once in a service.
                self._errors.count(chain, summary.error_type)
            if chain is not None:
                record_chain(self._span, chain, own_code)
        if not self._span.is_recording():
            return
        self._span.set_attributes(_attributes(summary))
        if summary.outcome in _FAILED:
            self._span.set_status(Status(StatusCode.ERROR, own_code))


class AttemptSpan:
    """``attempt {name}``: one attempt at something that is no client."""

    def __init__(self, tracer: Tracer, name: str, number: int) -> None:
        self._span = _start(tracer, f"attempt {name}", {names.ATTEMPT_NUMBER: number})
        self._attached = _Attached(self._span)

    def finish(self, outcome: Outcome, error: BaseException | None) -> None:
        """Tell how the attempt ended, end the span, make the call's span current again."""
        try:
            self._span.set_attribute(names.OUTCOME, outcome.value)
            if error is not None and outcome in _FAILED:
                self._span.set_attribute(names.ERROR_TYPE, _error_type(error))
            if outcome in _FAILED:
                self._span.set_status(Status(StatusCode.ERROR))
        except Exception:
            safely.report("describing an attempt on its span")
        self._attached.detach()
        _end(self._span)


def _attributes(summary: CallSummary) -> dict[str, AttributeValue]:
    attributes: dict[str, AttributeValue] = {
        names.OUTCOME: summary.outcome.value,
        names.ATTEMPT_COUNT: summary.attempts,
        names.RETRY_DELAY_TOTAL: float(summary.retry_delay_total),
    }
    if summary.breaker_state is not None:
        attributes[names.BREAKER_STATE] = str(summary.breaker_state)
    if summary.error_type is not None:
        attributes[names.ERROR_TYPE] = summary.error_type
    if summary.outcome is Outcome.REJECTED:
        if summary.rejection_reason is not None:
            attributes[names.REJECTION_REASON] = summary.rejection_reason
        if isinstance(summary.error, CircuitOpenError):
            attributes.update(cause_attributes(summary.error.cause))
    return attributes


def _error_type(error: BaseException) -> str:
    return error.error_code if isinstance(error, ResilienceError) else classify.qualified_name(error)


def _start(tracer: Tracer, name: str, attributes: dict[str, AttributeValue]) -> Span:
    correlation_id = correlation.current()
    if correlation_id is not None:
        attributes[names.CORRELATION_ID] = correlation_id
    parent = trace.get_current_span()
    span = tracer.start_span(name, kind=SpanKind.INTERNAL, attributes=attributes)
    if span.is_recording():
        parents.remember(span, parent)
    return span


class _Attached:
    """``span`` is current until ``detach``; without an SDK there is nothing to make current."""

    __slots__ = ("_here", "_token")

    def __init__(self, span: Span) -> None:
        self._token: Token[Context] | None = None
        if span.get_span_context().is_valid:
            self._here = _attached.set(None)
            self._token = otel_context.attach(trace.set_span_in_context(span))

    def detach(self) -> None:
        if self._token is not None and leaving.leave(_attached, self._here):
            otel_context.detach(self._token)  # which complains aloud where this is another context


def _end(span: Span) -> None:
    try:
        span.end()
    except Exception:
        safely.report("ending a span")
