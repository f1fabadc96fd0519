"""The bulkhead as a guard: the machine under a lock, those who wait told outside of it."""

from __future__ import annotations

import os
import threading
from collections import deque

from otel_resilience.context import deadline
from otel_resilience.exceptions import BulkheadFullError, DeadlineExceededError
from otel_resilience.flow.call import Call
from otel_resilience.flow.effects import Flow, Proceed
from otel_resilience.flow.gate import Admitted, Deferred, Ending, Refused, guarded
from otel_resilience.flow.guard import Guard
from otel_resilience.flow.wakeup import Wakeup
from otel_resilience.forking import forget_after_fork
from otel_resilience.inventory import POLICIES
from otel_resilience.policies import checks
from otel_resilience.policies.bulkhead.options import BulkheadOptions
from otel_resilience.policies.bulkhead.permit import Permit, hold, is_held
from otel_resilience.policies.bulkhead.pools import POOLS
from otel_resilience.policies.bulkhead.state import BulkheadMachine, Stage
from otel_resilience.policies.shown import shown


class Bulkhead(Guard):
    """Bounds how many calls run at a time, so that one slow dependency cannot take all threads, connections or memory.

    ``max_concurrency`` calls run at a time. Further ones wait in a row of at most ``max_queue``, in the order
    in which they came, threads and the tasks of all event loops together; each at most ``max_wait`` seconds,
    without it for as long as its deadline allows. A call beyond that raises ``BulkheadFullError`` before it
    is made, one whose deadline passes in the row ``DeadlineExceededError``. A call from inside a call of the
    same bulkhead never waits, since it might wait for itself; nor does a stream or a future.

    ``Bulkhead.create_pool(name, …)`` makes one that ``Bulkhead.pool(name)`` finds again. Raises
    ``ConfigurationError`` for a wrong option. Safe for threads and tasks; no lock is held during a call. A
    forked child begins empty.
    """

    policy_type = "bulkhead"
    guards_blocks = True

    def __init__(
        self,
        name: str | None = None,
        *,
        max_concurrency: int,
        max_queue: int = 0,
        max_wait: float | None = None,
    ) -> None:
        self._name = None
        self._options = BulkheadOptions(
            max_concurrency=max_concurrency, max_queue=max_queue, max_wait=max_wait
        )
        checked = checks.name_or_none("Bulkhead", name)
        self.forget()
        forget_after_fork(self)
        if checked is not None:
            self.bind(checked)

    @staticmethod
    def create_pool(
        name: str, *, max_concurrency: int, max_queue: int = 0, max_wait: float | None = None
    ) -> Bulkhead:
        """The bulkhead called ``name`` that ``pool`` finds, for the life of the process.

        Asked for again with the same options it is the same one, with others a ``ConfigurationError``.
        """
        return POOLS.add(
            name, Bulkhead(max_concurrency=max_concurrency, max_queue=max_queue, max_wait=max_wait)
        )

    @staticmethod
    def pool(name: str) -> Bulkhead:
        """The pool that ``create_pool`` made. Raises ``ConfigurationError`` with near names where nobody made it."""
        return POOLS.find(name)

    def bind(self, name: str) -> None:
        if self._name is None:
            self._name = name
            POLICIES.add(self.policy_type, name, self)

    def forget(self) -> None:
        """Begin empty, with a lock that nobody holds: the calls of a parent process do not come back to its child."""
        # Guards the machine. Never held across a call, a wakeup or another lock. It may be taken again by who holds it:
        # the collector ends an abandoned call, and a signal makes one, wherever a thread is.
        self._lock = threading.RLock()
        self._deciding = False
        self._machine: BulkheadMachine[Permit] = BulkheadMachine(self._options)
        self._returned: deque[tuple[Permit, float]] = deque()
        self._pid = os.getpid()

    @property
    def options(self) -> BulkheadOptions:
        return self._options

    @property
    def running(self) -> int:
        """Calls that run now."""
        return self._machine.running

    @property
    def waiting(self) -> int:
        """Calls that wait now."""
        return self._machine.waiting

    def flow(self, call: Call, proceed: Proceed) -> Flow:
        return guarded(self, call, proceed)

    def admit(self, call: Call) -> Admitted[Permit] | Deferred[Permit] | Refused:
        if self._pid != os.getpid():  # forked by a server that calls no handler of Python's
            self.forget()
        now = call.clock.monotonic()
        permit = Permit(self._machine, self._wait_until(now))
        entered = self._enter(permit, now)
        self._take_back()
        if not entered:
            return self._refuse(call)
        hold(permit)
        return Admitted(permit) if permit.wakeup is None else self._deferred(permit, now)

    def _enter(self, permit: Permit, now: float) -> bool:
        may_wait = not is_held(permit.machine)
        with self._lock:
            if self._deciding:
                return False  # in the midst of another decision of this very thread
            self._deciding = True
            try:
                entered = permit.machine.enter(permit, now, may_wait=may_wait)
                if permit.stage is Stage.WAITING:
                    permit.wakeup = Wakeup()
            finally:
                self._deciding = False
        return entered

    def resume(
        self, call: Call, permit: Permit, waited: bool
    ) -> Admitted[Permit] | Deferred[Permit] | Refused:
        if deadline.remaining() == 0.0:
            return self._refuse(call)  # let in or not, it is too late to begin
        if permit.stage is Stage.RUNNING:
            return Admitted(permit)
        now = call.clock.monotonic()
        if not waited or permit.stage is Stage.OUT or permit.expired(now):
            return self._refuse(call)
        return self._deferred(permit, now)  # a timer was early

    def settle(self, call: Call, permit: Permit, ending: Ending) -> None:
        now = call.clock.monotonic()
        if not call.enforced and permit.wakeup is not None and self._waited_too_long(permit, now):
            refused = self._refuse(call)
            call.reject(refused.error, policy_type=self.policy_type, reason=refused.reason)
        self._end(permit, now)

    def _end(self, permit: Permit, now: float) -> None:
        permit.ended = True
        self._returned.append((permit, now))
        self._take_back()

    def _take_back(self) -> None:
        """Hand on what has come back.

        In the midst of a decision of this very thread it is left for right after it.
        """
        granted: list[tuple[Permit, float]] = []
        with self._lock:
            while self._returned and not self._deciding:
                self._deciding = True
                try:
                    permit, now = self._returned[0]  # and removed when it is back: Ctrl-C may come between
                    following = permit.machine.release(permit, now)
                    if following is not None:
                        granted.append((following, now))
                    self._returned.popleft()
                finally:
                    self._deciding = False
        for following, now in granted:
            if following.wakeup is not None and not following.wakeup.give():
                self._end(following, now)  # its event loop is gone, and the call with it

    def _wait_until(self, now: float) -> float | None:
        longest, left = self._options.max_wait, deadline.remaining()
        if longest is None or left is None:
            longest = left if longest is None else longest
        else:
            longest = min(longest, left)
        return None if longest is None else now + longest

    def _deferred(self, permit: Permit, now: float) -> Deferred[Permit]:
        seconds = None if permit.expires_at is None else max(0.0, permit.expires_at - now)
        return Deferred(permit, seconds, permit.wakeup)

    def _waited_too_long(self, permit: Permit, now: float) -> bool:
        """In shadow, where nobody waits: whether this call would have been refused for want of a permit in time."""
        return permit.stage is Stage.OUT or (permit.stage is Stage.WAITING and permit.expired(now))

    def _refuse(self, call: Call) -> Refused:
        if deadline.remaining() == 0.0:
            late = DeadlineExceededError(
                f"{call.name} was not called: its deadline had passed before bulkhead {self._name!r} had room"
            )
            return Refused(late, "deadline_exceeded")
        waiting = f" and {self.waiting} wait" if self._options.max_queue else ""
        error = BulkheadFullError(f"bulkhead {self._name!r} is full: {self.running} calls run{waiting}")
        return Refused(error, "bulkhead_full")

    def __repr__(self) -> str:
        return shown("Bulkhead", self._name, self._options)
