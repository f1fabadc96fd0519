"""What a circuit breaker can be told, checked at birth."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from otel_resilience.policies import checks
from otel_resilience.policies.conditions import Errors, checked_errors

_POLICY = "CircuitBreaker"

_OPTIONAL_SECONDS = (
    "window_seconds",
    "slow_call_seconds",
    "recovery_max",
    "half_open_max_seconds",
    "probe_lease_seconds",
)

#: How many failures in a row open a circuit for which no other rule is given.
_THRESHOLD = 5
#: How many calls a window holds for which no time is given.
_WINDOW_CALLS = 100
#: How many calls must be in a window before it is judged, where the window is not smaller.
_MINIMUM_CALLS = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class CircuitBreakerOptions:
    """All durations are seconds. See ``CircuitBreaker`` for what each one means.

    What is not given is filled in where it has a default: a value reads as it is in force, ``None`` means
    that there is no such rule.
    """

    failure_threshold: int | None = None
    failure_rate: float | None = None
    window_calls: int | None = None
    window_seconds: float | None = None
    minimum_calls: int | None = None
    slow_call_seconds: float | None = None
    slow_call_rate: float | None = None
    hang_seconds: float = 10.0
    recovery_timeout: float = 30.0
    recovery_growth: float = 1.0
    recovery_max: float | None = None
    half_open_max_concurrency: int = 1
    half_open_successes: int = 1
    half_open_max_seconds: float | None = None
    probe_lease_seconds: float | None = None
    ramp_seconds: float = 0.0
    failures: Errors = Exception
    failure_results: Callable[[Any], bool] | None = None

    def __post_init__(self) -> None:
        self._check_each()
        self._fill_in()
        self._check_together()

    def _check_each(self) -> None:
        for field in ("half_open_max_concurrency", "half_open_successes"):
            checks.at_least(_POLICY, field, getattr(self, field), 1)
        for field in ("failure_threshold", "window_calls", "minimum_calls"):
            if getattr(self, field) is not None:
                checks.at_least(_POLICY, field, getattr(self, field), 1)
        for field in ("failure_rate", "slow_call_rate"):
            if getattr(self, field) is not None:
                checks.share(_POLICY, field, getattr(self, field))
        for field in ("hang_seconds", "recovery_timeout"):
            checks.positive_seconds(_POLICY, field, getattr(self, field))
        for field in _OPTIONAL_SECONDS:
            if getattr(self, field) is not None:
                checks.positive_seconds(_POLICY, field, getattr(self, field))
        checks.number_at_least(_POLICY, "recovery_growth", self.recovery_growth, 1.0)
        checks.seconds_or_zero(_POLICY, "ramp_seconds", self.ramp_seconds)
        checked_errors(_POLICY, "failures", self.failures)
        if self.failure_results is not None and not callable(self.failure_results):
            raise checks.fault(_POLICY, "failure_results", self.failure_results, "a predicate on results")

    def _fill_in(self) -> None:
        if self.failure_threshold is None and self.failure_rate is None and self.slow_call_rate is None:
            object.__setattr__(self, "failure_threshold", _THRESHOLD)
        if self.window_calls is None and self.window_seconds is None:
            object.__setattr__(self, "window_calls", _WINDOW_CALLS)
        if self.minimum_calls is None:
            object.__setattr__(
                self, "minimum_calls", min(_MINIMUM_CALLS, self.window_calls or _MINIMUM_CALLS)
            )

    def _check_together(self) -> None:
        if self.recovery_max is not None and self.recovery_max < self.recovery_timeout:
            rule = f">= recovery_timeout ({self.recovery_timeout:g})"
            raise checks.fault(_POLICY, "recovery_max", self.recovery_max, rule)
        if self.window_calls is not None and self.minimum > self.window_calls:
            rule = f"<= window_calls ({self.window_calls})"
            raise checks.fault(_POLICY, "minimum_calls", self.minimum_calls, rule)
        if self.slow_call_rate is not None and self.slow_call_seconds is None:
            raise checks.fault(_POLICY, "slow_call_rate", self.slow_call_rate, "given with slow_call_seconds")

    @property
    def minimum(self) -> int:
        """How many calls must be in the window before a rate is judged."""
        return self.minimum_calls or _MINIMUM_CALLS

    @property
    def patience(self) -> float:
        """Seconds that a cancelled call may have run and still say nothing of the dependency."""
        return (
            self.hang_seconds
            if self.slow_call_seconds is None
            else min(self.hang_seconds, self.slow_call_seconds)
        )

    @property
    def lease(self) -> float:
        """Seconds that a probe may take before it counts as failed."""
        return self.hang_seconds if self.probe_lease_seconds is None else self.probe_lease_seconds

    def is_failure(self, error: BaseException) -> bool:
        """Whether ``error`` says that the dependency is sick."""
        if not isinstance(self.failures, tuple | type):
            return bool(self.failures(error))
        if isinstance(error, self.failures):
            return True
        # What a task group raises is the failures of its tasks, and one of them that names the dependency is enough.
        return isinstance(error, BaseExceptionGroup) and error.subgroup(self.failures) is not None

    def is_slow(self, elapsed: float) -> bool:
        """Whether a call that ran for ``elapsed`` seconds was slow."""
        return self.slow_call_seconds is not None and elapsed >= self.slow_call_seconds
