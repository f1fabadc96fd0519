"""Our errors as the client's own; the mesh's clients have the same ones."""

from __future__ import annotations

from otel_resilience.errors.dialects.own_errors import as_both, both

__all__ = ["as_both", "both"]
