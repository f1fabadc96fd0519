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

    In use inside ``with``. ``sleep`` moves it at once, so nothing waits; in asyncio, waits and timeouts come due when
    ``advance`` passes them, or by themselves with ``auto=True`` as soon as somebody waits. Seconds; not thread-safe.
    """

    def __init__(self, start: float = 1_000.0, wall: float = 1_700_000_000.0, *, auto: bool = False) -> None:
        self._now = start
        self._wall_offset = wall - start
        self._auto = auto
        self._timers: list[tuple[float, int, _ManualTimer]] = []
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

        timer = self.call_later(seconds, wake)
        if self._auto:
            # Not at once: what comes due may cancel this very task, which must be waiting by then.
            asyncio.get_running_loop().call_soon(self.advance, seconds)
        try:
            await waiting
        finally:
            timer.cancel()

    def call_later(self, seconds: float, callback: Callable[[], object]) -> Timer:
        timer = _ManualTimer(callback)
        heapq.heappush(self._timers, (self._now + seconds, next(self._order), timer))
        return timer

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

    def cancel(self) -> None:
        self._callback = None

    def fire(self) -> None:
        callback, self._callback = self._callback, None
        if callback is not None:
            callback()
