"""When a circuit opens and closes: a pure machine, with time and chance as arguments.

Theory of operation. The breaker is in one state, and each stay in a state is a *generation*. Whoever is let pass gets a
permit of the present generation; a result that comes back under an earlier one says nothing of the present and is not counted.
In HALF_OPEN a permit is a *lease*: a probe that has not come back when its lease runs out counts as failed, so a probe
that never returns cannot hold the circuit. How many probes run at once and how many must succeed are separate limits.

OPEN ends at the first admitted call after the open time, never by somebody looking. Not thread-safe: the caller holds a lock.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, StrEnum

from otel_resilience.outcome import Verdict
from otel_resilience.policies.circuit_breaker.options import CircuitBreakerOptions

#: A hint of the server bounds the open time by this where no ``recovery_max`` does; seconds.
RETRY_AFTER_MAX = 30.0
#: The open time is lengthened by up to this share, so that many clients do not come back at once.
OPEN_TIME_SPREAD = 0.1


class BreakerState(StrEnum):
    """The states of a circuit breaker; the values of ``resilience.circuit_breaker.state``."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"
    FORCED_OPEN = "forced_open"
    FORCED_CLOSED = "forced_closed"


class Signal(StrEnum):
    """What may move a breaker from one state to another."""

    THRESHOLD_REACHED = "threshold_reached"
    RECOVERY_ELAPSED = "recovery_elapsed"
    PROBES_SUCCEEDED = "probes_succeeded"
    PROBE_FAILED = "probe_failed"
    PROBE_LEASE_EXPIRED = "probe_lease_expired"
    HALF_OPEN_EXPIRED = "half_open_expired"
    FORCE_OPEN = "force_open"
    FORCE_CLOSED = "force_closed"
    RESET = "reset"


_S, _G = BreakerState, Signal

#: What may follow. The documentation's diagram is drawn from this; a pair that is not listed cannot happen.
TRANSITIONS: Mapping[tuple[BreakerState, Signal], BreakerState] = {
    (_S.CLOSED, _G.THRESHOLD_REACHED): _S.OPEN,
    (_S.OPEN, _G.RECOVERY_ELAPSED): _S.HALF_OPEN,
    (_S.HALF_OPEN, _G.PROBES_SUCCEEDED): _S.CLOSED,
    (_S.HALF_OPEN, _G.PROBE_FAILED): _S.OPEN,
    (_S.HALF_OPEN, _G.PROBE_LEASE_EXPIRED): _S.OPEN,
    (_S.HALF_OPEN, _G.HALF_OPEN_EXPIRED): _S.OPEN,
    **{(state, _G.FORCE_OPEN): _S.FORCED_OPEN for state in _S if state is not _S.FORCED_OPEN},
    **{(state, _G.FORCE_CLOSED): _S.FORCED_CLOSED for state in _S if state is not _S.FORCED_CLOSED},
    **{(state, _G.RESET): _S.CLOSED for state in _S if state is not _S.CLOSED},
}


@dataclass(frozen=True, slots=True)
class Permit:
    """Leave to make one call in ``generation``; a probe's lease ends at ``lease_until``."""

    generation: int
    serial: int
    lease_until: float | None = None


@dataclass(frozen=True, slots=True)
class Change:
    """One transition that has just been made."""

    previous: BreakerState
    state: BreakerState
    signal: Signal


class Refusal(Enum):
    """Why a call may not pass."""

    CIRCUIT_OPEN = "circuit_open"
    HALF_OPEN_LIMIT = "half_open_limit"


@dataclass(frozen=True, slots=True)
class Rejection:
    """A call may not pass; ``retry_after`` in seconds, ``None`` where nobody knows."""

    refusal: Refusal
    retry_after: float | None


class CircuitBreakerMachine:
    """One breaker's state. ``admit`` and ``settle`` return what changed, in order, for the caller to announce."""

    __slots__ = (
        "_failures",
        "_generation",
        "_half_open_until",
        "_open_until",
        "_openings",
        "_options",
        "_probe_successes",
        "_probes",
        "_serial",
        "_successes",
        "state",
    )

    def __init__(self, options: CircuitBreakerOptions) -> None:
        self._options = options
        self.state = BreakerState.CLOSED
        self._generation = 0
        self._serial = 0
        self._failures = 0  # in a row
        self._successes = 0  # since the circuit closed
        self._openings = 0  # in a row, without a recovery between them
        self._open_until = 0.0
        self._half_open_until: float | None = None
        self._probes: dict[int, float] = {}  # serial of a running probe -> end of its lease
        self._probe_successes = 0

    @property
    def generation(self) -> int:
        return self._generation

    @property
    def failures(self) -> int:
        """Failures in a row."""
        return self._failures

    @property
    def successes(self) -> int:
        """Successes in this stay in CLOSED, or of probes in this stay in HALF_OPEN."""
        return self._probe_successes if self.state is BreakerState.HALF_OPEN else self._successes

    def retry_after(self, now: float) -> float | None:
        """Seconds until a probe may be made, while OPEN."""
        return max(0.0, self._open_until - now) if self.state is BreakerState.OPEN else None

    def admit(self, now: float, draw: float) -> tuple[Permit | Rejection, tuple[Change, ...]]:
        """Whether a call may pass at ``now``. ``draw`` in [0, 1) spreads the open time should this reopen."""
        changes = self._expire(now, draw)
        if self.state is BreakerState.OPEN and now >= self._open_until:
            changes += (self._move(Signal.RECOVERY_ELAPSED),)
            longest = self._options.half_open_max_seconds
            self._half_open_until = None if longest is None else now + longest
        if self.state is BreakerState.OPEN or self.state is BreakerState.FORCED_OPEN:
            return Rejection(Refusal.CIRCUIT_OPEN, self.retry_after(now)), changes
        if self.state is not BreakerState.HALF_OPEN:
            return self._permit(None), changes
        if len(self._probes) >= self._options.half_open_max_concurrency:
            return Rejection(Refusal.HALF_OPEN_LIMIT, self._next_lease_end(now)), changes
        permit = self._permit(now + self._options.lease)
        self._probes[permit.serial] = now + self._options.lease
        return permit, changes

    def settle(
        self, permit: Permit, verdict: Verdict, now: float, draw: float, retry_after: float | None = None
    ) -> tuple[Change, ...]:
        """Learn how an admitted call ended. ``retry_after``: the server's own hint in seconds."""
        changes = self._expire(now, draw)
        if permit.generation != self._generation:
            return changes
        if self.state is BreakerState.HALF_OPEN:
            if self._probes.pop(permit.serial, None) is None:
                return changes
            return changes + self._settle_probe(verdict, now, draw, retry_after)
        if self.state is BreakerState.CLOSED:
            return changes + self._settle_closed(verdict, now, draw, retry_after)
        return changes

    def force(self, signal: Signal) -> tuple[Change, ...]:
        """Obey a human: FORCE_OPEN, FORCE_CLOSED or RESET. Nothing changes where it is so already."""
        if signal is Signal.RESET:
            self._openings = 0
        if (self.state, signal) not in TRANSITIONS:
            self._clear()
            return ()
        return (self._move(signal),)

    def _settle_closed(
        self, verdict: Verdict, now: float, draw: float, retry_after: float | None
    ) -> tuple[Change, ...]:
        if verdict is Verdict.SUCCESS:
            self._failures = 0
            self._successes += 1
        elif verdict is Verdict.FAILURE:
            self._failures += 1
            if self._failures >= self._options.failure_threshold:
                return (self._open(Signal.THRESHOLD_REACHED, now, draw, retry_after),)
        return ()

    def _settle_probe(
        self, verdict: Verdict, now: float, draw: float, retry_after: float | None
    ) -> tuple[Change, ...]:
        if verdict is Verdict.FAILURE:
            return (self._open(Signal.PROBE_FAILED, now, draw, retry_after),)
        if verdict is Verdict.SUCCESS:
            self._probe_successes += 1
            if self._probe_successes >= self._options.half_open_successes:
                self._openings = 0
                return (self._move(Signal.PROBES_SUCCEEDED),)
        return ()

    def _expire(self, now: float, draw: float) -> tuple[Change, ...]:
        if self.state is not BreakerState.HALF_OPEN:
            return ()
        if any(now >= lease_until for lease_until in self._probes.values()):
            return (self._open(Signal.PROBE_LEASE_EXPIRED, now, draw, None),)
        if self._half_open_until is not None and now >= self._half_open_until:
            return (self._open(Signal.HALF_OPEN_EXPIRED, now, draw, None),)
        return ()

    def _open(self, signal: Signal, now: float, draw: float, retry_after: float | None) -> Change:
        options = self._options
        longest = options.recovery_max
        # Growth is bounded before it is computed: growth ** openings leaves the range of a float after long outages.
        exponent = min(self._openings, 1000) if options.recovery_growth > 1.0 else 0
        try:
            seconds = options.recovery_timeout * options.recovery_growth**exponent
        except OverflowError:
            seconds = longest if longest is not None else options.recovery_timeout
        hint = (
            0.0 if retry_after is None else min(retry_after, RETRY_AFTER_MAX if longest is None else longest)
        )
        seconds = max(seconds, hint) * (1.0 + OPEN_TIME_SPREAD * draw)
        self._open_until = now + (seconds if longest is None else min(seconds, longest))
        self._openings += 1
        failures = self._failures
        change = self._move(signal)
        self._failures = failures  # what opened it stays readable while it is open
        return change

    def _move(self, signal: Signal) -> Change:
        previous = self.state
        self.state = TRANSITIONS[previous, signal]
        self._generation += 1
        self._clear()
        return Change(previous, self.state, signal)

    def _clear(self) -> None:
        self._failures = self._successes = self._probe_successes = 0
        self._probes.clear()
        self._half_open_until = None

    def _permit(self, lease_until: float | None) -> Permit:
        self._serial += 1
        return Permit(self._generation, self._serial, lease_until)

    def _next_lease_end(self, now: float) -> float:
        return max(0.0, min(self._probes.values()) - now)
