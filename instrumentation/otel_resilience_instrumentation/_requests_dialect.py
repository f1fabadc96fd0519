"""How ``requests`` is spoken; the mesh's sessions speak it alike."""

from __future__ import annotations

from otel_resilience.errors.dialects.requests import (
    RequestsDialect,
    is_replayable,
    is_rewindable,
    says_something,
    shortened,
)

__all__ = ["RequestsDialect", "is_replayable", "is_rewindable", "says_something", "shortened"]
