"""How the results of ``requests`` are read; the mesh's sessions read them alike."""

from __future__ import annotations

from otel_resilience.errors.dialects.requests import RequestsDialect, says_something

__all__ = ["RequestsDialect", "says_something"]
