"""The SERVER span of the request in hand, drawn by the official instrumentation: made known to the request, and completed.

A span may be anybody's: what it raises is reported, and takes nothing away from the request. Nothing here raises.
"""

from __future__ import annotations

from typing import Any

from opentelemetry import trace
from opentelemetry.trace import Span, SpanKind, Status, StatusCode

from otel_resilience.context import correlation
from otel_resilience.context.request import Request
from otel_resilience.telemetry import names, safely

_GRPC_STATUS_CODE = "rpc.grpc.status_code"


def adopt(request: Request, span: Span) -> None:
    """Let ``request`` know ``span``, and the span the correlation id, where our span processor could not."""
    try:
        _adopt(request, span)
    except Exception:
        safely.report("completing the span of a request")


def _adopt(request: Request, span: Span) -> None:
    context = span.get_span_context()
    if not context.is_valid or getattr(span, "kind", SpanKind.SERVER) is not SpanKind.SERVER:
        return
    if request.span is None:
        request.span = (trace.format_trace_id(context.trace_id), trace.format_span_id(context.span_id))
        correlation_id = correlation.current()
        if correlation_id is not None:
            span.set_attribute(names.CORRELATION_ID, correlation_id)


def complete_grpc(span: Span, status: Any, *, failed: bool) -> None:
    """Tell ``span`` the gRPC status that was sent, and that it is an error where nobody else has judged it.

    The official instrumentation sees ``abort`` alone: ``abort_with_status`` and exceptions leave its span as
    that of a success.
    """
    try:
        _complete_grpc(span, status, failed=failed)
    except Exception:
        safely.report("completing the span of an RPC")


def _complete_grpc(span: Span, status: Any, *, failed: bool) -> None:
    if not span.is_recording() or getattr(span, "kind", SpanKind.SERVER) is not SpanKind.SERVER:
        return
    span.set_attribute(_GRPC_STATUS_CODE, status.value[0])
    judged = getattr(getattr(span, "status", None), "status_code", StatusCode.UNSET)
    if failed and judged is StatusCode.UNSET:
        span.set_status(Status(StatusCode.ERROR))
