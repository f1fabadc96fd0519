"""The CLIENT span of one RPC, where no official interceptor draws it (release candidate of the semantic conventions)."""

from __future__ import annotations

from typing import Any

from opentelemetry import propagate, trace
from opentelemetry.trace import Span, SpanKind, Status, StatusCode

from otel_resilience.classify import is_cancellation, qualified_name
from otel_resilience.config.patterns import grpc_target
from otel_resilience.context import attempt
from otel_resilience.errors import codes
from otel_resilience.telemetry import names
from otel_resilience.telemetry.names import SCOPE, VERSION
from otel_resilience_instrumentation._grpc_metadata import Pairs

_OFFICIAL = "opentelemetry.instrumentation.grpc."

#: Still moving in the conventions; here is the place to rename it.
_STATUS = "rpc.response.status_code"


def drawn_by_official(channel: Any) -> bool:
    """Whether one of the interceptors of ``channel`` is the official one: it was there when the channel was made."""
    while channel is not None:
        interceptor = vars(channel).get("_interceptor") if hasattr(channel, "__dict__") else None
        if is_official(interceptor):
            return True
        channel = vars(channel).get("_channel") if hasattr(channel, "__dict__") else None
    return False


def is_official(interceptor: Any) -> bool:
    """Whether ``interceptor`` is one of the official instrumentation."""
    return type(interceptor).__module__.startswith(_OFFICIAL)


def start(method: str, target: str, *, guarded: bool) -> tuple[Span, Pairs]:
    """Begin a span under the current one; it is not made current. With it the metadata that carries its context."""
    name = method.removeprefix("/")
    attributes: dict[str, Any] = {"rpc.system.name": "grpc", "rpc.method": name}
    address = grpc_target(target)
    attributes["server.address"] = target if address is None else address.host
    if address is not None and address.port is not None:
        attributes["server.port"] = address.port
    number = attempt.current()
    if guarded and number is not None:
        attributes[names.ATTEMPT_NUMBER] = number.number
    span = trace.get_tracer(SCOPE, VERSION).start_span(name, kind=SpanKind.CLIENT, attributes=attributes)
    carrier: dict[str, str] = {}
    propagate.inject(carrier, trace.set_span_in_context(span))
    return span, tuple((key.lower(), value) for key, value in carrier.items())


def end(span: Span, error: Any) -> None:
    """End the span of an RPC that ended in ``error``, ``None`` for one that succeeded."""
    status = "OK" if error is None else codes.grpc_status(error)
    if status is None and is_cancellation(error):
        status = "CANCELLED"  # whatever this side left it by, that is what it was to the RPC
    if status is not None:
        span.set_attribute(_STATUS, status)
    if error is not None:
        span.set_attribute(names.ERROR_TYPE, status or qualified_name(error))
        span.set_status(Status(StatusCode.ERROR))
    span.end()
