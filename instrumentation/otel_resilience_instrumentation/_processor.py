"""Our span processor on the provider in use, added once; spans of others get their attempt number from it."""

from __future__ import annotations

import threading
import weakref

from opentelemetry import trace

from otel_resilience.telemetry.processor import SpanProcessor

_seen: weakref.ref[trace.TracerProvider] | None = None
_adding = threading.Lock()  # two threads must not add it twice


def ensure_added() -> None:
    """Add the processor to the current provider, if it takes any; cheap when it is there already."""
    global _seen
    provider = trace.get_tracer_provider()
    if _seen is not None and _seen() is provider:
        return
    with _adding:
        if _seen is not None and _seen() is provider:
            return
        add = getattr(provider, "add_span_processor", None)
        if callable(add):
            add(SpanProcessor())
            _seen = weakref.ref(provider)
