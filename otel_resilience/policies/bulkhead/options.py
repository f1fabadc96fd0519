"""What a bulkhead can be told, checked at birth."""

from __future__ import annotations

from dataclasses import dataclass

from otel_resilience.policies import checks

_POLICY = "Bulkhead"


@dataclass(frozen=True, slots=True, kw_only=True)
class BulkheadOptions:
    """``max_wait`` in seconds. See ``Bulkhead`` for what each one means."""

    max_concurrency: int
    max_queue: int = 0
    max_wait: float | None = None

    def __post_init__(self) -> None:
        checks.at_least(_POLICY, "max_concurrency", self.max_concurrency, 1)
        checks.at_least(_POLICY, "max_queue", self.max_queue, 0)
        if self.max_wait is not None:
            checks.seconds_or_zero(_POLICY, "max_wait", self.max_wait)
