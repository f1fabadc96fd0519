"""Who the current span is, and which spans of this process enclose it: what every error of ours knows of its place.

Spans know only their direct parent. The enclosing ones are kept here for as long as a span object lives: for
pipelines' own spans, and for all spans where our span processor runs.
"""

from __future__ import annotations

from weakref import WeakKeyDictionary

from opentelemetry import trace
from opentelemetry.trace import Span, SpanContext

from otel_resilience.exceptions import Identity

_NOWHERE = Identity()
_enclosing: WeakKeyDictionary[Span, tuple[str, ...]] = WeakKeyDictionary()


def remember(span: Span, parent: Span) -> None:
    """Keep which spans enclose ``span``, whose parent is ``parent``."""
    if span not in _enclosing:
        _enclosing[span] = _with(parent)


def identify() -> Identity:
    """The current span as errors keep it; nothing where there is none. Never raises."""
    return identity_of(trace.get_current_span())


def identity_of(span: Span) -> Identity:
    """``span`` as errors keep it; nothing for one that is none."""
    context = span.get_span_context()
    if not context.is_valid:
        return _NOWHERE
    return Identity(
        trace.format_trace_id(context.trace_id), trace.format_span_id(context.span_id), _around(span)
    )


def ids(context: SpanContext) -> tuple[str | None, str | None]:
    """Trace and span id in hex, ``None`` for both where there is no span."""
    if not context.is_valid:
        return None, None
    return trace.format_trace_id(context.trace_id), trace.format_span_id(context.span_id)


def _around(span: Span) -> tuple[str, ...]:
    known = _enclosing.get(span)
    if known is not None:
        return known
    parent = getattr(span, "parent", None)  # the SDK's spans have it, the API's do not
    return () if parent is None else _own_id(parent)


def _with(parent: Span) -> tuple[str, ...]:
    own = _own_id(parent.get_span_context())
    return (*_around(parent), *own) if own else ()


def _own_id(context: SpanContext) -> tuple[str, ...]:
    """The id of a span of this process; the caller's span on the other side of the wire is not one."""
    return () if context.is_remote or not context.is_valid else (trace.format_span_id(context.span_id),)
