"""A machine that many threads ask: one decision at a time, each whole, with what is to be announced of it.

A thread may come here once more while it is in the midst of a decision: the garbage collector ends an abandoned call
wherever the thread is, and a signal handler may make one. A plain lock would let it wait for itself for ever. So the
lock may be taken again by who holds it, and what comes up in the midst sees no machine that is half changed: the end
of a call and a human's word are done right after, a new call is decided by the state alone.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import partial
from typing import NamedTuple, TypeAlias

from otel_resilience.events import Cause
from otel_resilience.outcome import Verdict
from otel_resilience.policies.circuit_breaker.causes import Causes
from otel_resilience.policies.circuit_breaker.options import CircuitBreakerOptions
from otel_resilience.policies.circuit_breaker.permit import UNJUDGED, Permit, Refusal, Rejection
from otel_resilience.policies.circuit_breaker.snapshot import Snapshot
from otel_resilience.policies.circuit_breaker.state import BreakerState, Change, CircuitBreakerMachine, Signal
from otel_resilience.windows.tally import Tally


class Told(NamedTuple):
    """What a decision changed, and what opened the circuit, if anything did."""

    changes: tuple[Change, ...]
    cause: Cause | None


class Decision(NamedTuple):
    """Whether a call may pass, which state it found, and what is to be announced."""

    answer: Permit | Rejection
    found: BreakerState
    cause: Cause | None
    told: tuple[Told, ...]


_Step: TypeAlias = Callable[[], Told]

_PASSING = (BreakerState.CLOSED, BreakerState.FORCED_CLOSED)


class SharedMachine:
    """Safe from any thread, also where the same one comes twice."""

    __slots__ = ("_causes", "_deciding", "_later", "_lock", "machine")

    def __init__(self, options: CircuitBreakerOptions) -> None:
        self._causes = Causes()
        self._begin(CircuitBreakerMachine(options))

    def forget(self) -> None:
        """Begin anew in a forked child, with a lock that nobody holds."""
        self._causes.forget()
        self._begin(self.machine.successor())

    def _begin(self, machine: CircuitBreakerMachine) -> None:
        # Guards the machine and the causes. Never held across a call, a listener or another lock.
        self._lock = threading.RLock()
        self._deciding = False
        self._later: list[_Step] = []
        self.machine = machine

    def admit(self, now: float, draw: float) -> Decision:
        """Ask whether a call may pass (see ``CircuitBreakerMachine``)."""
        with self._lock:
            found = self.machine.state
            if self._deciding:
                return Decision(_by_state_alone(found), found, self._causes.opened, ())
            answers: list[Permit | Rejection] = []
            told = self._take(partial(self._admit, now, draw, answers))
            return Decision(answers[0], found, self._causes.opened, told)

    def settle(
        self,
        permit: Permit,
        verdict: Verdict,
        now: float,
        draw: float,
        retry_after: float | None,
        *,
        slow: bool,
        failure: Cause | None,
    ) -> tuple[Told, ...]:
        """Tell how a call ended."""

        def step() -> Told:
            counts = permit.generation == self.machine.generation
            changes = self.machine.settle(permit, verdict, now, draw, retry_after, slow=slow)
            return Told(changes, self._causes.note(changes, failure if counts else None))

        with self._lock:
            return self._take(step)

    def force(self, signal: Signal) -> tuple[Told, ...]:
        """Tell what a human wants."""
        with self._lock:
            return self._take(partial(self._force, signal))

    def snapshot(self, now: float) -> Snapshot:
        """State and counts, consistent with one another."""
        with self._lock:
            machine = self.machine
            tally = machine.tally(now)
            return Snapshot(
                state=machine.state,
                failures=machine.failures,
                successes=machine.successes,
                failure_ratio=tally.failure_ratio,
                slow_ratio=tally.slow_ratio,
                generation=machine.generation,
                retry_after=machine.retry_after(now),
            )

    def tally(self, now: float) -> Tally:
        """The calls in the window."""
        with self._lock:
            return self.machine.tally(now)

    def _take(self, step: _Step) -> tuple[Told, ...]:
        """Do ``step``, and what comes up in its midst; in the midst of another one it is left to that one."""
        self._later.append(step)
        told: list[Told] = []
        while self._later and not self._deciding:
            self._deciding = True
            try:
                told.append(self._later.pop(0)())
            finally:
                self._deciding = False
        return tuple(told)

    def _admit(self, now: float, draw: float, answers: list[Permit | Rejection]) -> Told:
        answer, changes = self.machine.admit(now, draw)
        answers.append(answer)
        return Told(changes, self._causes.note(changes, None))

    def _force(self, signal: Signal) -> Told:
        changes = self.machine.force(signal)
        self._causes.forget()
        return Told(changes, None)


def _by_state_alone(state: BreakerState) -> Permit | Rejection:
    if state in _PASSING:
        return UNJUDGED
    half_open = state is BreakerState.HALF_OPEN
    return Rejection(Refusal.HALF_OPEN_LIMIT if half_open else Refusal.CIRCUIT_OPEN, None)
