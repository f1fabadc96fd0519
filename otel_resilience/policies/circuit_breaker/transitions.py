"""The states of a circuit breaker and what may follow what, as data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


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
    FAILURE_RATE_REACHED = "failure_rate_reached"
    SLOW_CALL_RATE_REACHED = "slow_call_rate_reached"
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
    (_S.CLOSED, _G.FAILURE_RATE_REACHED): _S.OPEN,
    (_S.CLOSED, _G.SLOW_CALL_RATE_REACHED): _S.OPEN,
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
class Change:
    """One transition that has just been made."""

    previous: BreakerState
    state: BreakerState
    signal: Signal
