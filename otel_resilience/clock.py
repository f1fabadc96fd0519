"""Time as something that is handed in.

Durations come from the monotonic clock, wall time only appears in what people read. The process uses one clock; tests
replace it with ``otel_resilience.testing.ManualClock`` through ``use``.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Awaitable, Callable
from typing import Protocol, runtime_checkable


class Clock(Protocol):
    """What policies and the thread driver need of time. All values in seconds."""

    def monotonic(self) -> float: ...

    def wall(self) -> float: ...

    def sleep(self, seconds: float) -> None: ...

    def wait(self, event: threading.Event, seconds: float | None) -> None:
        """Until ``event`` is set, at most ``seconds``."""
        ...


class Timer(Protocol):
    """A pending callback that can still be called off."""

    def cancel(self) -> None: ...


@runtime_checkable
class AsyncTimers(Protocol):
    """What the asyncio driver needs of time; a clock that has it (a manual one) replaces the event loop's."""

    def asleep(self, seconds: float) -> Awaitable[None]: ...

    def call_later(self, seconds: float, callback: Callable[[], None]) -> Timer: ...


class SystemClock:
    """The machine's own clocks."""

    monotonic = staticmethod(time.monotonic)
    wall = staticmethod(time.time)
    sleep = staticmethod(time.sleep)

    @staticmethod
    def wait(event: threading.Event, seconds: float | None) -> None:
        event.wait(None if seconds is None else min(seconds, threading.TIMEOUT_MAX))


_current: Clock = SystemClock()


def current() -> Clock:
    """The clock that this process uses."""
    return _current


def use(clock: Clock) -> Clock:
    """Make ``clock`` the process's clock and return the one that it replaces (to be put back)."""
    global _current
    previous, _current = _current, clock
    return previous
