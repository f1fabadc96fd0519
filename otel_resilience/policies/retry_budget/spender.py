"""What policies that spend a retry budget have in common: whose it is, and when it is known."""

from __future__ import annotations

from otel_resilience.flow.guard import Guard
from otel_resilience.policies.retry_budget.policy import RetryBudget, budget_of


class BudgetSpender(Guard):
    """Spends the budget it was given, else the default one of its name."""

    _budget: RetryBudget | None = None

    def bind(self, name: str) -> None:
        if self._name is None:
            self._name = name
            self._settle_budget(name)

    @property
    def budget(self) -> RetryBudget | None:
        """The budget in use; ``None`` until the policy has a name."""
        return self._budget

    def _settle_budget(self, name: str) -> RetryBudget:
        if self._budget is None:
            self._budget = budget_of(name)
        else:
            self._budget.bind(name)
        return self._budget
