"""What belongs to a service is shared by its operations; what one of them states is its own."""

from __future__ import annotations

from otel_resilience.policies.circuit_breaker.options import CircuitBreakerOptions
from otel_resilience.policies.circuit_breaker.policy import CircuitBreaker
from otel_resilience.policies.retry.policy import Retry
from otel_resilience.policies.retry_budget.policy import RetryBudget, budget_of
from tests.config.files import config_of
from tests.config.pipelines import one

_SHARING = """
services:
  a:
    retry: {budget: {ratio: 0.5}}
    circuit_breaker: {failure_threshold: 3, recovery_timeout: 5s}
    operations:
      Shares: {timeout: 1s}
      Retries: {retry: {max_attempts: 9}}
      Own: {circuit_breaker: {failure_threshold: 7}, retry: {budget: {min_per_second: 3}}}
      Default: {retry: {budget: null}}
      None: {circuit_breaker: null, retry: null}
"""


def test_operations_share_the_breaker_and_the_budget_of_their_service() -> None:
    config = config_of(_SHARING)
    service = config.pipeline("a")
    breaker, budget = one(service, CircuitBreaker), one(service, Retry).budget
    for operation in ("Shares", "Retries", "Unknown"):
        pipeline = config.pipeline("a", operation)
        assert one(pipeline, CircuitBreaker) is breaker
        assert one(pipeline, Retry).budget is budget
    assert one(config.pipeline("a", "Retries"), Retry).options.max_attempts == 9


def test_an_operation_that_states_its_own_has_its_own_with_its_name() -> None:
    config = config_of(_SHARING)
    own = config.pipeline("a", "Own")
    breaker: CircuitBreaker = one(own, CircuitBreaker)
    assert breaker.name == "a Own"
    assert breaker.options == CircuitBreakerOptions(failure_threshold=7, recovery_timeout=5.0)
    budget: RetryBudget = one(own, Retry).budget
    assert budget.limit == 30.0
    assert budget is not one(config.pipeline("a"), Retry).budget
    assert one(config.pipeline("a", "Default"), Retry).budget is budget_of("a Default")
    assert config.pipeline("a", "None").policies == ()


def test_a_budget_that_is_not_written_is_that_of_the_name() -> None:
    config = config_of("services: {lone: {operations: {Read: {retry: {}}, Write: {retry: {}}}}}")
    budgets = [one(config.pipeline("lone", name), Retry).budget for name in ("Read", "Write")]
    assert budgets == [budget_of("lone")] * 2
