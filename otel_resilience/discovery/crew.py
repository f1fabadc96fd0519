"""The threads behind a registry: one for checks and leases, made when first needed, and one for each watch."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any

from otel_resilience.clock import SystemClock
from otel_resilience.discovery.watch import Watch

if TYPE_CHECKING:
    from otel_resilience.discovery.background import Background, Job
    from otel_resilience.discovery.endpoint import Endpoint

#: Everything has ended within this time, or is left behind: no thread here keeps the interpreter from its exit.
LONGEST_CLOSE = 0.8


class Crew:
    """Not safe for threads by itself: the registry's lock guards it. Nothing here waits but ``join``."""

    def __init__(self) -> None:
        self._background: Background | None = None
        self._watches: list[Watch] = []
        self._closed = False
        self._inherited: object = None

    def submit(self, work: Callable[[], Coroutine[Any, Any, None]]) -> Job | None:
        """Run ``work`` behind; ``None`` once closed."""
        if self._closed:
            return None
        if self._background is None:
            # Here, so that who only imports the package, or has neither checks nor leases, pays for no event loop.
            from otel_resilience.discovery.background import Background

            self._background = Background("otel-resilience-discovery")
        return self._background.submit(work)

    def call_after(self, seconds: float, call: Callable[[], None]) -> Job | None:
        """Call ``call`` behind, after ``seconds``; ``None`` once closed."""
        if self._closed:
            return None
        from otel_resilience.discovery.background import after

        return self.submit(after(seconds, call))

    def add(self, watch: Watch) -> None:
        if not self._closed:
            self._watches.append(watch)
            watch.start()

    def remove(self, watch: Watch) -> None:
        if watch in self._watches:
            self._watches.remove(watch)
        watch.end()

    def offer(self, service: str, endpoints: list[Endpoint]) -> None:
        """Tell the watches of ``service``."""
        for watch in self._watches:
            if watch.service == service:
                watch.offer(endpoints)

    def close_soon(self) -> None:
        """End everything. Does not wait."""
        self._closed = True
        for watch in self._watches:
            watch.end()
        if self._background is not None:
            self._background.close_soon()

    def join(self) -> None:
        """Wait until all have ended, but not for one that hangs."""
        until = SystemClock.monotonic() + LONGEST_CLOSE
        for watch in self._watches:
            watch.join(max(0.0, until - SystemClock.monotonic()))
        if self._background is not None:
            self._background.join(max(0.0, until - SystemClock.monotonic()))

    def forget(self) -> None:
        """None of the threads is in the child. The watches begin again with ``resume``."""
        # Kept: to let go of the parent's event loop would close it, which is the parent's affair.
        self._inherited = self._background
        self._background = None
        for watch in self._watches:
            watch.forget()

    def resume(self, endpoints: Callable[[str], list[Endpoint]]) -> None:
        """Begin the watches anew, in a child."""
        if not self._closed:
            for watch in self._watches:
                watch.offer(endpoints(watch.service))
                watch.start()
