"""The one shared flow of all gates: decide, let pass, learn from the end.

A gate's permit has exactly one way back, ``settle``, whatever ends the call: a result, an exception, a cancellation, a
flow that is closed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

from otel_resilience.events import Cause
from otel_resilience.exceptions import RejectedError
from otel_resilience.flow.call import Call
from otel_resilience.flow.effects import Flow, Proceed
from otel_resilience.outcome import Failure, Result

P = TypeVar("P")


@dataclass(frozen=True, slots=True)
class Admitted(Generic[P]):
    """The call may pass; ``permit`` is to be settled."""

    permit: P


@dataclass(frozen=True, slots=True)
class Refused:
    """The call may not pass; nothing is to be settled. ``reason`` is a ``resilience.rejection.reason``."""

    error: RejectedError
    reason: str
    cause: Cause | None = None


@dataclass(frozen=True, slots=True)
class Ending:
    """How a call that was let pass ended. ``begun``: the guarded function was invoked at all. ``elapsed`` in seconds."""

    result: Result[Any]
    begun: bool
    elapsed: float


class Gate(Protocol[P]):
    """Decides whether a call may pass, and learns from its end. Both are safe from any thread."""

    policy_type: str

    def admit(self, call: Call) -> Admitted[P] | Refused: ...

    def settle(self, call: Call, permit: P, ending: Ending) -> None: ...


def guarded(gate: Gate[P], call: Call, proceed: Proceed) -> Flow:
    """Run ``proceed`` if ``gate`` lets the call pass."""
    decision = gate.admit(call)
    if isinstance(decision, Refused):
        refusal = call.reject(
            decision.error, policy_type=gate.policy_type, reason=decision.reason, cause=decision.cause
        )
        if call.enforced:
            return refusal
        return (yield from proceed())
    attempts = call.attempts
    began = call.clock.monotonic()
    result: Result[Any] = Failure(GeneratorExit())
    try:
        result = yield from proceed()
    except BaseException as error:
        result = Failure(error)
        raise
    finally:
        elapsed = call.clock.monotonic() - began
        gate.settle(call, decision.permit, Ending(result, call.attempts > attempts, elapsed))
    return result
