"""Which failures there were, by where they began: values that peers have sent, and that metrics take within bounds only."""

from __future__ import annotations

from collections.abc import Collection

from otel_resilience.errors.chain import ErrorChain
from otel_resilience.telemetry import names
from otel_resilience.telemetry.counts import Counts
from otel_resilience.telemetry.names import OTHER


class ErrorRoots:
    """Counts ``resilience.errors``. Safe for threads.

    Bounded by the metric's ``max_series`` in any case; ``allow`` makes the bound a list.
    """

    def __init__(self, counts: Counts) -> None:
        self._counts = counts
        self._services: frozenset[str] | None = None
        self._codes: frozenset[str] | None = None

    def allow(self, services: Collection[str] | None = None, codes: Collection[str] | None = None) -> None:
        """Name roots by these ``services`` and ``codes`` alone, others as ``_OTHER``; ``None`` allows all."""
        self._services = None if services is None else frozenset(services)
        self._codes = None if codes is None else frozenset(codes)

    def count(self, chain: ErrorChain, error_type: str | None) -> None:
        """One more failure with the root of ``chain``."""
        root = chain.root
        self._counts.add(
            names.ERRORS, _shown(root.service, self._services), _shown(root.code, self._codes), error_type
        )


def _shown(value: str, allowed: frozenset[str] | None) -> str:
    return value if allowed is None or value in allowed else OTHER
