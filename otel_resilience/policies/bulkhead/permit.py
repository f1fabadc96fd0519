"""A call's place in a bulkhead, and how the call is reached while it waits there."""

from __future__ import annotations

from contextvars import ContextVar

from otel_resilience.flow.wakeup import Wakeup
from otel_resilience.policies.bulkhead.state import BulkheadMachine, Place, Stage


class Permit(Place):
    """Belongs to the machine that was asked for it, also after another has taken that one's place (in a forked child).

    ``ended``: its call has ended, whether or not the machine has been told so far.
    """

    __slots__ = ("ended", "machine", "wakeup")

    def __init__(self, machine: BulkheadMachine[Permit], expires_at: float | None) -> None:
        super().__init__(expires_at)
        self.machine = machine
        self.wakeup: Wakeup | None = None
        self.ended = False


_held: ContextVar[tuple[Permit, ...]] = ContextVar("otel_resilience.bulkhead.held", default=())


def hold(permit: Permit) -> None:
    """``permit`` is that of the code that runs from here on, in this context and those that begin in it."""
    # Never taken back, since a call may end in another context than it began in: what is held is told by the permit.
    _held.set((*(held for held in _held.get() if not held.ended), permit))


def is_held(machine: BulkheadMachine[Permit]) -> bool:
    """Whether a call that runs with a permit of ``machine`` is around this code."""
    return any(
        held.machine is machine and not held.ended and held.stage is Stage.RUNNING for held in _held.get()
    )
