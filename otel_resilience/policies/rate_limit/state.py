"""When the next call may be made: a pure machine, with time as an argument.

Theory of operation. This is the generic cell rate algorithm (ATM Forum TM 4.0, "virtual scheduling"). Each
call moves a theoretical arrival time by one interval; a call conforms if it does not come before that time
less the tolerance of ``capacity - 1`` intervals. No history is kept and no timer refills anything, so a call
costs the same at every rate.

The theoretical time is ``base + count × interval``, with ``base`` the instant at which the limiter was last
at rest: nothing is added up, so that nothing is lost by rounding in a row of calls without end. A call that
may come later gets a *slot* at its own time, in order; one that does not come after all gives it back if
those after it do so too, else somebody would come too early. Not thread-safe: the caller holds a lock.
"""

from __future__ import annotations

import math
from collections import deque

from otel_resilience.policies.rate_limit.options import RateLimiterOptions

#: Share of an interval by which a call may come too early: what rounding does to an instant that is right on paper.
_ROUNDING = 1e-6


class Slot:
    """Leave to make one call at ``at`` or later."""

    __slots__ = ("at", "base", "number", "unused")

    def __init__(self, at: float, base: float, number: int) -> None:
        self.at = at
        self.base = base
        self.number = number
        self.unused = False


class RateLimiterMachine:
    """One limiter's state."""

    __slots__ = ("_base", "_capacity", "_count", "_interval", "_row")

    def __init__(self, options: RateLimiterOptions) -> None:
        self._interval = options.interval
        self._capacity = options.capacity
        self._base = -math.inf
        self._count = 0
        self._row: deque[Slot] = deque()  # slots whose time has not come, in order

    def admit(self, now: float, longest: float) -> Slot | float:
        """A slot at most ``longest`` seconds from ``now``; else the seconds until a call could be made."""
        self._pass_by(now)
        wait = self._base + (self._count - self._capacity + 1) * self._interval - now
        slack = self._interval * _ROUNDING
        if wait > longest + slack:
            return wait
        self._count += 1
        slot = Slot(now if wait <= slack else now + wait, self._base, self._count)
        if slot.at > now:
            self._row.append(slot)
        return slot

    def give_back(self, slot: Slot) -> None:
        """The call that ``slot`` was for is not made."""
        slot.unused = True
        while self._row and self._is_last(self._row[-1]) and self._row[-1].unused:
            self._row.pop()
            self._count -= 1

    def _is_last(self, slot: Slot) -> bool:
        return slot.base == self._base and slot.number == self._count

    def _pass_by(self, now: float) -> None:
        while self._row and self._row[0].at <= now:
            self._row.popleft()
        if now >= self._base + self._count * self._interval:
            self._base, self._count = now, 0
