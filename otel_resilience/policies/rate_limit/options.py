"""What a rate limiter can be told, checked at birth."""

from __future__ import annotations

import math
from dataclasses import dataclass

from otel_resilience.exceptions import ConfigurationError
from otel_resilience.policies import checks

_POLICY = "RateLimiter"


@dataclass(frozen=True, slots=True, kw_only=True)
class RateLimiterOptions:
    """``per`` and ``max_wait`` in seconds. See ``RateLimiter`` for what each one means."""

    rate: float
    per: float = 1.0
    burst: int | None = None
    max_wait: float = 0.0

    def __post_init__(self) -> None:
        if checks.number_at_least(_POLICY, "rate", self.rate, 0.0) == 0.0:
            raise checks.fault(_POLICY, "rate", self.rate, "a number > 0")
        checks.positive_seconds(_POLICY, "per", self.per)
        if self.burst is not None:
            checks.at_least(_POLICY, "burst", self.burst, 1)
        checks.seconds_or_zero(_POLICY, "max_wait", self.max_wait)
        if not self._is_finite():
            raise ConfigurationError(
                f"{_POLICY} rate must be one at which a full burst takes a finite time > 0, got {self.rate!r} per {self.per!r}"
            )

    @property
    def interval(self) -> float:
        """Seconds from one call to the next at the full rate."""
        return self.per / self.rate

    @property
    def capacity(self) -> int:
        """Calls that may be made at once after a pause: ``burst``, or one period's worth."""
        return max(1, math.floor(self.rate)) if self.burst is None else self.burst

    def _is_finite(self) -> bool:
        return self.interval > 0.0 and self.interval * self.capacity < math.inf
