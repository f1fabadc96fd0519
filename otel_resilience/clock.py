"""Time as something that is handed in.

Durations come from the monotonic clock, wall time only appears in what people read. The process uses one clock; tests
replace it with ``otel_resilience.testing.ManualClock`` through ``use``.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Awaitable, Callable
from typing import Protocol, runtime_checkable

#: Nobody waits for more than a year, and no machine's timer can for more than three hundred.
_LONGEST = 31_536_000.0


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


def wait_in_real_time(event: threading.Event, seconds: float | None) -> bool:
    """Whether ``event`` was set within ``seconds``."""
    return event.wait(None if seconds is None else min(seconds, _LONGEST))


class SystemClock:
    """The machine's own clocks."""

    monotonic = staticmethod(time.monotonic)
    wall = staticmethod(time.time)

    @staticmethod
    def sleep(seconds: float) -> None:
        time.sleep(min(seconds, _LONGEST))

    @staticmethod
    def wait(event: threading.Event, seconds: float | None) -> None:
        wait_in_real_time(event, seconds)


_current: Clock = SystemClock()


def current() -> Clock:
    """The clock that this process uses."""
    return _current


def use(clock: Clock) -> Clock:
    """Make ``clock`` the process's clock and return the one that it replaces (to be put back)."""
    global _current
    previous, _current = _current, clock
    return previous
