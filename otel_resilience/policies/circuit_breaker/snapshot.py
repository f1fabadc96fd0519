"""A breaker as it was at one instant."""

from __future__ import annotations

from dataclasses import dataclass

from otel_resilience.policies.circuit_breaker.transitions import BreakerState


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What a breaker knows, consistent in itself.

    ``failures`` in a row; ``successes`` since the circuit closed, or of probes while half open.
    ``failure_ratio`` and ``slow_ratio`` are shares of the calls in the window, 0 where there are none.
    ``generation`` counts the transitions. ``retry_after`` in seconds, only while open.
    """

    state: BreakerState
    failures: int
    successes: int
    failure_ratio: float
    slow_ratio: float
    generation: int
    retry_after: float | None
