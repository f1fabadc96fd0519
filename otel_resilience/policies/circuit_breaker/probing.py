"""Which probes the code that runs is inside of: a call that a probe makes through its own breaker is part of the probe.

Else a function that calls itself could never prove that the dependency is well: the probe would wait for a
place that it holds itself.
"""

from __future__ import annotations

from contextvars import ContextVar

from otel_resilience.policies.circuit_breaker.permit import Permit
from otel_resilience.policies.circuit_breaker.state import CircuitBreakerMachine

_probes: ContextVar[tuple[tuple[CircuitBreakerMachine, Permit], ...]] = ContextVar(
    "otel_resilience.probes", default=()
)


def enter(machine: CircuitBreakerMachine, permit: Permit) -> None:
    """From here on this code is the probe's."""
    _probes.set((*_probes.get(), (machine, permit)))


def leave(permit: Permit) -> None:
    """The probe has ended."""
    _probes.set(tuple(each for each in _probes.get() if each[1] is not permit))


def is_inside(machine: CircuitBreakerMachine) -> bool:
    """Whether a probe of that very machine is around this code, and still counts."""
    return any(known is machine and machine.is_probing(permit) for known, permit in _probes.get())
