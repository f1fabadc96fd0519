"""How long calls take: the last few of them, in order of size."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import deque

#: Latencies that a quantile is taken of, and how many there must be before it says anything.
KEPT = 200
ENOUGH = 20


class Latencies:
    """Quantiles of the last 200 latencies in seconds. Not safe for threads."""

    __slots__ = ("_by_age", "_by_size")

    def __init__(self) -> None:
        self._by_age: deque[float] = deque()
        self._by_size: list[float] = []

    def add(self, seconds: float) -> None:
        """One call took ``seconds``."""
        if len(self._by_age) == KEPT:
            oldest = self._by_age.popleft()
            del self._by_size[bisect_left(self._by_size, oldest)]
        self._by_age.append(seconds)
        insort(self._by_size, seconds)

    def quantile(self, share: float) -> float | None:
        """The latency that a ``share`` of the calls does not exceed (nearest rank); ``None`` below 20 calls."""
        count = len(self._by_size)
        if count < ENOUGH:
            return None
        return self._by_size[min(count - 1, int(share * count))]
