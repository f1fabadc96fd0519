"""Every history of a few callers with a few breakers: states, the steps that lead on from them, and what must hold in all of them.

States that nothing can tell apart are one state: time counts from now, permits by whether they still count. So a search over all interleavings
ends by itself, for one breaker and for two.
"""

from __future__ import annotations

import copy
from collections import deque
from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass, replace

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

#: A permit in hand: whose breaker's it is. The place of a caller without one is ``None``.
Held = tuple[int, Permit]
_EXPIRIES = {Signal.PROBE_LEASE_EXPIRED, Signal.HALF_OPEN_EXPIRED}


@dataclass(frozen=True)
class World:
    """Breakers, what each caller holds, and the time. ``lost``: permits of probes that never return."""

    machines: tuple[CircuitBreakerMachine, ...]
    callers: tuple[Held | None, ...]
    lost: tuple[Held, ...] = ()
    now: float = 1000.0

    def key(self) -> Hashable:
        """What tells this world from another one."""
        # Callers are alike: who of them holds what makes no difference.
        held = tuple(sorted(map(str, map(self._place_of, self.callers))))
        return tuple(map(self._key_of, self.machines)), held, self._lost()

    def _key_of(self, machine: CircuitBreakerMachine) -> Hashable:
        def left(instant: float | None) -> float | None:
            return None if instant is None else max(0.0, instant - self.now)

        window = machine._window
        return (
            machine.state,
            # A row of failures means something to a threshold alone.
            machine._failures
            if machine.state is BreakerState.CLOSED and self._has_threshold(machine)
            else None,
            machine._probe_successes,
            left(machine._open_until) if machine.state is BreakerState.OPEN else None,
            left(machine._half_open_until),
            left(machine._ramp_until),
            tuple(sorted(left(lease) or 0.0 for lease in machine._probes.values())),
            tuple(bytes(window._kinds[window._oldest :] + window._kinds[: window._oldest])),  # type: ignore[attr-defined]  # of calls alone
            window.tally(self.now),
        )

    @staticmethod
    def _has_threshold(machine: CircuitBreakerMachine) -> bool:
        return machine._options.failure_threshold is not None

    def _place_of(self, held: Held | None) -> Hashable:
        if held is None:
            return None
        at, permit = held
        lease = self.machines[at]._probes.get(permit.serial) if self.counts(held) else None
        return at, self.counts(held), None if lease is None else max(0.0, lease - self.now)

    def _lost(self) -> Hashable:
        return tuple(
            sorted(
                str(self._place_of(held)) for held in self.lost if self.counts(held) and held[1].lease_until
            )
        )

    def counts(self, held: Held) -> bool:
        """Whether the permit is one of the present generation."""
        return held[1].generation == self.machines[held[0]].generation

    def with_own(self, at: int) -> tuple[World, CircuitBreakerMachine]:
        """A copy in which one machine may be changed."""
        own = copied(self.machines[at])
        machines = (*self.machines[:at], own, *self.machines[at + 1 :])
        return replace(self, machines=machines), own

    def holding(self, caller: int, held: Held | None) -> World:
        return replace(self, callers=(*self.callers[:caller], held, *self.callers[caller + 1 :]))


def copied(machine: CircuitBreakerMachine) -> CircuitBreakerMachine:
    """The same again, sharing nothing that changes."""
    other = copy.copy(machine)
    other._probes = dict(machine._probes)
    other._window = copy.copy(machine._window)
    other._window._kinds = bytearray(machine._window._kinds)  # type: ignore[attr-defined]  # of calls alone
    return other


@dataclass(frozen=True)
class Explorer:
    """Steps from a world, each checked as it is made. ``waits``: what may pass at a time, in seconds."""

    options: CircuitBreakerOptions
    waits: tuple[float, ...]
    draws: tuple[float, ...] = (0.0,)
    machine: type[CircuitBreakerMachine] = CircuitBreakerMachine

    def begin(self, breakers: int, callers: int) -> World:
        machines = tuple(self.machine(self.options) for _ in range(breakers))
        return World(machines, (None,) * callers)

    def explore(self, world: World, depth: int, visit: Callable[[World], None]) -> tuple[int, int]:
        """Every world within ``depth`` steps: how many there are, and how many steps deep the last new one was."""
        seen = {world.key()}
        rim = deque([(world, 0)])
        deepest = 0
        while rim:
            world, steps = rim.popleft()
            visit(world)
            deepest = steps
            if steps < depth:
                for following in self.steps(world):
                    key = following.key()
                    if key not in seen:
                        seen.add(key)
                        rim.append((following, steps + 1))
        return len(seen), deepest

    def steps(self, world: World) -> Iterator[World]:
        for caller, held in enumerate(world.callers):
            if held is None:
                for at in range(len(world.machines)):
                    yield from (self._admit(world, caller, at, draw) for draw in self.draws)
            else:
                for verdict in Verdict:
                    yield from (self._settle(world, caller, held, verdict, draw) for draw in self.draws[:1])
                yield replace(world.holding(caller, None), lost=(*world.lost, held))
        yield from (replace(world, now=world.now + seconds) for seconds in self.waits)
        for at in range(len(world.machines)):
            for signal in (Signal.FORCE_OPEN, Signal.FORCE_CLOSED, Signal.RESET):
                yield self._force(world, at, signal)

    def _admit(self, world: World, caller: int, at: int, draw: float) -> World:
        after, machine = world.with_own(at)
        decision, changes = machine.admit(world.now, draw)
        self._follow(world, at, machine, changes)
        if isinstance(decision, Permit):
            assert decision.generation == machine.generation
            assert (decision.lease_until is None) is (machine.state is not BreakerState.HALF_OPEN)
            return after.holding(caller, (at, decision))
        if machine.state is BreakerState.HALF_OPEN:
            assert decision.refusal is Refusal.HALF_OPEN_LIMIT
            assert len(machine._probes) == self.options.half_open_max_concurrency
        elif machine.state is BreakerState.CLOSED:
            assert decision.refusal is Refusal.HALF_OPEN_LIMIT
            assert machine._ramp_until is not None
        else:
            assert decision.refusal is Refusal.CIRCUIT_OPEN
            assert machine.state in (BreakerState.OPEN, BreakerState.FORCED_OPEN)
        return after

    def _settle(self, world: World, caller: int, held: Held, verdict: Verdict, draw: float) -> World:
        at, permit = held
        after, machine = world.with_own(at)
        changes = machine.settle(permit, verdict, world.now, draw)
        self._follow(world, at, machine, changes)
        if not world.counts(held):
            assert {change.signal for change in changes} <= _EXPIRIES
            assert machine.tally(world.now) == world.machines[at].tally(world.now)
        if verdict is Verdict.IGNORED:
            assert {change.signal for change in changes} <= _EXPIRIES
        return after.holding(caller, None)

    def _force(self, world: World, at: int, signal: Signal) -> World:
        after, machine = world.with_own(at)
        self._follow(world, at, machine, machine.force(signal))
        expected = {
            Signal.FORCE_OPEN: BreakerState.FORCED_OPEN,
            Signal.FORCE_CLOSED: BreakerState.FORCED_CLOSED,
            Signal.RESET: BreakerState.CLOSED,
        }
        assert machine.state is expected[signal]
        return after

    def _follow(
        self, before: World, at: int, machine: CircuitBreakerMachine, changes: tuple[Change, ...]
    ) -> None:
        state = before.machines[at].state
        for change in changes:
            assert change.previous is state
            assert TRANSITIONS[state, change.signal] is change.state
            state = change.state
        assert machine.state is state
        assert machine.generation == before.machines[at].generation + len(changes)


def check(world: World) -> None:
    """What holds in every world."""
    for at, machine in enumerate(world.machines):
        options = machine._options
        assert len(machine._probes) <= options.half_open_max_concurrency
        # No permit is lost: who holds a place in the half-open circuit is a caller, or one that never returns.
        holders = [
            held[1].serial
            for held in (*world.callers, *world.lost)
            if held is not None and held[0] == at and world.counts(held) and held[1].lease_until is not None
        ]
        assert sorted(holders) == sorted(machine._probes)
        before = world.key()
        machine.retry_after(world.now), machine.is_idle(world.now), machine.tally(world.now)
        assert world.key() == before
        _leads_back_to_closed(copied(machine), world.now)


def _leads_back_to_closed(machine: CircuitBreakerMachine, now: float) -> None:
    """Nobody who is inside ever comes back; time and healthy calls must do, and a human's word where a human forced it."""
    if machine.state in (BreakerState.FORCED_OPEN, BreakerState.FORCED_CLOSED):
        machine.force(Signal.RESET)
    options = machine._options
    for _ in range(options.half_open_successes + 4):
        if machine.state is BreakerState.CLOSED:
            break
        decision, _ = machine.admit(now, 0.0)
        if isinstance(decision, Permit):
            machine.settle(decision, Verdict.SUCCESS, now, 0.0)
        else:
            now += max(decision.retry_after or 0.0, 0.001)
    assert machine.state is BreakerState.CLOSED
    now += options.ramp_seconds
    assert isinstance(machine.admit(now, 0.999)[0], Permit)
