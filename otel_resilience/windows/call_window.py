"""Which window is meant by a number of calls, a number of seconds, or both."""

from __future__ import annotations

from typing import Protocol

from otel_resilience.windows.last_calls import LastCalls
from otel_resilience.windows.last_seconds import LastSeconds
from otel_resilience.windows.tally import Tally


class CallWindow(Protocol):
    """The last calls, by number, by age, or both. ``now`` in seconds. Not thread-safe."""

    def add(self, now: float, *, failed: bool, slow: bool) -> None:
        """One more call ended at ``now``."""
        ...

    def tally(self, now: float) -> Tally:
        """What is in the window at ``now``."""
        ...

    def clear(self) -> None:
        """Forget every call."""
        ...


def call_window(calls: int | None, seconds: float | None) -> CallWindow:
    """The window over the last ``calls``, those of the last ``seconds``, or the last ``calls`` of the last ``seconds``."""
    if calls is not None:
        return LastCalls(calls, seconds)
    if seconds is None:
        raise ValueError("a window needs a number of calls or of seconds")
    return LastSeconds(seconds)
