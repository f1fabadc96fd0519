"""Drives a flow in two steps: up to its invocation, and from the invocation's result to the end.

For calls that no driver runs: the block of a ``with`` statement, a stream that is read later, a future. Nothing waits
here, so such a call cannot be retried, which its ``Call`` says.
"""

from __future__ import annotations

from typing import Any, Protocol

from otel_resilience.flow.effects import Bounded, Flow, Invoke, Run, Within
from otel_resilience.flow.sync_driver import run
from otel_resilience.outcome import Failure, Result


class Bounds(Protocol):
    """What a deadline is where the flow runs. Entered and left like a stack."""

    def enter(self, seconds: float) -> None: ...

    def leave(self, result: Result[Any]) -> Bounded: ...


class Stepwise:
    """One flow, parked at its invocation between two calls of ``advance``."""

    def __init__(self, flow: Flow, bounds: Bounds) -> None:
        self._flows = [flow]
        self._bounds = bounds

    def advance(self, answer: Result[Any] | None) -> Result[Any] | None:
        """Go on with ``answer``: ``None`` when the invocation is to be made, else what the call came to."""
        sent: Any = answer
        while True:
            try:
                effect = self._flows[-1].send(sent)
            except StopIteration as stop:
                self._flows.pop()
                if not self._flows:
                    final: Result[Any] = stop.value
                    return final
                sent = self._bounds.leave(stop.value)
                continue
            except BaseException as error:
                # A flow that breaks takes those around it along; each lets go of what it holds.
                return self._unwind(error)
            if isinstance(effect, Invoke):
                return None
            if isinstance(effect, Run):
                sent = run(effect.function)
                continue
            if not isinstance(effect, Within):
                return self._unwind(RuntimeError(f"this call cannot wait, but its flow asked for {effect!r}"))
            self._bounds.enter(effect.seconds)
            self._flows.append(effect.flow)
            sent = None

    def _unwind(self, error: BaseException) -> Result[Any]:
        failure = Failure(error)
        while self._flows:
            self._flows.pop().close()
            if self._flows:
                self._bounds.leave(failure)
        return failure
