"""The circuit breaker as a guard: the machine under a lock, its changes announced outside of it."""

from __future__ import annotations

import logging
import os
import threading
import weakref
from collections.abc import Callable, Hashable
from typing import Any

from otel_resilience import chance, clock
from otel_resilience.events import Cause, CircuitStateChanged
from otel_resilience.exceptions import CircuitOpenError
from otel_resilience.flow.call import Call
from otel_resilience.flow.effects import Flow, Proceed
from otel_resilience.flow.gate import Admitted, Ending, Refused, guarded
from otel_resilience.flow.guard import Guard
from otel_resilience.forking import forget_after_fork
from otel_resilience.inventory import POLICIES
from otel_resilience.listener import LISTENERS
from otel_resilience.outcome import Verdict
from otel_resilience.policies import checks
from otel_resilience.policies.circuit_breaker import probing
from otel_resilience.policies.circuit_breaker.causes import cause_of
from otel_resilience.policies.circuit_breaker.keyed import KeyedRoom
from otel_resilience.policies.circuit_breaker.options import CircuitBreakerOptions
from otel_resilience.policies.circuit_breaker.permit import UNJUDGED, Permit, Rejection
from otel_resilience.policies.circuit_breaker.shared import SharedMachine, Told
from otel_resilience.policies.circuit_breaker.snapshot import Snapshot
from otel_resilience.policies.circuit_breaker.transitions import BreakerState, Signal
from otel_resilience.policies.circuit_breaker.verdict import verdict_of
from otel_resilience.policies.conditions import Errors
from otel_resilience.policies.shown import shown
from otel_resilience.windows.tally import Tally

_log = logging.getLogger("otel_resilience")


class CircuitBreaker(Guard):
    """Stops calling a dependency that fails, and finds out by single probes when it is well again.

    What opens the circuit: ``failure_threshold`` failures in a row (5 where no other rule is given); a share
    of at least ``failure_rate`` failed, or ``slow_call_rate`` slow (``slow_call_seconds`` or longer), of the
    last ``window_calls`` (100), of those of the last ``window_seconds``, or both, from ``minimum_calls`` on.

    It stays open for ``recovery_timeout`` seconds, times ``recovery_growth`` for each opening without a
    recovery between, at most ``recovery_max``; a server's ``Retry-After`` may make it longer, and up to 10 %
    are added so that clients do not return all at once. Then at most ``half_open_max_concurrency`` probes run
    at a time; ``half_open_successes`` of them close the circuit, one failed opens it again, and so do
    ``half_open_max_seconds`` without a verdict. A probe is a lease of ``probe_lease_seconds`` (default
    ``hang_seconds``): when it runs out, the probe has failed and its late result counts for nothing. After a
    recovery a growing share of the calls may pass for ``ramp_seconds``, until it is all of them.

    ``failures`` (types or predicate) are the exceptions that say the dependency is sick, ``failure_results``
    (predicate) the results. A call that is cancelled says nothing, unless it ran for the shorter of
    ``hang_seconds`` and ``slow_call_seconds``. Raises ``CircuitOpenError``, and ``ConfigurationError`` for a
    wrong option. Safe for threads and tasks; no lock is held during a call. A forked child begins with it
    closed, unless it is forced.
    """

    policy_type = "circuit_breaker"
    guards_blocks = True

    def __init__(
        self,
        name: str | None = None,
        *,
        failure_threshold: int | None = None,
        failure_rate: float | None = None,
        window_calls: int | None = None,
        window_seconds: float | None = None,
        minimum_calls: int | None = None,
        slow_call_seconds: float | None = None,
        slow_call_rate: float | None = None,
        hang_seconds: float = 10.0,
        recovery_timeout: float = 30.0,
        recovery_growth: float = 1.0,
        recovery_max: float | None = None,
        half_open_max_concurrency: int = 1,
        half_open_successes: int = 1,
        half_open_max_seconds: float | None = None,
        probe_lease_seconds: float | None = None,
        ramp_seconds: float = 0.0,
        failures: Errors = Exception,
        failure_results: Callable[[Any], bool] | None = None,
    ) -> None:
        self._name = None
        self._options = CircuitBreakerOptions(
            failure_threshold=failure_threshold,
            failure_rate=failure_rate,
            window_calls=window_calls,
            window_seconds=window_seconds,
            minimum_calls=minimum_calls,
            slow_call_seconds=slow_call_seconds,
            slow_call_rate=slow_call_rate,
            hang_seconds=hang_seconds,
            recovery_timeout=recovery_timeout,
            recovery_growth=recovery_growth,
            recovery_max=recovery_max,
            half_open_max_concurrency=half_open_max_concurrency,
            half_open_successes=half_open_successes,
            half_open_max_seconds=half_open_max_seconds,
            probe_lease_seconds=probe_lease_seconds,
            ramp_seconds=ramp_seconds,
            failures=failures,
            failure_results=failure_results,
        )
        checked = checks.name_or_none("CircuitBreaker", name)
        self._lock = threading.RLock()  # guards the making of the room
        self._shared = SharedMachine(self._options)
        self._keyed: KeyedRoom[CircuitBreaker] | None = None
        self._parent: weakref.ref[CircuitBreaker] | None = None
        self._pid = os.getpid()
        forget_after_fork(self)
        if checked is not None:
            self.bind(checked)

    def forget(self) -> None:
        """Begin anew in a forked child: the calls in hand are the parent's. What somebody forces stays."""
        self._lock = threading.RLock()
        self._shared.forget()
        if self._keyed is not None:
            self._keyed.forget()
        self._pid = os.getpid()  # last: who reads it goes on at once

    def bind(self, name: str) -> None:
        if self._name is not None:
            return
        parent = None if self._parent is None else self._parent()
        if parent is not None and parent.name is None:
            parent.bind(name)  # names all of its keyed ones, this one too
            return
        self._name = name if parent is None else parent.name or name
        POLICIES.add(self.policy_type, self._name, self, one_of_many=parent is not None)
        if self._keyed is not None:
            for keyed in self._keyed.everyone():
                keyed.bind(name)

    def for_key(self, key: Hashable) -> CircuitBreaker:
        """The breaker for ``key`` (a host, a tenant, a shard), with this one's options, reported summed under this one's name.

        One object while it lives. At most 10 000 are kept; a new key takes the place of the longest unused
        that is idle (closed, or its open time over), and where there is none, shares a breaker with the
        others that found no place. A keyed one's ``for_key`` is its parent's.
        """
        parent = None if self._parent is None else self._parent()
        if parent is not None:
            return parent.for_key(key)
        with self._lock:
            if self._keyed is None:
                self._keyed = KeyedRoom()
            room = self._keyed
        found = room.get(key, self._make_keyed)
        if self._name is not None:
            found.bind(self._name)
        return found

    def _make_keyed(self) -> CircuitBreaker:
        made = CircuitBreaker()
        made._options = self._options
        made._shared = SharedMachine(self._options)
        made._parent = weakref.ref(self)
        return made

    @property
    def idle(self) -> bool:
        """Whether nothing is lost when this breaker is: it is closed, or its open time is over."""
        return self._shared.machine.is_idle(clock.current().monotonic())

    @property
    def options(self) -> CircuitBreakerOptions:
        return self._options

    @property
    def state(self) -> BreakerState:
        """The state as it is; reading never changes it, so an open circuit stays open until a call tries it."""
        return self._shared.machine.state

    def snapshot(self) -> Snapshot:
        """State and counts at this instant, consistent with one another."""
        return self._shared.snapshot(clock.current().monotonic())

    def tally(self) -> Tally:
        """The calls in the window: for those who add up several breakers."""
        return self._shared.tally(clock.current().monotonic())

    def force_open(self) -> None:
        """Refuse every call until ``reset`` or ``force_closed``."""
        self._announce(self._shared.force(Signal.FORCE_OPEN))

    def force_closed(self) -> None:
        """Let every call pass, whatever it comes to, until ``reset`` or ``force_open``."""
        self._announce(self._shared.force(Signal.FORCE_CLOSED))

    def reset(self) -> None:
        """Close the circuit, forget what was counted, end forcing."""
        self._announce(self._shared.force(Signal.RESET))

    def flow(self, call: Call, proceed: Proceed) -> Flow:
        return guarded(self, call, proceed)

    def admit(self, call: Call) -> Admitted[Permit] | Refused:
        if self._pid != os.getpid():  # forked by a server that is no Python program
            self.forget()
        decision = self._shared.admit(call.clock.monotonic(), chance.draw())
        if call.breaker_state is None:
            call.breaker_state = decision.found
        self._announce(decision.told)
        if isinstance(decision.answer, Rejection):
            if probing.is_inside(self._shared.machine):
                return Admitted(UNJUDGED)  # part of the probe, which alone is judged
            return self._refuse(decision.answer, decision.cause)
        if decision.answer.lease_until is not None:
            probing.enter(self._shared.machine, decision.answer)
        call.patience = min(call.patience, self._options.patience)
        return Admitted(decision.answer)

    def settle(self, call: Call, permit: Permit, ending: Ending) -> None:
        if permit.lease_until is not None:
            probing.leave(permit)
        try:
            verdict = verdict_of(self._options, call, ending)
        except Exception:
            # A user's predicate. The permit must come back all the same, and a call that cannot be judged did not go well.
            _log.exception(
                "a predicate of circuit breaker %r raised; the call counts as a failure", self._name
            )
            verdict = Verdict.FAILURE
        reading = call.reading(ending.result)
        failure = cause_of(reading) if verdict is Verdict.FAILURE else None
        slow = self._options.is_slow(ending.elapsed)
        if self._pid != os.getpid():
            self.forget()
        now, draw = call.clock.monotonic(), chance.draw()
        self._announce(
            self._shared.settle(permit, verdict, now, draw, reading.retry_after, slow=slow, failure=failure)
        )

    def _refuse(self, rejection: Rejection, cause: Cause | None) -> Refused:
        story = "" if cause is None else f", opened by {cause.code} of {cause.service}"
        state = self.state
        how = "closed again and lets calls return by degrees" if state is BreakerState.CLOSED else str(state)
        error = CircuitOpenError(f"circuit {self._name!r} is {how}{story}", retry_after=rejection.retry_after)
        error.cause = cause
        return Refused(error, rejection.refusal.value, cause)

    def _announce(self, told: tuple[Told, ...]) -> None:
        for changes, cause in told:
            for change in changes:
                opened = change.state in (BreakerState.OPEN, BreakerState.HALF_OPEN)
                LISTENERS.announce(
                    CircuitStateChanged(
                        name=self._name or "unnamed",
                        state=change.state,
                        previous_state=change.previous,
                        signal=change.signal,
                        cause=cause if opened else None,
                    )
                )

    def __repr__(self) -> str:
        options = self._options
        # Without a rate nobody asks how much it is judged over.
        judged = options.failure_rate is not None or options.slow_call_rate is not None
        return shown(
            "CircuitBreaker", self._name, options, but=() if judged else ("window_calls", "minimum_calls")
        )
