"""A span as tests compare it, and calls that make some."""

from __future__ import annotations

from typing import Any

from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import SpanKind, StatusCode

from otel_resilience import (
    Backoff,
)

AT_ONCE = Backoff(initial=0.0, jitter="none")


def shape(span: ReadableSpan) -> tuple[str, SpanKind, StatusCode, dict[str, Any]]:
    return span.name, span.kind, span.status.status_code, dict(span.attributes or {})


def ids(span: ReadableSpan) -> tuple[str, str]:
    context = span.get_span_context()
    assert context is not None
    return trace.format_trace_id(context.trace_id), trace.format_span_id(context.span_id)


def parent_id(span: ReadableSpan) -> str | None:
    return None if span.parent is None else trace.format_span_id(span.parent.span_id)


def fail(error: BaseException) -> Any:
    raise error
