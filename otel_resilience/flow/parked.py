"""A guarded call that ends somewhere else: a stream that is read later, a future.

The flow lives in a context of its own: what it sets (deadline, attempt, current span) is seen by the invocation, and
never leaks into the caller.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextvars import copy_context
from typing import Any, TypeVar

from otel_resilience.clock import Clock
from otel_resilience.context import deadline
from otel_resilience.flow.effects import Bounded, Wait
from otel_resilience.flow.execution import Execution
from otel_resilience.flow.stepwise import Stepwise
from otel_resilience.outcome import Result

T = TypeVar("T")


class ParkedExecution:
    """Begin with the constructor, make the invocation with ``run``, ``finish`` from whatever thread, once.

    ``refused`` is what the caller gets if the call may not be made, else ``None``.
    """

    def __init__(self, begin: Callable[[], Execution]) -> None:
        self._context = copy_context()
        self._execution = self._context.run(begin)
        self._flow = Stepwise(self._execution.flow, _OwnContext(self._execution.call.clock))
        self._open = threading.Lock()  # held for good by whoever finishes first
        self.refused = self._context.run(self._conclude, None)

    def run(self, function: Callable[[], T]) -> T:
        """Call ``function`` in the context that an invocation by this flow has. It must not ``finish``."""
        return self._context.run(function)

    def finish(self, result: Result[Any]) -> Result[Any]:
        """Hand in what the invocation came to, and get what the call came to. Later calls change nothing."""
        if self.refused is not None or not self._open.acquire(blocking=False):
            return result
        return self._context.run(self._conclude, result) or result

    def __del__(self) -> None:
        # Whoever began it has forgotten it. What it holds goes back, in the context where it was taken.
        flow: Stepwise | None = getattr(self, "_flow", None)
        if flow is not None and self._open.acquire(blocking=False):
            self._context.run(flow.close)

    def _conclude(self, answer: Result[Any] | None) -> Result[Any] | None:
        final = self._flow.advance(answer)
        while isinstance(final, Wait):
            # Who began it may run on an event loop, and expects a stream or a future at once.
            final = self._flow.advance(False)
        return None if final is None else self._execution.finish(final)


class _OwnContext:
    """Deadlines in a context that ends with the call: set, and never taken back."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._expirations: list[float | None] = []

    def enter(self, seconds: float) -> None:
        deadline.tighten(seconds)
        self._expirations.append(deadline.expires_at())

    def leave(self, result: Result[Any]) -> Bounded:
        expires_at = self._expirations.pop()
        return Bounded(result, expired=expires_at is not None and self._clock.monotonic() >= expires_at)
