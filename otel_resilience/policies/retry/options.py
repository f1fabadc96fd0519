"""What a retry can be told, checked at birth."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from otel_resilience.policies import checks
from otel_resilience.policies.conditions import checked_errors
from otel_resilience.policies.retry.backoff import Backoff
from otel_resilience.policies.retry.conditions import Codes, On
from otel_resilience.policies.retry_budget.policy import RetryBudget

_POLICY = "Retry"


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryOptions:
    """All durations are seconds. See ``Retry`` for what each one means."""

    on: On
    results: Callable[[Any], bool] | None = None
    max_attempts: int = 3
    backoff: Backoff = field(default_factory=Backoff)
    max_elapsed: float | None = None
    retry_after_max: float = 30.0
    budget: RetryBudget | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.on, Codes):
            checked_errors(_POLICY, "on", self.on)
        if self.results is not None and not callable(self.results):
            raise checks.fault(_POLICY, "results", self.results, "a predicate on results")
        checks.at_least(_POLICY, "max_attempts", self.max_attempts, 1)
        if not isinstance(self.backoff, Backoff):
            raise checks.fault(_POLICY, "backoff", self.backoff, "a Backoff")
        if self.max_elapsed is not None:
            checks.positive_seconds(_POLICY, "max_elapsed", self.max_elapsed)
        checks.seconds_or_zero(_POLICY, "retry_after_max", self.retry_after_max)
        if self.budget is not None and not isinstance(self.budget, RetryBudget):
            raise checks.fault(_POLICY, "budget", self.budget, "a RetryBudget")
