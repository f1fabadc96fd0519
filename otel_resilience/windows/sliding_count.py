"""How many of something happened in the last so many seconds."""

from __future__ import annotations

from collections import deque

#: Events that are closer together than this share of the window are counted as one instant, which bounds the memory.
_RESOLUTION = 1 / 128


class SlidingCount:
    """Counts over a sliding window of ``seconds``. What happened exactly ``seconds`` ago has left it.

    Exact for events further apart than 1/128 of the window; closer ones leave it together, at most that much
    early. At most 129 entries. Not thread-safe; ``now`` must not run backwards.
    """

    __slots__ = ("_entries", "_seconds", "_total")

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._entries: deque[list[float]] = deque()  # [instant, count]
        self._total = 0

    def add(self, now: float) -> None:
        """One more at ``now``."""
        if self._entries and now - self._entries[-1][0] < self._seconds * _RESOLUTION:
            self._entries[-1][1] += 1
        else:
            self._entries.append([now, 1])
        self._total += 1

    def total(self, now: float) -> int:
        """How many happened after ``now - seconds``."""
        while self._entries and self._entries[0][0] <= now - self._seconds:
            left = int(self._entries.popleft()[1])
            self._total -= left
        return self._total
