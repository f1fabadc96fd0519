"""The circuit breaker as a guard: the machine under a lock, its changes announced outside of it."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from otel_resilience import chance, clock
from otel_resilience.errors.failed_call import FailedCall
from otel_resilience.errors.reading import Reading
from otel_resilience.events import Cause, CircuitStateChanged
from otel_resilience.exceptions import CircuitOpenError, ServiceTimeoutError
from otel_resilience.flow.call import Call
from otel_resilience.flow.effects import Flow, Proceed
from otel_resilience.flow.gate import Admitted, Ending, Refused, guarded
from otel_resilience.flow.guard import Guard
from otel_resilience.inventory import POLICIES
from otel_resilience.listener import LISTENERS
from otel_resilience.outcome import Failure, Outcome, Verdict
from otel_resilience.policies import checks
from otel_resilience.policies.circuit_breaker.options import CircuitBreakerOptions, Failures
from otel_resilience.policies.circuit_breaker.state import (
    BreakerState,
    Change,
    CircuitBreakerMachine,
    Permit,
    Rejection,
    Signal,
)

_log = logging.getLogger("otel_resilience")


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A breaker as it was at one instant. ``retry_after`` in seconds, only while open."""

    state: BreakerState
    failures: int
    successes: int
    generation: int
    retry_after: float | None


class CircuitBreaker(Guard):
    """Stops calling a dependency that fails, and finds out by single probes when it is well again.

    ``failure_threshold`` failures in a row open the circuit for ``recovery_timeout`` seconds, times ``recovery_growth`` for each opening
    without a recovery between, at most ``recovery_max``; a server's ``Retry-After`` may make it longer, and up to 10 % are added so that
    clients do not return all at once. Then at most ``half_open_max_concurrency`` probes run at a time; ``half_open_successes`` of them close the
    circuit, one failed opens it again, and so do ``half_open_max_seconds`` without a verdict. A probe is a lease of
    ``probe_lease_seconds`` (default ``hang_seconds``): when it runs out, the probe has failed and its late result counts for nothing.

    ``failures`` (types or predicate) are the exceptions that say the dependency is sick, ``failure_results`` (predicate) the results. A call that
    is cancelled says nothing, unless it ran for ``hang_seconds``. Raises ``CircuitOpenError``, and ``ConfigurationError`` for a wrong
    option. Safe for threads and tasks; no lock is held during a call.
    """

    policy_type = "circuit_breaker"
    guards_blocks = True

    def __init__(
        self,
        name: str | None = None,
        *,
        failure_threshold: int = 5,
        hang_seconds: float = 10.0,
        recovery_timeout: float = 30.0,
        recovery_growth: float = 1.0,
        recovery_max: float | None = None,
        half_open_max_concurrency: int = 1,
        half_open_successes: int = 1,
        half_open_max_seconds: float | None = None,
        probe_lease_seconds: float | None = None,
        failures: Failures = Exception,
        failure_results: Callable[[Any], bool] | None = None,
    ) -> None:
        self._name = None
        self._options = CircuitBreakerOptions(
            failure_threshold=failure_threshold,
            hang_seconds=hang_seconds,
            recovery_timeout=recovery_timeout,
            recovery_growth=recovery_growth,
            recovery_max=recovery_max,
            half_open_max_concurrency=half_open_max_concurrency,
            half_open_successes=half_open_successes,
            half_open_max_seconds=half_open_max_seconds,
            probe_lease_seconds=probe_lease_seconds,
            failures=failures,
            failure_results=failure_results,
        )
        # Guards the machine and the cause. Never held across a call, a listener or another lock.
        self._lock = threading.Lock()
        self._machine = CircuitBreakerMachine(self._options)
        self._cause: Cause | None = None
        checked = checks.name_or_none("CircuitBreaker", name)
        if checked is not None:
            self.bind(checked)

    def bind(self, name: str) -> None:
        if self._name is None:
            self._name = name
            POLICIES.add(self.policy_type, name, self)

    @property
    def options(self) -> CircuitBreakerOptions:
        return self._options

    @property
    def state(self) -> BreakerState:
        """The state as it is; reading never changes it, so an open circuit stays open until a call tries it."""
        return self._machine.state

    def snapshot(self) -> Snapshot:
        """State and counts at this instant, consistent with one another."""
        now = clock.current().monotonic()
        with self._lock:
            machine = self._machine
            return Snapshot(
                machine.state,
                machine.failures,
                machine.successes,
                machine.generation,
                machine.retry_after(now),
            )

    def force_open(self) -> None:
        """Refuse every call until ``reset`` or ``force_closed``."""
        self._force(Signal.FORCE_OPEN)

    def force_closed(self) -> None:
        """Let every call pass, whatever it comes to, until ``reset`` or ``force_open``."""
        self._force(Signal.FORCE_CLOSED)

    def reset(self) -> None:
        """Close the circuit, forget what was counted, end forcing."""
        self._force(Signal.RESET)

    def flow(self, call: Call, proceed: Proceed) -> Flow:
        return guarded(self, call, proceed)

    def admit(self, call: Call) -> Admitted[Permit] | Refused:
        now, draw = call.clock.monotonic(), chance.draw()
        with self._lock:
            if call.breaker_state is None:
                call.breaker_state = self._machine.state
            decision, changes = self._machine.admit(now, draw)
            cause = self._cause
        self._announce(changes, cause)
        if isinstance(decision, Rejection):
            return self._refuse(decision, cause)
        call.patience = min(call.patience, self._options.hang_seconds)
        return Admitted(decision)

    def settle(self, call: Call, permit: Permit, ending: Ending) -> None:
        try:
            verdict = self._verdict(call, ending)
        except Exception:
            # A user's predicate. The permit must come back all the same, and a call that cannot be judged did not go well.
            _log.exception(
                "a predicate of circuit breaker %r raised; the call counts as a failure", self._name
            )
            verdict = Verdict.FAILURE
        reading = call.reading(ending.result)
        cause = _cause(reading) if verdict is Verdict.FAILURE else None
        now, draw = call.clock.monotonic(), chance.draw()
        with self._lock:
            changes = self._machine.settle(permit, verdict, now, draw, reading.retry_after)
            if any(change.state is BreakerState.OPEN for change in changes):
                self._cause = cause if cause is not None else self._cause
            cause = self._cause
        self._announce(changes, cause)

    def _verdict(self, call: Call, ending: Ending) -> Verdict:
        """The table of outcome and verdict, as a breaker reads it."""
        if call.late or (ending.begun and call.overdue() and not isinstance(ending.result, Failure)):
            return Verdict.FAILURE
        outcome = call.outcome_of(ending.result, begun=ending.begun, elapsed=ending.elapsed)
        if outcome is Outcome.TIMEOUT:
            return Verdict.FAILURE
        if outcome in (Outcome.CANCELLED, Outcome.REJECTED):
            return Verdict.IGNORED
        reading = call.reading(ending.result)
        if reading.verdict is not None:
            return reading.verdict
        if isinstance(ending.result, Failure):
            return Verdict.FAILURE if self._options.is_failure(ending.result.error) else Verdict.IGNORED
        judged = self._options.failure_results
        return Verdict.FAILURE if judged is not None and judged(ending.result.value) else Verdict.SUCCESS

    def _refuse(self, rejection: Rejection, cause: Cause | None) -> Refused:
        story = "" if cause is None else f", opened by {cause.code} of {cause.service}"
        error = CircuitOpenError(
            f"circuit {self._name!r} is {self._machine.state}{story}", retry_after=rejection.retry_after
        )
        error.cause = cause
        return Refused(error, rejection.refusal.value, cause)

    def _force(self, signal: Signal) -> None:
        with self._lock:
            changes = self._machine.force(signal)
            self._cause = None
        self._announce(changes, None)

    def _announce(self, changes: tuple[Change, ...], cause: Cause | None) -> None:
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
        return f"CircuitBreaker({self._name!r}, {self._options!r})"


def _cause(reading: Reading) -> Cause:
    """The root of a failure; of a result that was well but came too late, that it came too late."""
    failed = FailedCall.of(reading)
    return (failed if reading.failed else replace(failed, code=ServiceTimeoutError.error_code)).cause()
