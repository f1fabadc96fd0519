"""The live policies of one service: its pipelines, and what they share."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, replace
from typing import Any

from otel_resilience.config.specs import (
    CircuitBreakerSpec,
    HedgeSpec,
    OperationSpec,
    PoliciesSpec,
    RetrySpec,
    ServiceSpec,
)
from otel_resilience.flow.guard import Guard
from otel_resilience.inventory import POLICIES
from otel_resilience.outcome import Mode
from otel_resilience.pipeline import Pipeline
from otel_resilience.policies.bulkhead.options import BulkheadOptions
from otel_resilience.policies.bulkhead.policy import Bulkhead
from otel_resilience.policies.circuit_breaker.policy import CircuitBreaker
from otel_resilience.policies.fault.policy import FaultInjector
from otel_resilience.policies.hedge.policy import Hedge
from otel_resilience.policies.rate_limit.options import RateLimiterOptions
from otel_resilience.policies.rate_limit.policy import RateLimiter
from otel_resilience.policies.retry.policy import Retry
from otel_resilience.policies.retry_budget.policy import RetryBudget, budget_of
from otel_resilience.policies.timeout.policy import Timeout


@dataclass(frozen=True, slots=True, kw_only=True)
class _Shared:
    """What the calls of a service, or of an operation, have in common."""

    rate_limiter: RateLimiter | None
    bulkhead: Bulkhead | None
    breaker: CircuitBreaker | None
    budget: RetryBudget | None


class ServicePolicies:
    """Pipelines of a service and its operations, all made at once.

    Rate limiter, bulkhead, breaker and budget belong to the service and are shared by its operations, unless
    an operation states its own, which is then named ``service operation``. ``alone``: nothing is shared with
    others of the name, of which there are many (the hosts of the catch-all).
    """

    def __init__(self, spec: ServiceSpec, mode: Mode, *, alone: bool = False) -> None:
        self._name = spec.name
        self._mode = mode
        self._alone = alone
        budgeted = [spec.policies, *(each.policies for each in spec.operations.values())]
        retries = any(each.retry or each.hedge for each in budgeted)
        self._shared = _Shared(
            rate_limiter=self._make_rate_limiter(spec.name, spec.policies.rate_limiter),
            bulkhead=self._make_bulkhead(spec.name, spec.policies.bulkhead),
            breaker=self._make_breaker(spec.name, spec.policies.circuit_breaker),
            budget=self._make_budget(spec.name, spec.policies.retry or spec.policies.hedge)
            if retries
            else None,
        )
        self.of_service = self._pipeline(spec.policies, self._shared)
        self.of_operations = {text: self._of_operation(each) for text, each in spec.operations.items()}

    def pipeline(self, operation: str | None) -> Pipeline:
        """The pipeline of an operation of the file, else the service's."""
        return self.of_service if operation is None else self.of_operations[operation]

    def _of_operation(self, spec: OperationSpec) -> Pipeline:
        name = f"{self._name} {spec.key.text}"
        policies, shared = spec.policies, self._shared
        if spec.own_rate_limiter:
            shared = replace(shared, rate_limiter=self._make_rate_limiter(name, policies.rate_limiter))
        if spec.own_bulkhead:
            shared = replace(shared, bulkhead=self._make_bulkhead(name, policies.bulkhead))
        if spec.own_circuit_breaker:
            shared = replace(shared, breaker=self._make_breaker(name, policies.circuit_breaker))
        if spec.own_budget and (policies.retry or policies.hedge):
            shared = replace(shared, budget=self._make_budget(name, policies.retry or policies.hedge))
        return self._pipeline(policies, shared)

    def _pipeline(self, spec: PoliciesSpec, shared: _Shared) -> Pipeline:
        policies: list[Guard] = []
        if spec.timeout is not None:
            policies.append(Timeout(spec.timeout))
        if spec.rate_limiter is not None and shared.rate_limiter is not None:
            policies.append(shared.rate_limiter)
        if spec.bulkhead is not None and shared.bulkhead is not None:
            policies.append(shared.bulkhead)
        if spec.retry is not None:
            policies.append(Retry(self._name, **_fields(spec.retry.options) | {"budget": shared.budget}))
        if spec.hedge is not None:
            policies.append(Hedge(**_fields(spec.hedge.options) | {"budget": shared.budget}))
        if spec.circuit_breaker is not None and shared.breaker is not None:
            policies.append(shared.breaker)
        if spec.attempt_timeout is not None:
            policies.append(Timeout(spec.attempt_timeout))
        if spec.fault is not None:
            policies.append(FaultInjector(**_fields(spec.fault)))
        return Pipeline(self._name, *policies, trace=True, mode=self._mode)

    def _make_rate_limiter(self, name: str, options: RateLimiterOptions | None) -> RateLimiter | None:
        if options is None:
            return None
        if self._alone:
            POLICIES.expect_several(RateLimiter.policy_type, name)
        return RateLimiter(name, **_fields(options))

    def _make_bulkhead(self, name: str, options: BulkheadOptions | None) -> Bulkhead | None:
        if options is None:
            return None
        if self._alone:
            POLICIES.expect_several(Bulkhead.policy_type, name)
        return Bulkhead(name, **_fields(options))

    def _make_breaker(self, name: str, spec: CircuitBreakerSpec | None) -> CircuitBreaker | None:
        if spec is None:
            return None
        if self._alone:
            POLICIES.expect_several(CircuitBreaker.policy_type, name)
        breaker = CircuitBreaker(name, **_fields(spec.options))
        if spec.force == "open":
            breaker.force_open()
        elif spec.force == "closed":
            breaker.force_closed()
        return breaker

    def _make_budget(self, name: str, spec: RetrySpec | HedgeSpec | None) -> RetryBudget:
        options = None if spec is None else spec.budget
        if self._alone:
            POLICIES.expect_several(RetryBudget.policy_type, name)
        elif options is None:
            return budget_of(name)
        budget = RetryBudget(**(options or {}))
        budget.bind(name)
        return budget


def _fields(options: Any) -> dict[str, Any]:
    return {field.name: getattr(options, field.name) for field in dataclasses.fields(options)}
