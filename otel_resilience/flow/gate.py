"""The one shared flow of all gates: decide, wait if it must be, let pass, learn from the end.

A gate's permit has exactly one way back, ``settle``, whatever ends the call: a result, an exception, a cancellation, a
flow that is closed.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar, cast

from otel_resilience.events import Cause
from otel_resilience.exceptions import DeadlineExceededError, RejectedError
from otel_resilience.flow.call import Call
from otel_resilience.flow.effects import Effect, Flow, Proceed, Wait
from otel_resilience.flow.wakeup import Wakeup
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
class Deferred(Generic[P]):
    """The call may pass later; ``permit`` is its place in the row, and is to be settled whatever comes of it.

    It is to wait for ``wakeup`` at most ``seconds`` (see ``Wait``), and then to ask again.
    """

    permit: P
    seconds: float | None
    wakeup: Wakeup | None = None


@dataclass(frozen=True, slots=True)
class Ending:
    """How a call that was let pass ended.

    ``begun``: the guarded function was invoked at all. ``elapsed`` in seconds.
    """

    result: Result[Any]
    begun: bool
    elapsed: float


class Gate(Protocol[P]):
    """Decides whether a call may pass, and learns from its end. Both are safe from any thread."""

    policy_type: str

    def admit(self, call: Call) -> Admitted[P] | Refused: ...

    def settle(self, call: Call, permit: P, ending: Ending) -> None: ...


class PatientGate(Protocol[P]):
    """A gate that may let a call wait.

    In shadow nothing waits: a deferred call passes, and its place is settled at its end.
    """

    policy_type: str

    def admit(self, call: Call) -> Admitted[P] | Deferred[P] | Refused: ...

    def resume(self, call: Call, permit: P, waited: bool) -> Admitted[P] | Deferred[P] | Refused:
        """After a wait, or where the call cannot wait (``waited`` is false).

        After a refusal too ``permit`` is settled.
        """
        ...

    def settle(self, call: Call, permit: P, ending: Ending) -> None: ...


def guarded(gate: Gate[P] | PatientGate[P], call: Call, proceed: Proceed) -> Flow:
    """Run ``proceed`` if ``gate`` lets the call pass."""
    decision = gate.admit(call)
    if isinstance(decision, Refused):
        refusal = _refuse(gate, call, decision)
        if call.enforced:
            return refusal
        return (yield from proceed())
    permit, attempts = decision.permit, call.attempts
    began = call.clock.monotonic()

    def settle(result: Result[Any]) -> None:
        elapsed = call.clock.monotonic() - began
        gate.settle(call, permit, Ending(result, call.attempts > attempts, elapsed))

    try:
        refused = None
        if isinstance(decision, Deferred) and call.enforced:
            refused = yield from _waited_for(gate, call, decision)
            began = call.clock.monotonic()
        result = (yield from proceed()) if refused is None else _refuse(gate, call, refused)
    except BaseException as error:
        settle(Failure(error))
        raise
    settle(result)
    return result


def _waited_for(
    gate: Gate[P] | PatientGate[P], call: Call, place: Deferred[P]
) -> Generator[Effect, Any, Refused | None]:
    """Wait until the call may pass, which is ``None``, or may not."""
    decision: Admitted[P] | Deferred[P] | Refused = place
    while isinstance(decision, Deferred):
        waited = yield Wait(decision.seconds, decision.wakeup)
        decision = cast("PatientGate[P]", gate).resume(call, place.permit, waited)
    return decision if isinstance(decision, Refused) else None


def _refuse(gate: Gate[P] | PatientGate[P], call: Call, refused: Refused) -> Failure:
    if isinstance(refused.error, DeadlineExceededError) and call.overdue():
        return Failure(refused.error)  # the call's own timeout has met it, and announces it
    return call.reject(
        refused.error, policy_type=gate.policy_type, reason=refused.reason, cause=refused.cause
    )
