"""The last so many calls, exactly."""

from __future__ import annotations

from array import array

from otel_resilience.windows.tally import Tally

_FAILED = 1
_SLOW = 2
#: How many calls a window has room for before it first grows.
_FIRST_ROOM = 8


class LastCalls:
    """The last ``size`` calls; with ``seconds``, those of them that are younger. Exact.

    One byte a call, or nine with ``seconds``. Room is made as it is needed, so that a wide window over few calls
    costs little. Not thread-safe.
    """

    __slots__ = ("_calls", "_failures", "_instants", "_kinds", "_oldest", "_seconds", "_size", "_slow")

    def __init__(self, size: int, seconds: float | None = None) -> None:
        self._size = size
        self._seconds = seconds
        self.clear()

    def add(self, now: float, *, failed: bool, slow: bool) -> None:
        """One more call ended at ``now``; the oldest one leaves where there is no room."""
        if self._calls == self._size:
            self._drop()
        elif self._calls == len(self._kinds):
            self._grow()
        at = (self._oldest + self._calls) % len(self._kinds)
        self._kinds[at] = _FAILED * failed + _SLOW * slow
        if self._instants is not None:
            self._instants[at] = now
        self._calls += 1
        self._failures += failed
        self._slow += slow

    def tally(self, now: float) -> Tally:
        """What is in the window; a call that is exactly ``seconds`` old has left it."""
        if self._instants is not None and self._seconds is not None:
            while self._calls and self._instants[self._oldest] <= now - self._seconds:
                self._drop()
        return Tally(self._calls, self._failures, self._slow)

    def clear(self) -> None:
        """Forget every call, and the room for them."""
        self._calls = self._failures = self._slow = self._oldest = 0
        self._kinds = bytearray()
        self._instants = None if self._seconds is None else array("d")

    def _drop(self) -> None:
        kind = self._kinds[self._oldest]
        self._failures -= kind & _FAILED
        self._slow -= (kind & _SLOW) // _SLOW
        self._oldest = (self._oldest + 1) % len(self._kinds)
        self._calls -= 1

    def _grow(self) -> None:
        more = min(self._size, max(_FIRST_ROOM, 2 * self._calls)) - self._calls
        at = self._oldest
        self._kinds = self._kinds[at:] + self._kinds[:at] + bytes(more)
        if self._instants is not None:
            self._instants = self._instants[at:] + self._instants[:at] + array("d", bytes(8 * more))
        self._oldest = 0
