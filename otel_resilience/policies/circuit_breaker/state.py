"""When a circuit opens and closes: a pure machine, with time and chance as arguments.

Theory of operation. The breaker is in one state, and each stay in a state is a *generation*. Whoever is let
pass gets a permit of the present generation; a result that comes back under an earlier one says nothing of
the present and is not counted. In HALF_OPEN a permit is a *lease*: a probe that has not come back when its
lease runs out counts as failed, so a probe that never returns cannot hold the circuit. How many probes run at
once and how many must succeed are separate limits.

What ended while the circuit was closed is in a window, which stays readable while the circuit is open and is
emptied when it closes. OPEN ends at the first admitted call after the open time, never by somebody looking.
After a recovery a ramp may let calls return by degrees; it ends by time alone. Not thread-safe: the caller
holds a lock.
"""

from __future__ import annotations

from otel_resilience.outcome import Verdict
from otel_resilience.policies.circuit_breaker.options import CircuitBreakerOptions
from otel_resilience.policies.circuit_breaker.permit import Permit, Refusal, Rejection
from otel_resilience.policies.circuit_breaker.recovery import open_seconds, passes_ramp
from otel_resilience.policies.circuit_breaker.transitions import TRANSITIONS, BreakerState, Change, Signal
from otel_resilience.windows.call_window import call_window
from otel_resilience.windows.tally import Tally

__all__ = [
    "TRANSITIONS",
    "BreakerState",
    "Change",
    "CircuitBreakerMachine",
    "Permit",
    "Refusal",
    "Rejection",
    "Signal",
]

_FORCED = frozenset({BreakerState.FORCED_OPEN, BreakerState.FORCED_CLOSED})
_COUNTING = frozenset({BreakerState.CLOSED, BreakerState.FORCED_CLOSED})
#: Those that begin with an empty window: what was counted before says nothing of them.
_AFRESH = frozenset({BreakerState.CLOSED, BreakerState.FORCED_CLOSED, BreakerState.FORCED_OPEN})


class CircuitBreakerMachine:
    """One breaker's state. ``admit`` and ``settle`` return what changed, in order, for the caller to announce."""

    __slots__ = (
        "_failures",
        "_generation",
        "_half_open_until",
        "_hint_until",
        "_open_until",
        "_openings",
        "_options",
        "_probe_successes",
        "_probes",
        "_ramp_until",
        "_serial",
        "_successes",
        "_window",
        "state",
    )

    def __init__(self, options: CircuitBreakerOptions, generation: int = 0) -> None:
        self._options = options
        self.state = BreakerState.CLOSED
        self._generation = generation
        self._serial = 0
        self._failures = 0  # in a row
        self._successes = 0  # since the circuit closed
        self._openings = 0  # in a row, without a recovery between them
        self._open_until = 0.0  # of the last opening
        self._half_open_until: float | None = None
        self._hint_until: float | None = None  # until when the last failure's server wants no calls
        self._ramp_until: float | None = None
        self._probes: dict[int, float] = {}  # serial of a running probe -> end of its lease
        self._probe_successes = 0
        self._window = call_window(options.window_calls, options.window_seconds)

    def successor(self) -> CircuitBreakerMachine:
        """A new machine for a copy of this process: no permit of this one counts there, what a human forces stays forced."""
        new = CircuitBreakerMachine(self._options, self._generation + 1)
        if self.state in _FORCED:
            new.state = self.state
        return new

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

    def tally(self, now: float) -> Tally:
        """What is in the window: of this stay in CLOSED, or of the one before the circuit opened."""
        return self._window.tally(now)

    def retry_after(self, now: float) -> float | None:
        """Seconds until a probe may be made, while OPEN."""
        return max(0.0, self._open_until - now) if self.state is BreakerState.OPEN else None

    def is_idle(self, now: float) -> bool:
        """Whether a new breaker would do as well: nothing is decided, nothing is waited for."""
        if self.state is BreakerState.OPEN:
            return now >= self._open_until
        if self.state is BreakerState.HALF_OPEN:
            return all(now >= lease_until for lease_until in self._probes.values())
        return self.state is BreakerState.CLOSED

    def is_probing(self, permit: Permit) -> bool:
        """Whether ``permit`` is that of a probe that has not come back, and may still."""
        return permit.generation == self._generation and permit.serial in self._probes

    def admit(self, now: float, draw: float) -> tuple[Permit | Rejection, tuple[Change, ...]]:
        """Whether a call may pass at ``now``.

        ``draw`` in [0, 1) spreads the open time should this reopen, and the ramp.
        """
        changes = self._expire(now, draw)
        if self.state is BreakerState.OPEN and now >= self._open_until:
            changes += (self._move(Signal.RECOVERY_ELAPSED),)
            longest = self._options.half_open_max_seconds
            self._half_open_until = None if longest is None else now + longest
        if self.state is BreakerState.OPEN or self.state is BreakerState.FORCED_OPEN:
            return Rejection(Refusal.CIRCUIT_OPEN, self.retry_after(now)), changes
        if self.state is BreakerState.HALF_OPEN:
            return self._admit_probe(now), changes
        if self._ramp_until is not None and (held_back := self._held_back(self._ramp_until - now, draw)):
            return held_back, changes
        return self._permit(None), changes

    def settle(
        self,
        permit: Permit,
        verdict: Verdict,
        now: float,
        draw: float,
        retry_after: float | None = None,
        *,
        slow: bool = False,
    ) -> tuple[Change, ...]:
        """Learn how an admitted call ended.

        ``retry_after``: the server's own hint in seconds. ``slow``: it took its time.
        """
        changes = self._expire(now, draw)
        if permit.generation != self._generation:
            return changes
        if self.state is BreakerState.HALF_OPEN and self._probes.pop(permit.serial, None) is None:
            return changes
        if verdict is Verdict.IGNORED:
            return changes
        if verdict is Verdict.FAILURE:
            self._hint_until = None if retry_after is None else now + retry_after
        if self.state is BreakerState.HALF_OPEN:
            signal = self._judge_probe(verdict, slow)
        elif self.state in _COUNTING:
            self._count(verdict, now, slow)
            signal = self._judge(now)
        else:
            signal = None
        if signal is None:
            return changes
        if signal is Signal.PROBES_SUCCEEDED:
            return (*changes, self._close(now))
        return (*changes, self._open(signal, now, draw))

    def force(self, signal: Signal) -> tuple[Change, ...]:
        """Obey a human: FORCE_OPEN, FORCE_CLOSED or RESET. Nothing changes where it is so already."""
        self._openings = 0
        if (self.state, signal) not in TRANSITIONS:
            self._clear()
            self._window.clear()
            return ()
        return (self._move(signal),)

    def _admit_probe(self, now: float) -> Permit | Rejection:
        if len(self._probes) >= self._options.half_open_max_concurrency:
            # No lease is over: those that were have opened the circuit.
            return Rejection(Refusal.HALF_OPEN_LIMIT, min(self._probes.values()) - now)
        permit = self._permit(now + self._options.lease)
        self._probes[permit.serial] = now + self._options.lease
        return permit

    def _held_back(self, left: float, draw: float) -> Rejection | None:
        if left <= 0.0:
            self._ramp_until = None
            return None
        if passes_ramp(left, self._options.ramp_seconds, draw):
            return None
        return Rejection(Refusal.HALF_OPEN_LIMIT, left)

    def _count(self, verdict: Verdict, now: float, slow: bool) -> None:
        failed = verdict is Verdict.FAILURE
        if failed:
            self._failures += 1
        else:
            self._failures = 0
            self._successes += 1
        self._window.add(now, failed=failed, slow=slow)

    def _judge(self, now: float) -> Signal | None:
        """What the calls so far come to; the rates are judged after every one, successes too."""
        options = self._options
        if self.state is not BreakerState.CLOSED:
            return None
        if options.failure_threshold is not None and self._failures >= options.failure_threshold:
            return Signal.THRESHOLD_REACHED
        tally = self._window.tally(now)
        if tally.calls < options.minimum:
            return None
        if options.failure_rate is not None and tally.failure_ratio >= options.failure_rate:
            return Signal.FAILURE_RATE_REACHED
        if options.slow_call_rate is not None and tally.slow_ratio >= options.slow_call_rate:
            return Signal.SLOW_CALL_RATE_REACHED
        return None

    def _judge_probe(self, verdict: Verdict, slow: bool) -> Signal | None:
        # Where slowness opens the circuit, a slow probe is no proof of recovery.
        if verdict is Verdict.FAILURE or (slow and self._options.slow_call_rate is not None):
            return Signal.PROBE_FAILED
        self._probe_successes += 1
        enough = self._probe_successes >= self._options.half_open_successes
        return Signal.PROBES_SUCCEEDED if enough else None

    def _expire(self, now: float, draw: float) -> tuple[Change, ...]:
        if self.state is not BreakerState.HALF_OPEN:
            return ()
        if any(now >= lease_until for lease_until in self._probes.values()):
            return (self._open(Signal.PROBE_LEASE_EXPIRED, now, draw),)
        if self._half_open_until is not None and now >= self._half_open_until:
            return (self._open(Signal.HALF_OPEN_EXPIRED, now, draw),)
        return ()

    def _open(self, signal: Signal, now: float, draw: float) -> Change:
        hint = None if self._hint_until is None else self._hint_until - now
        seconds = open_seconds(self._options, openings=self._openings, hint=hint, draw=draw)
        self._open_until = now + seconds
        self._openings += 1
        failures = self._failures
        change = self._move(signal)
        self._failures = failures  # what opened it stays readable while it is open
        return change

    def _close(self, now: float) -> Change:
        self._openings = 0
        change = self._move(Signal.PROBES_SUCCEEDED)
        if self._options.ramp_seconds > 0.0:
            self._ramp_until = now + self._options.ramp_seconds
        return change

    def _move(self, signal: Signal) -> Change:
        previous = self.state
        self.state = TRANSITIONS[previous, signal]
        self._generation += 1
        self._clear()
        if self.state in _AFRESH:
            self._window.clear()
        return Change(previous, self.state, signal)

    def _clear(self) -> None:
        self._failures = self._successes = self._probe_successes = 0
        self._probes.clear()
        self._half_open_until = self._hint_until = self._ramp_until = None

    def _permit(self, lease_until: float | None) -> Permit:
        self._serial += 1
        return Permit(self._generation, self._serial, lease_until)
