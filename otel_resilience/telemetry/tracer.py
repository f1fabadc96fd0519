"""Spans by hand, and errors that know where they happened."""

from __future__ import annotations

from contextlib import suppress
from types import TracebackType
from typing import Any, TypeVar

from opentelemetry import context as otel_context
from opentelemetry import trace
from opentelemetry.trace import Span, Status, StatusCode, Tracer, TracerProvider

from otel_resilience.context import correlation
from otel_resilience.errors.codes import code_of
from otel_resilience.errors.peek import peek
from otel_resilience.exceptions import ConfigurationError
from otel_resilience.telemetry import names, parents, safely
from otel_resilience.telemetry.names import SCOPE, VERSION
from otel_resilience.telemetry.recorded import was_recorded

E = TypeVar("E", bound=BaseException)


class DistributedTracer:
    """Traces and spans through OpenTelemetry, with what went wrong in them.

    ``service`` is written on the spans where one process speaks for several services; the resource names the
    process's own. Holds nothing else; safe for threads and tasks. ``tracer_provider`` is the global one by
    default. Raises ``ConfigurationError`` for a name that is empty.
    """

    def __init__(self, service: str | None = None, *, tracer_provider: TracerProvider | None = None) -> None:
        if service is not None and not (isinstance(service, str) and service):
            raise ConfigurationError(
                f"DistributedTracer service must be a text that is not empty, got {service!r}"
            )
        self._service = service
        self._tracer = trace.get_tracer(SCOPE, VERSION, tracer_provider)

    def trace(self, op: str) -> SpanScope:
        """``with tracer.trace("checkout") as span:`` begins a trace of its own, whatever is around it.

        Also ``async with``.
        """
        return SpanScope(self._tracer, op, self._service, is_root=True)

    def span(self, op: str) -> SpanScope:
        """``with tracer.span("reserve") as span:`` is a child of the current span. Also ``async with``."""
        return SpanScope(self._tracer, op, self._service, is_root=False)

    def record_error(self, exc: E) -> E:
        """Record ``exc`` on the current span, set ``trace_id``, ``span_id`` and ``parent_spans`` on it, and return it.

        Ids are lower-case hex; ``parent_spans`` are those of this process, outermost first. Outside of a span
        they are ``None`` and empty, unless the error has its place already. What was recorded in this trace
        before is not recorded again.
        """
        _record(trace.get_current_span(), exc)
        return exc


class SpanScope:
    """One span that is current inside; entered once, left in the same context."""

    def __init__(self, tracer: Tracer, name: str, service: str | None, *, is_root: bool) -> None:
        self._tracer = tracer
        self._name = name
        self._service = service
        self._is_root = is_root
        self._span: Span = trace.INVALID_SPAN
        self._token: Any = None

    def __enter__(self) -> Span:
        if self._token is not None:
            raise RuntimeError(f"the span {self._name!r} is entered once; ask for another one")
        attributes: dict[str, str] = {}
        if self._service is not None:
            attributes[names.SERVICE_NAME] = self._service
        correlation_id = correlation.current()
        if correlation_id is not None:
            attributes[names.CORRELATION_ID] = correlation_id
        parent = trace.INVALID_SPAN if self._is_root else trace.get_current_span()
        # A root has no parent; everything else that is around it is as it was.
        context = trace.set_span_in_context(parent) if self._is_root else None
        try:
            self._span = self._tracer.start_span(self._name, context, attributes=attributes)
        except Exception:
            safely.report("starting a span by hand")
            self._token = otel_context.attach(otel_context.get_current())
            return self._span
        parents.remember(self._span, parent)
        self._token = otel_context.attach(trace.set_span_in_context(self._span))
        return self._span

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        # What ends a task or the process is no error of the operation.
        if isinstance(error, Exception):
            _record(self._span, error)
            try:
                self._span.set_status(Status(StatusCode.ERROR, code_of(error)))
            except Exception:
                safely.report("giving a span its status")
        if self._token is not None:
            otel_context.detach(self._token)
        if isinstance(error, Exception):
            was_recorded(error)  # for the trace around, too, if it is another one
        try:
            self._span.end()
        except Exception:
            safely.report("ending a span by hand")

    async def __aenter__(self) -> Span:
        return self.__enter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        self.__exit__(kind, error, at)


def _record(span: Span, error: BaseException) -> None:
    recorded = was_recorded(error)
    place = parents.identity_of(span)
    # On record is what a traced pipeline has recorded too, which says nothing on the user's own object.
    if peek(error, "trace_id") is None or (place.trace_id is not None and not recorded):
        # A class without a place for them, or one that refuses: the span knows it all the same.
        with suppress(Exception):
            error.trace_id, error.span_id, error.parent_spans = place  # type: ignore[attr-defined]  # set on whatever it is
    if not recorded and span.is_recording():
        try:
            span.record_exception(error)
        except Exception:  # its text cannot be made
            safely.report("recording an exception on a span")
