"""Our span processor on the provider in use, added once: from it other people's spans get their attempt number."""

from __future__ import annotations

import threading
import weakref

from opentelemetry import trace

from otel_resilience.telemetry.processor import SpanProcessor

_latest: weakref.ref[trace.TracerProvider] | None = None
_added: weakref.WeakSet[trace.TracerProvider] = weakref.WeakSet()
_adding = threading.Lock()  # two threads must not add it twice


def ensure_added() -> None:
    """Add the processor to the current provider, if it takes any; cheap where nothing has changed."""
    global _latest
    provider = trace.get_tracer_provider()
    if _latest is not None and _latest() is provider:
        return
    with _adding:
        add = getattr(provider, "add_span_processor", None)
        if callable(add) and provider not in _added:
            add(SpanProcessor())
            _added.add(provider)
        _latest = weakref.ref(provider)
