"""Whether OpenTelemetry's own instrumentation of a library is in force, asked without importing it."""

from __future__ import annotations

import sys
from typing import Any

_CLIENTS = {
    "requests": ("opentelemetry.instrumentation.requests", "RequestsInstrumentor"),
    "grpc": ("opentelemetry.instrumentation.grpc", "GrpcInstrumentorClient"),
}


def draws_client_spans(library: str) -> bool:
    """Whether the official instrumentation draws the CLIENT spans of ``library``, so that we must not."""
    module, name = _CLIENTS[library]
    kind: Any = getattr(sys.modules.get(module), name, None)
    return kind is not None and bool(
        kind._instance is not None and kind._instance.is_instrumented_by_opentelemetry
    )
