"""The machine against what must always hold, under any history that hypothesis can think of."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, rule

from otel_resilience.outcome import Verdict
from otel_resilience.policies.circuit_breaker.options import CircuitBreakerOptions
from otel_resilience.policies.circuit_breaker.state import (
    TRANSITIONS,
    BreakerState,
    Change,
    CircuitBreakerMachine,
    Permit,
    Refusal,
    Signal,
)

OPTIONS = CircuitBreakerOptions(
    failure_threshold=2,
    recovery_timeout=10.0,
    hang_seconds=4.0,
    half_open_max_concurrency=2,
    half_open_successes=2,
    half_open_max_seconds=20.0,
)


class BreakerHistories(RuleBasedStateMachine):
    permits: Bundle[Permit] = Bundle("permits")

    def __init__(self) -> None:
        super().__init__()
        self.machine = CircuitBreakerMachine(OPTIONS)
        self.now = 0.0
        self.probes: dict[int, float] = {}  # running probes of this half-open, and the ends of their leases
        self.generations = 0

    def follow(self, before: BreakerState, changes: tuple[Change, ...]) -> None:
        for change in changes:
            assert change.previous is before
            assert TRANSITIONS[before, change.signal] is change.state
            before = change.state
            self.generations += 1
            self.probes.clear()
        assert self.machine.state is before
        assert self.machine.generation == self.generations

    @rule(target=permits, draw=st.floats(0, 0.99))
    def admit(self, draw: float) -> Permit:
        before = self.machine.state
        decision, changes = self.machine.admit(self.now, draw)
        self.follow(before, changes)
        if isinstance(decision, Permit):
            assert self.machine.state in (
                BreakerState.CLOSED,
                BreakerState.HALF_OPEN,
                BreakerState.FORCED_CLOSED,
            )
            if self.machine.state is BreakerState.HALF_OPEN:
                self.probes[decision.serial] = self.now + OPTIONS.lease
            return decision
        expected = (
            Refusal.HALF_OPEN_LIMIT if self.machine.state is BreakerState.HALF_OPEN else Refusal.CIRCUIT_OPEN
        )
        assert decision.refusal is expected
        return Permit(-1, -1)

    @rule(permit=consumes(permits), verdict=st.sampled_from(Verdict), hint=st.none() | st.floats(0, 100))
    def settle(self, permit: Permit, verdict: Verdict, hint: float | None) -> None:
        before, generation = self.machine.state, self.machine.generation
        changes = self.machine.settle(permit, verdict, self.now, 0.5, hint)
        self.probes.pop(permit.serial, None)
        if permit.generation != generation:
            assert all(
                change.signal in (Signal.PROBE_LEASE_EXPIRED, Signal.HALF_OPEN_EXPIRED) for change in changes
            )
        self.follow(before, changes)

    @rule(seconds=st.floats(0, 40))
    def wait(self, seconds: float) -> None:
        self.now += seconds

    @rule(signal=st.sampled_from([Signal.FORCE_OPEN, Signal.FORCE_CLOSED, Signal.RESET]))
    def force(self, signal: Signal) -> None:
        before = self.machine.state
        self.follow(before, self.machine.force(signal))

    @invariant()
    def never_more_probes_than_permitted(self) -> None:
        assert len(self.probes) <= OPTIONS.half_open_max_concurrency

    @invariant()
    def no_history_can_wedge_it(self) -> None:
        """From every reachable state, time and healthy calls alone lead back to CLOSED, unless a human forced it."""
        if self.machine.state is BreakerState.OPEN:
            left = self.machine.retry_after(self.now)
            assert left is not None
            assert left <= OPTIONS.recovery_timeout * 3.3 + 1e-6


TestBreakerHistories = BreakerHistories.TestCase
TestBreakerHistories.settings = settings(max_examples=200, stateful_step_count=40, deadline=None)
