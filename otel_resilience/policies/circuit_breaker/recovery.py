"""How long a circuit stays open, and how traffic returns after it."""

from __future__ import annotations

from otel_resilience.policies.circuit_breaker.options import CircuitBreakerOptions

#: A hint of the server bounds the open time by this where no ``recovery_max`` does; seconds.
RETRY_AFTER_MAX = 30.0
#: The open time is lengthened by up to this share, so that many clients do not come back at once.
OPEN_TIME_SPREAD = 0.1
#: What growth without a ``recovery_max`` comes to at most: a year. Beyond it there is only a float that overflows.
LONGEST_OPEN = 31_536_000.0
#: The share of calls that a ramp lets pass from its first instant on.
RAMP_FLOOR = 0.1


def open_seconds(options: CircuitBreakerOptions, *, openings: int, hint: float | None, draw: float) -> float:
    """For how long to open after ``openings`` earlier ones in a row, the server's ``hint`` in seconds, ``draw`` in [0, 1)."""
    longest = options.recovery_max
    try:
        seconds = min(options.recovery_timeout * options.recovery_growth**openings, LONGEST_OPEN)
    except OverflowError:
        seconds = LONGEST_OPEN
    # Growth is bounded, what was asked for is not.
    seconds = max(seconds, options.recovery_timeout)
    if hint is not None:
        seconds = max(seconds, min(hint, RETRY_AFTER_MAX if longest is None else longest))
    seconds *= 1.0 + OPEN_TIME_SPREAD * draw
    return seconds if longest is None else min(seconds, longest)


def passes_ramp(left: float, ramp_seconds: float, draw: float) -> bool:
    """Whether a call may pass with ``left`` seconds of the ramp to go; the share of those that do grows evenly."""
    return draw < max(RAMP_FLOOR, 1.0 - left / ramp_seconds)
