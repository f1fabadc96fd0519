"""A clock that only moves when told, for threads and asyncio."""

from __future__ import annotations

import asyncio
import heapq
import itertools
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Self

from otel_resilience import clock
from otel_resilience.clock import Clock, Timer


class ManualClock:
    """A clock for threads and asyncio that stands still until it is told to move.

    In use inside ``with``. In threads ``sleep`` moves it at once, so nothing waits. In asyncio, waits and timeouts
    come due when ``advance`` passes them; with ``auto=True`` the waits of policies move it too, from one end of a
    wait to the next, each at its own instant. Seconds; not thread-safe.
    """

    def __init__(self, start: float = 1_000.0, wall: float = 1_700_000_000.0, *, auto: bool = False) -> None:
        self._now = start
        self._wall_offset = wall - start
        self._auto = auto
        self._timers: list[_Due] = []
        self._waits: list[_Due] = []  # those among the timers that move an ``auto`` clock
        self._moved_by: asyncio.AbstractEventLoop | None = None
        self._order = itertools.count()
        self._replaced: Clock | None = None
        self.slept: list[float] = []

    def monotonic(self) -> float:
        return self._now

    def wall(self) -> float:
        return self._now + self._wall_offset

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.advance(seconds)

    def wait(self, event: threading.Event, seconds: float | None) -> None:
        """Move on to where ``event`` is set, by what comes due until then, else by ``seconds``.

        Without ``seconds``, and with nothing left to come due, only another thread can set it: then it is
        really waited for.
        """
        goal = None if seconds is None else self._now + seconds
        while not event.is_set() and self._timers and (goal is None or self._timers[0][0] <= goal):
            self.advance(max(0.0, self._timers[0][0] - self._now))
        if event.is_set():
            return
        if goal is None:
            event.wait()
        else:
            self.advance(max(0.0, goal - self._now))

    async def asleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        waiting: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        def wake() -> None:
            if not waiting.done():
                waiting.set_result(None)

        due = self._add(seconds, wake)
        if self._auto:
            self._move_for(due)
        try:
            await waiting
        finally:
            due[-1].cancel()

    def call_later(self, seconds: float, callback: Callable[[], object]) -> Timer:
        return self._add(seconds, callback)[-1]

    def _add(self, seconds: float, callback: Callable[[], object]) -> _Due:
        due = (self._now + seconds, next(self._order), _ManualTimer(callback))
        heapq.heappush(self._timers, due)
        return due

    def _move_for(self, due: _Due) -> None:
        heapq.heappush(self._waits, due)
        loop = asyncio.get_running_loop()
        if self._moved_by is not loop:
            self._moved_by = loop
            # Not at once: what comes due may cancel this very task, which must be waiting by then.
            loop.call_soon(self._move, loop)

    def _move(self, loop: asyncio.AbstractEventLoop) -> None:
        """Go to the next end of a wait, and on when those have acted who were woken there."""
        while self._waits and self._waits[0][-1].is_over:
            heapq.heappop(self._waits)
        if not self._waits:
            self._moved_by = None
            return
        self.advance(max(0.0, self._waits[0][0] - self._now))
        loop.call_soon(self._move, loop)

    def advance(self, seconds: float) -> None:
        """Move on by ``seconds``, calling what comes due in its order, each at its own instant."""
        if seconds < 0:
            raise ValueError(f"a monotonic clock cannot go back, got {seconds!r}")
        goal = self._now + seconds
        while self._timers and self._timers[0][0] <= goal:
            instant, _, timer = heapq.heappop(self._timers)
            self._now = max(self._now, instant)
            timer.fire()
        self._now = goal

    def __enter__(self) -> Self:
        self._replaced = clock.use(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        if self._replaced is not None:
            clock.use(self._replaced)


class _ManualTimer:
    def __init__(self, callback: Callable[[], object]) -> None:
        self._callback: Callable[[], object] | None = callback

    @property
    def is_over(self) -> bool:
        return self._callback is None

    def cancel(self) -> None:
        self._callback = None

    def fire(self) -> None:
        callback, self._callback = self._callback, None
        if callback is not None:
            callback()


#: An instant, the order of those of one instant, and what is to be done.
_Due = tuple[float, int, _ManualTimer]
