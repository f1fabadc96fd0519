"""What a window holds of the calls that ended in it."""

from __future__ import annotations

from typing import NamedTuple


class Tally(NamedTuple):
    """Calls in a window, how many of them failed, how many were slow."""

    calls: int = 0
    failures: int = 0
    slow: int = 0

    @property
    def failure_ratio(self) -> float:
        """The share of calls that failed; 0 where there were none."""
        # Divided, never multiplied by a rate: 7 / 100 is the very float 0.07, and 0.07 × 100 is more than 7.
        return self.failures / self.calls if self.calls else 0.0

    @property
    def slow_ratio(self) -> float:
        """The share of calls that were slow; 0 where there were none."""
        return self.slow / self.calls if self.calls else 0.0

    def plus(self, other: Tally) -> Tally:
        """Both together."""
        return Tally(self.calls + other.calls, self.failures + other.failures, self.slow + other.slow)
