"""What opened a circuit, remembered for those who are turned away."""

from __future__ import annotations

from dataclasses import replace

from otel_resilience.errors.failed_call import FailedCall
from otel_resilience.errors.reading import Reading
from otel_resilience.events import Cause
from otel_resilience.exceptions import ServiceTimeoutError
from otel_resilience.policies.circuit_breaker.transitions import BreakerState, Change, Signal


class Causes:
    """The last failure of this stay in a state, and the one that opened the circuit. Not thread-safe."""

    __slots__ = ("_last_failure", "opened")

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        """Know of no failure."""
        self.opened: Cause | None = None
        self._last_failure: Cause | None = None

    def note(self, changes: tuple[Change, ...], failure: Cause | None) -> Cause | None:
        """Learn of ``failure`` and of what it changed, if anything; answer with what opened the circuit."""
        self._last_failure = failure or self._last_failure
        for change in changes:
            if change.state is BreakerState.OPEN:
                # A success too can be the call that makes the share of failures known; slow calls need no failure at all.
                slowness = change.signal is Signal.SLOW_CALL_RATE_REACHED
                self.opened = failure if slowness else (self._last_failure or self.opened)
            elif change.state is BreakerState.CLOSED:
                self.opened = None
            self._last_failure = None
        return self.opened


def cause_of(reading: Reading) -> Cause:
    """The root of a failure; of a result that was well but came too late, that it came too late."""
    failed = FailedCall.of(reading)
    return (failed if reading.failed else replace(failed, code=ServiceTimeoutError.error_code)).cause()
