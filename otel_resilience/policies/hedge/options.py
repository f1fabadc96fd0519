"""What a hedge can be told, checked at birth."""

from __future__ import annotations

from dataclasses import dataclass

from otel_resilience.policies import checks
from otel_resilience.policies.retry_budget.policy import RetryBudget

_POLICY = "Hedge"


@dataclass(frozen=True, slots=True, kw_only=True)
class HedgeOptions:
    """``after`` in seconds. See ``Hedge`` for what each one means."""

    after: float | None = None
    after_quantile: float | None = None
    max_hedges: int = 1
    budget: RetryBudget | None = None
    max_threads: int = 32

    def __post_init__(self) -> None:
        if self.after is not None:
            checks.seconds_or_zero(_POLICY, "after", self.after)
        if self.after_quantile is not None:
            share = checks.number_at_least(_POLICY, "after_quantile", self.after_quantile, 0.0)
            if not 0.0 < share < 1.0:
                raise checks.fault(_POLICY, "after_quantile", self.after_quantile, "a number between 0 and 1")
            if self.after is not None:
                raise checks.fault(
                    _POLICY, "after_quantile", self.after_quantile, "absent where after is given"
                )
        checks.at_least(_POLICY, "max_hedges", self.max_hedges, 1)
        checks.at_least(_POLICY, "max_threads", self.max_threads, 2)
        if self.budget is not None and not isinstance(self.budget, RetryBudget):
            raise checks.fault(_POLICY, "budget", self.budget, "a RetryBudget")
