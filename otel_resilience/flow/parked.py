"""A guarded call that ends somewhere else: a stream that is read later, a future.

Everything up to the invocation runs at once; then the flow is parked until ``finish`` brings the result. Nothing waits
here, so a parked call cannot be retried, which its ``Call`` says. The flow lives in a context of its own: what it sets
(deadline, attempt, current span) is seen by the invocation, and never leaks into the caller.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextvars import copy_context
from typing import Any, TypeVar

from otel_resilience.context import deadline
from otel_resilience.flow.effects import Bounded, Invoke, Within
from otel_resilience.flow.execution import Execution
from otel_resilience.outcome import Result

T = TypeVar("T")


class ParkedExecution:
    """Begin with the constructor, make the invocation with ``run``, ``finish`` from whatever thread, once.

    ``refused`` is what the caller gets if the call may not be made, else ``None``.
    """

    def __init__(self, begin: Callable[[], Execution]) -> None:
        self._context = copy_context()
        self._execution = self._context.run(begin)
        self._clock = self._execution.call.clock
        self._flows = [self._execution.flow]
        self._expirations: list[float | None] = []
        self._open = threading.Lock()  # held for good by whoever finishes first
        self.refused = self._context.run(self._conclude, None)
        if self.refused is None and self._execution.call.scope is not None:
            self._context.run(self._execution.call.scope.suspend)

    def run(self, function: Callable[[], T]) -> T:
        """Call ``function`` in the context that an invocation by this flow has. It must not ``finish``."""
        return self._context.run(function)

    def finish(self, result: Result[Any]) -> Result[Any]:
        """Hand in what the invocation came to, and get what the call came to. Later calls change nothing."""
        if self.refused is not None or not self._open.acquire(blocking=False):
            return result
        return self._context.run(self._conclude, result) or result

    def _conclude(self, answer: Any) -> Result[Any] | None:
        final = self._advance(answer)
        return None if final is None else self._execution.finish(final)

    def _advance(self, answer: Any) -> Result[Any] | None:
        """Drive until the invocation, ``None``, or to the end of the outermost flow."""
        while True:
            try:
                effect = self._flows[-1].send(answer)
            except StopIteration as stop:
                self._flows.pop()
                if not self._flows:
                    final: Result[Any] = stop.value
                    return final
                expires_at = self._expirations.pop()
                expired = expires_at is not None and self._clock.monotonic() >= expires_at
                answer = Bounded(stop.value, expired=expired)
                continue
            if isinstance(effect, Invoke):
                return None
            if not isinstance(effect, Within):
                raise RuntimeError(f"a parked call cannot wait, but its flow asked for {effect!r}")
            # Not restored: the context is this call's own and ends with it.
            deadline.tighten(effect.seconds)
            self._expirations.append(deadline.expires_at())
            self._flows.append(effect.flow)
            answer = None
