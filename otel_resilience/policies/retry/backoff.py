"""How long to wait before the next attempt: pure, with chance as an argument."""

from __future__ import annotations

from dataclasses import dataclass

from otel_resilience.policies import checks
from otel_resilience.policies.shown import shown

JITTERS = ("full", "equal", "decorrelated", "none")


@dataclass(frozen=True, slots=True, kw_only=True)
class Backoff:
    """Exponential backoff in seconds: ``initial`` × ``factor`` for each retry before, at most ``max``.

    ``jitter`` spreads it: ``full`` between 0 and the delay, ``equal`` over its upper half, ``decorrelated``
    between ``initial`` and three times the last delay, ``none`` not at all (AWS, "Exponential Backoff and
    Jitter"). Raises ``ConfigurationError`` for a wrong option.
    """

    initial: float = 0.1
    factor: float = 2.0
    max: float = 30.0
    jitter: str = "full"

    def __post_init__(self) -> None:
        checks.seconds_or_zero("Backoff", "initial", self.initial)
        checks.number_at_least("Backoff", "factor", self.factor, 1.0)
        checks.seconds_or_zero("Backoff", "max", self.max)
        if self.max < self.initial:
            raise checks.fault("Backoff", "max", self.max, f">= initial ({self.initial:g})")
        if self.jitter not in JITTERS:
            raise checks.fault("Backoff", "jitter", self.jitter, f"one of {', '.join(JITTERS)}")

    def __repr__(self) -> str:
        return shown("Backoff", None, self)

    def delay(self, retry: int, draw: float, previous: float | None = None) -> float:
        """Seconds to wait before retry number ``retry`` (1 is the first).

        ``draw`` is a number in [0, 1), ``previous`` the last delay (for ``decorrelated``).
        """
        if self.jitter == "decorrelated":
            highest = 3.0 * (self.initial if previous is None else previous)
            return min(self.max, self.initial + draw * max(0.0, highest - self.initial))
        try:
            whole = min(self.max, self.initial * self.factor ** (retry - 1))
        except OverflowError:
            whole = self.max
        if self.jitter == "full":
            return whole * draw
        if self.jitter == "equal":
            return whole / 2.0 + whole / 2.0 * draw
        return whole
