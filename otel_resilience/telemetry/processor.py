"""What we add to spans of others, when they start: attempt numbers on clients' spans, the correlation id on all.

It is a span processor by its shape, as the SDK asks of nobody to be more; the API alone is imported.
"""

from __future__ import annotations

from typing import Any

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace import SpanKind

from otel_resilience.context import attempt, correlation, request
from otel_resilience.telemetry import names, parents, safely
from otel_resilience.telemetry.spans import current_call_span_id

#: How attributes of an HTTP span begin, by the old and the stable conventions.
_HTTP_PREFIXES = ("http.", "url.")


class SpanProcessor:
    """For ``TracerProvider.add_span_processor``. Holds nothing, never raises, safe for threads.

    It reads the context variables of the thread or task that starts the span, so it is of no use to providers
    that run their processors in other threads.
    """

    def on_start(self, span: Any, parent_context: Context | None = None) -> None:
        """Complete ``span``, which is an SDK's span of any kind."""
        try:
            self._complete(span, parent_context)
        except Exception:
            safely.report("completing a span that is not ours")

    def on_end(self, span: Any) -> None:
        """Nothing is left to do at the end of a span."""

    def _on_ending(self, span: Any) -> None:
        """The SDK calls this just before a span ends; nothing is left to do."""

    def shutdown(self) -> None:
        """Nothing is held."""

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Nothing is buffered."""
        return True

    def _complete(self, span: Any, parent_context: Context | None) -> None:
        parents.remember(span, trace.get_current_span(parent_context))
        correlation_id = correlation.current()
        if correlation_id is not None:
            span.set_attribute(names.CORRELATION_ID, correlation_id)
        if span.kind is SpanKind.CLIENT:
            _number(span)
        elif span.kind is SpanKind.SERVER:
            _adopt(span)


def _number(span: Any) -> None:
    """A client's span right below a guarded call is one attempt of it."""
    call_span_id = current_call_span_id()
    current = attempt.current()
    if not call_span_id or current is None or span.parent is None or span.parent.span_id != call_span_id:
        return
    span.set_attribute(names.ATTEMPT_NUMBER, current.number)
    if current.number > 1 and any(key.startswith(_HTTP_PREFIXES) for key in span.attributes or ()):
        span.set_attribute(names.HTTP_RESEND_COUNT, current.number - 1)


def _adopt(span: Any) -> None:
    """The first SERVER span that starts while a request is in hand is that request's."""
    current = request.current()
    if current is not None and current.span is None:
        context = span.get_span_context()
        current.span = (trace.format_trace_id(context.trace_id), trace.format_span_id(context.span_id))
