"""The rate limiter as a guard: the machine under a lock, the wait for a slot outside of it."""

from __future__ import annotations

import os
import threading
from collections import deque

from otel_resilience.context import deadline
from otel_resilience.exceptions import DeadlineExceededError, RateLimitedError
from otel_resilience.flow.call import Call
from otel_resilience.flow.effects import Flow, Proceed
from otel_resilience.flow.gate import Admitted, Deferred, Ending, Refused, guarded
from otel_resilience.flow.guard import Guard
from otel_resilience.forking import forget_after_fork
from otel_resilience.inventory import POLICIES
from otel_resilience.policies import checks
from otel_resilience.policies.rate_limit.options import RateLimiterOptions
from otel_resilience.policies.rate_limit.state import RateLimiterMachine, Slot
from otel_resilience.policies.shown import shown


class Permit:
    """A slot of the machine that gave it; ``used``: the call was let pass."""

    __slots__ = ("machine", "slot", "used")

    def __init__(self, machine: RateLimiterMachine, slot: Slot, *, used: bool) -> None:
        self.machine = machine
        self.slot = slot
        self.used = used


class RateLimiter(Guard):
    """Bounds how many calls are made in a time, so that a quota is kept and a peak does not reach a dependency.

    On average ``rate`` calls ``per`` seconds pass, evenly; after a pause ``burst`` of them at once (default:
    one period's worth, at least 1). A call that would come too early waits for its time, if that is at most
    ``max_wait`` seconds away and before its deadline. Else it raises ``RateLimitedError``, whose
    ``retry_after`` says when it could be made. Who waits is served in order; who gives up leaves its time to
    those after it where nobody would come too early by that. A stream or a future never waits.

    Each process counts for itself, and a forked child from anew. Raises ``ConfigurationError`` for a wrong
    option. Safe for threads and tasks.
    """

    policy_type = "rate_limiter"
    guards_blocks = True

    def __init__(
        self,
        name: str | None = None,
        *,
        rate: float,
        per: float = 1.0,
        burst: int | None = None,
        max_wait: float = 0.0,
    ) -> None:
        self._name = None
        self._options = RateLimiterOptions(rate=rate, per=per, burst=burst, max_wait=max_wait)
        checked = checks.name_or_none("RateLimiter", name)
        self.forget()
        forget_after_fork(self)
        if checked is not None:
            self.bind(checked)

    def bind(self, name: str) -> None:
        if self._name is None:
            self._name = name
            POLICIES.add(self.policy_type, name, self)

    def forget(self) -> None:
        """Begin at rest, with a lock that nobody holds: the calls of a parent process are not those of its child."""
        # Guards the machine; never held across a call or another lock. It may be taken again by who holds it: the
        # collector ends an abandoned call, and a signal makes one, wherever a thread is.
        self._lock = threading.RLock()
        self._deciding = False
        self._machine = RateLimiterMachine(self._options)
        self._unused: deque[Permit] = deque()
        self._pid = os.getpid()

    @property
    def options(self) -> RateLimiterOptions:
        return self._options

    def flow(self, call: Call, proceed: Proceed) -> Flow:
        return guarded(self, call, proceed)

    def admit(self, call: Call) -> Admitted[Permit] | Deferred[Permit] | Refused:
        if self._pid != os.getpid():  # forked by a server that calls no handler of Python's
            self.forget()
        now, left = call.clock.monotonic(), deadline.remaining()
        longest = self._options.max_wait if left is None else min(self._options.max_wait, left)
        machine = self._machine
        slot = self._slot(machine, now, longest)
        if not isinstance(slot, Slot):
            return self._refuse(slot)
        permit = Permit(machine, slot, used=slot.at <= now)
        return Admitted(permit) if permit.used else Deferred(permit, slot.at - now)

    def resume(
        self, call: Call, permit: Permit, waited: bool
    ) -> Admitted[Permit] | Deferred[Permit] | Refused:
        if deadline.remaining() == 0.0:
            error = DeadlineExceededError(
                f"{call.name} was not called: its deadline had passed before rate limiter {self._name!r} let it"
            )
            return Refused(error, "deadline_exceeded")
        left = permit.slot.at - call.clock.monotonic()
        if left > 0:  # a timer was early, or this call cannot wait
            return Deferred(permit, left) if waited else self._refuse(left)
        permit.used = True
        return Admitted(permit)

    def settle(self, call: Call, permit: Permit, ending: Ending) -> None:
        if permit.used or not call.enforced:
            return
        self._unused.append(permit)
        with self._lock:
            self._give_back_locked()

    def _slot(self, machine: RateLimiterMachine, now: float, longest: float) -> Slot | float:
        with self._lock:
            if self._deciding:
                return self._options.interval  # in the midst of another decision of this very thread
            self._give_back_locked()
            self._deciding = True
            try:
                slot = machine.admit(now, longest)
            finally:
                self._deciding = False
            self._give_back_locked()
        return slot

    def _give_back_locked(self) -> None:
        # In the midst of a decision it is left for right after it.
        while self._unused and not self._deciding:
            self._deciding = True
            try:
                permit = self._unused.popleft()
                permit.machine.give_back(permit.slot)
            finally:
                self._deciding = False

    def _refuse(self, seconds: float) -> Refused:
        options = self._options
        error = RateLimitedError(
            f"rate limiter {self._name!r} lets {options.rate:g} calls pass in {options.per:g} s",
            retry_after=seconds,
        )
        return Refused(error, "rate_limited")

    def __repr__(self) -> str:
        return shown("RateLimiter", self._name, self._options)
