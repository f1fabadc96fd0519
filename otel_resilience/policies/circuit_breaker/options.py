"""What a circuit breaker can be told, checked at birth."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from otel_resilience.exceptions import ConfigurationError
from otel_resilience.policies import checks

_POLICY = "CircuitBreaker"

Failures = type[BaseException] | tuple[type[BaseException], ...] | Callable[[BaseException], bool]


@dataclass(frozen=True, slots=True, kw_only=True)
class CircuitBreakerOptions:
    """All durations are seconds. See ``CircuitBreaker`` for what each one means."""

    failure_threshold: int = 5
    hang_seconds: float = 10.0
    recovery_timeout: float = 30.0
    recovery_growth: float = 1.0
    recovery_max: float | None = None
    half_open_max_concurrency: int = 1
    half_open_successes: int = 1
    half_open_max_seconds: float | None = None
    probe_lease_seconds: float | None = None
    failures: Failures = Exception
    failure_results: Callable[[Any], bool] | None = None

    def __post_init__(self) -> None:
        checks.at_least(_POLICY, "failure_threshold", self.failure_threshold, 1)
        checks.at_least(_POLICY, "half_open_max_concurrency", self.half_open_max_concurrency, 1)
        checks.at_least(_POLICY, "half_open_successes", self.half_open_successes, 1)
        checks.number_at_least(_POLICY, "recovery_growth", self.recovery_growth, 1.0)
        for field in ("hang_seconds", "recovery_timeout"):
            checks.positive_seconds(_POLICY, field, getattr(self, field))
        for field in ("recovery_max", "half_open_max_seconds", "probe_lease_seconds"):
            value = getattr(self, field)
            if value is not None:
                checks.positive_seconds(_POLICY, field, value)
        if self.recovery_max is not None and self.recovery_max < self.recovery_timeout:
            raise ConfigurationError(
                f"{_POLICY} recovery_max must be >= recovery_timeout ({self.recovery_timeout:g}), got {self.recovery_max!r}"
            )
        if not _names_failures(self.failures):
            raise ConfigurationError(
                f"{_POLICY} failures must be exception types or a predicate, got {self.failures!r}"
            )
        if self.failure_results is not None and not callable(self.failure_results):
            raise ConfigurationError(
                f"{_POLICY} failure_results must be a predicate on results, got {self.failure_results!r}"
            )

    @property
    def lease(self) -> float:
        """Seconds that a probe may take before it counts as failed."""
        return self.hang_seconds if self.probe_lease_seconds is None else self.probe_lease_seconds

    def is_failure(self, error: BaseException) -> bool:
        """Whether ``error`` says that the dependency is sick."""
        if isinstance(self.failures, tuple | type):
            return isinstance(error, self.failures)
        return bool(self.failures(error))


def _names_failures(value: object) -> bool:
    # A class is callable too: asked for first, so that an exception type is never taken for a predicate.
    if isinstance(value, type):
        return issubclass(value, BaseException)
    if isinstance(value, tuple):
        return bool(value) and all(
            isinstance(kind, type) and issubclass(kind, BaseException) for kind in value
        )
    return callable(value)
