"""Drives a flow in two steps: up to its invocation, and from the invocation's result to the end.

For calls that no driver runs: the block of a ``with`` statement, a stream that is read later, a future.
Nothing waits here: a wait of a gate's is handed to whoever advances the flow, who may be able to, and such a
call cannot be retried, which its ``Call`` says.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, Protocol

from otel_resilience.flow.effects import Bounded, Effect, Flow, Invoke, Run, Wait, Within
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

    def advance(self, answer: Result[Any] | bool | None) -> Result[Any] | Wait | None:
        """Go on with ``answer``: the invocation's result, or whether a ``Wait`` was waited for.

        ``None`` when the invocation is to be made, a ``Wait`` when there is one, else what the call came to.
        """
        return self._run(partial(self._flows[-1].send, answer))

    def interrupt(self, error: BaseException) -> Result[Any] | Wait | None:
        """Go on where ``error`` has interrupted a ``Wait``."""
        return self._run(partial(self._flows[-1].throw, error), error)

    def close(self) -> None:
        """Let go of what the flow holds; it goes no further."""
        self._unwind(GeneratorExit())

    def _run(
        self, step: Callable[[], Effect], interruption: BaseException | None = None
    ) -> Result[Any] | Wait | None:
        while True:
            try:
                effect = step()
            except StopIteration as stop:
                ended: Result[Any] = stop.value
            except BaseException as error:
                if error is not interruption:
                    # A flow that breaks takes those around it along; each lets go of what it holds.
                    return self._unwind(error)
                ended = Failure(error)
            else:
                if isinstance(effect, Invoke):
                    return None
                if isinstance(effect, Wait):
                    return effect
                step = (
                    partial(self._flows[-1].send, run(effect.function))
                    if isinstance(effect, Run)
                    else self._enter(effect)
                )
                continue
            self._flows.pop()
            if not self._flows:
                return ended
            step = partial(self._flows[-1].send, self._bounds.leave(ended))

    def _enter(self, effect: Effect) -> Callable[[], Effect]:
        if not isinstance(effect, Within):
            error = RuntimeError(f"this call cannot wait, but its flow asked for {effect!r}")
            return partial(self._flows[-1].throw, error)
        self._bounds.enter(effect.seconds)
        self._flows.append(effect.flow)
        return partial(effect.flow.send, None)

    def _unwind(self, error: BaseException) -> Result[Any]:
        failure = Failure(error)
        while self._flows:
            self._flows.pop().close()
            if self._flows:
                self._bounds.leave(failure)
        return failure
