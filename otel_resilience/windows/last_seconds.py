"""The calls of the last so many seconds, however many."""

from __future__ import annotations

from array import array

from otel_resilience.windows.tally import Tally

#: A window of time is this many slots; calls of one slot leave the window together.
SLOTS = 64
#: A slot is at least this long in seconds, so that the number of a slot is a number.
_SHORTEST_SLOT = 1e-9


class LastSeconds:
    """The calls of the last ``seconds``, in 64 slots: none stays too long, each leaves at most 1/64 of the window early.

    Memory does not depend on the traffic. Not thread-safe; an instant before the newest one is counted with the newest.
    """

    __slots__ = ("_calls", "_failures", "_newest", "_slow", "_total", "_width")

    def __init__(self, seconds: float) -> None:
        self._width = max(seconds / SLOTS, _SHORTEST_SLOT)
        self._total = Tally()
        self.clear()

    def add(self, now: float, *, failed: bool, slow: bool) -> None:
        """One more call ended at ``now``."""
        self._advance(now)
        at = self._newest % SLOTS
        self._calls[at] += 1
        self._failures[at] += failed
        self._slow[at] += slow
        self._total = self._total.plus(Tally(1, int(failed), int(slow)))

    def tally(self, now: float) -> Tally:
        """What is in the window."""
        self._advance(now)
        return self._total

    def clear(self) -> None:
        """Forget every call."""
        nothing = bytes(8 * SLOTS)
        self._calls, self._failures, self._slow = (
            array("Q", nothing),
            array("Q", nothing),
            array("Q", nothing),
        )
        self._total = Tally()
        self._newest = 0

    def _advance(self, now: float) -> None:
        slot = int(now // self._width)
        if slot <= self._newest:
            return
        for passed in range(max(self._newest, slot - SLOTS) + 1, slot + 1):
            at = passed % SLOTS
            gone = self._calls[at], self._failures[at], self._slow[at]
            if gone[0]:
                self._total = self._total.plus(Tally(-gone[0], -gone[1], -gone[2]))
                self._calls[at] = self._failures[at] = self._slow[at] = 0
        self._newest = slot
