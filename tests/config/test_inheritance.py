"""Maps merge deeply, null removes; what belongs to a service is shared by its operations."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from otel_resilience.config.config import Config
from otel_resilience.config.merge import merged
from otel_resilience.config.policy_shapes import CIRCUIT_BREAKER, RETRY
from otel_resilience.config.specs import PoliciesSpec
from otel_resilience.flow.guard import Guard
from otel_resilience.outcome import Mode
from otel_resilience.pipeline import Pipeline
from otel_resilience.policies.bulkhead.options import BulkheadOptions
from otel_resilience.policies.bulkhead.policy import Bulkhead
from otel_resilience.policies.circuit_breaker.options import CircuitBreakerOptions
from otel_resilience.policies.circuit_breaker.policy import CircuitBreaker
from otel_resilience.policies.circuit_breaker.state import BreakerState
from otel_resilience.policies.retry.backoff import Backoff
from otel_resilience.policies.retry.conditions import Codes
from otel_resilience.policies.retry.options import RetryOptions
from otel_resilience.policies.retry.policy import Retry
from otel_resilience.policies.retry_budget.policy import RetryBudget, budget_of
from otel_resilience.policies.timeout.policy import Timeout
from tests.config.files import config_of, faults_of, spec_of

_CONTRACT = """
mode: enforce
propagation: internal
defaults:
  timeout: 2s
  retry: {max_attempts: 3}
  circuit_breaker: {failure_threshold: 4, recovery_timeout: 10s}
services:
  payments:
    match: ["payments:8080", "*.payments.internal", "grpc:shop.v1.Payments"]
    endpoints: ["10.0.0.7:8080", "10.0.0.8:8080"]
    bulkhead: {max_concurrency: 20, max_queue: 50, max_wait: 500ms}
    attempt_timeout: 800ms
    operations:
      "POST /charge": {idempotent: true, retry: {max_attempts: 2}}
      "GET /accounts/{id}": {timeout: 500ms, retry: null}
  "*": {timeout: 10s}
"""


def policies_of(text: str, service: str = "a", operation: str | None = None) -> PoliciesSpec:
    spec = spec_of(text).services[service]
    return spec.policies if operation is None else spec.operations[operation].policies


def kinds(pipeline: Pipeline) -> list[type[Guard]]:
    return [type(policy) for policy in pipeline.policies]


def one(pipeline: Pipeline, kind: type[Any]) -> Any:
    (found,) = [policy for policy in pipeline.policies if isinstance(policy, kind)]
    return found


def test_the_documented_file() -> None:
    config = config_of(_CONTRACT)
    payments = config.pipeline("payments")
    assert kinds(payments) == [Timeout, Bulkhead, Retry, CircuitBreaker, Timeout]
    total, bulkhead, retry, breaker, attempt = payments.policies
    assert isinstance(total, Timeout)
    assert isinstance(attempt, Timeout)
    assert isinstance(retry, Retry)
    assert isinstance(breaker, CircuitBreaker)
    assert isinstance(bulkhead, Bulkhead)
    assert bulkhead.options == BulkheadOptions(max_concurrency=20, max_queue=50, max_wait=0.5)
    assert (total.seconds, attempt.seconds) == (2.0, 0.8)
    assert (retry.options.max_attempts, retry.options.on) == (3, Codes())
    assert breaker.options == CircuitBreakerOptions(failure_threshold=4, recovery_timeout=10.0)

    charge = config.pipeline("payments", "POST /charge")
    assert kinds(charge) == [Timeout, Bulkhead, Retry, CircuitBreaker, Timeout]
    assert one(charge, Retry).options.max_attempts == 2
    assert one(charge, CircuitBreaker) is breaker

    accounts = config.pipeline("payments", "GET /accounts/{id}")
    assert kinds(accounts) == [Timeout, Bulkhead, CircuitBreaker, Timeout]
    assert [each.name for each in (payments, charge, accounts, breaker)] == ["payments"] * 4
    assert config.named_hosts == {"payments", "10.0.0.7", "10.0.0.8"}


@pytest.mark.parametrize(
    ("base", "over", "result"),
    [
        ({}, {}, {}),
        ({"a": 1}, {"b": 2}, {"a": 1, "b": 2}),
        ({"a": 1}, {"a": 2}, {"a": 2}),
        ({"a": 1}, {"a": None}, {}),
        ({}, {"a": None}, {}),
        ({"a": {"b": 1, "c": 2}}, {"a": {"b": None, "d": 3}}, {"a": {"c": 2, "d": 3}}),
        ({"a": 1}, {"a": {"b": {"c": None}}}, {"a": {"b": {}}}),
        ({"a": [1, 2]}, {"a": [3]}, {"a": [3]}),
    ],
)
def test_merging(base: dict[str, Any], over: dict[str, Any], result: dict[str, Any]) -> None:
    before = repr((base, over))
    assert merged(base, over) == result
    assert repr((base, over)) == before


def test_null_removes_at_every_depth() -> None:
    text = """
    defaults:
      timeout: 1s
      retry: {max_attempts: 5, backoff: {initial: 1s, max: 5s}, on: [HTTP_503]}
    services:
      a:
        timeout: null
        retry: {backoff: {initial: null}, on: null}
        operations:
          Read: {retry: {backoff: null, max_attempts: null}}
    """
    whole, read = policies_of(text), policies_of(text, operation="Read")
    assert whole.timeout is None
    assert whole.retry is not None
    assert whole.retry.options == RetryOptions(on=Codes(), max_attempts=5, backoff=Backoff(max=5.0))
    assert read.retry is not None
    assert read.retry.options == RetryOptions(on=Codes())


def test_an_empty_map_is_a_policy_with_its_defaults() -> None:
    policies = policies_of("services: {a: {retry: {}, circuit_breaker: {}}}")
    assert policies.names == ("retry", "circuit_breaker")


def test_what_inherits_nothing_and_says_nothing_has_no_policy() -> None:
    config = config_of(
        "services: {a: {}, b: {operations: {Read: {timeout: 1s}}}, c: {timeout: 1s, mode: off}}"
    )
    assert (config.services, config.guarded_services) == (("a", "b", "c"), ("b",))
    assert config.pipeline("a").policies == ()
    assert config.pipeline("a").call(lambda: 7) == 7


def test_every_option_of_a_policy_can_be_written() -> None:
    config = config_of("""
    services:
      a:
        retry:
          max_attempts: 4
          backoff: {initial: 50ms, factor: 3, max: 1m, jitter: none}
          max_elapsed: 9s
          retry_after_max: 0s
          on: [HTTP_503, MY_CODE]
          budget: {ratio: 0, min_per_second: 0, window_seconds: 5s}
        circuit_breaker:
          failure_threshold: 2
          hang_seconds: 3
          recovery_timeout: 4s
          recovery_growth: 1.5
          recovery_max: 1m
          half_open_max_concurrency: 2
          half_open_successes: 3
          half_open_max_seconds: 5s
          probe_lease_seconds: 500ms
          force: closed
    """)
    pipeline = config.pipeline("a")
    retry: Retry = one(pipeline, Retry)
    assert retry.options == RetryOptions(
        on=Codes(frozenset({"HTTP_503", "MY_CODE"}), written=True),
        max_attempts=4,
        backoff=Backoff(initial=0.05, factor=3, max=60.0, jitter="none"),
        max_elapsed=9.0,
        retry_after_max=0.0,
        budget=retry.budget,
    )
    assert retry.budget is not None
    assert retry.budget.limit == 0.0
    breaker: CircuitBreaker = one(pipeline, CircuitBreaker)
    assert breaker.options == CircuitBreakerOptions(
        failure_threshold=2,
        hang_seconds=3,
        recovery_timeout=4.0,
        recovery_growth=1.5,
        recovery_max=60.0,
        half_open_max_concurrency=2,
        half_open_successes=3,
        half_open_max_seconds=5.0,
        probe_lease_seconds=0.5,
    )
    assert breaker.state is BreakerState.FORCED_CLOSED


def test_the_shapes_know_every_option_that_the_policies_have() -> None:
    def names(options: Any) -> set[str]:
        return {field.name for field in dataclasses.fields(options)}

    assert names(CircuitBreakerOptions) | {"force"} == set(CIRCUIT_BREAKER.keys) | {
        "failures",
        "failure_results",
    }
    assert names(RetryOptions) == set(RETRY.keys) | {"results"}


def test_force_open_rejects() -> None:
    config = config_of("services: {a: {circuit_breaker: {force: open}}}")
    assert one(config.pipeline("a"), CircuitBreaker).state is BreakerState.FORCED_OPEN


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


@pytest.mark.parametrize(
    ("text", "faults"),
    [
        (
            "defaults: {timeout: 2s}\nservices:\n  a: {attempt_timeout: 2s}\n  b: {attempt_timeout: 1s}\n",
            ["line 3: services.a.attempt_timeout: attempt_timeout must be < timeout (2), got 2.0"],
        ),
        # A narrower total is the very use of operations.
        (
            "services:\n  a:\n    timeout: 2s\n    attempt_timeout: 1s\n    operations:\n      R: {timeout: 500ms}\n",
            [],
        ),
        # Two services inherit one contradiction: it is said once, where it is written.
        (
            "defaults:\n  circuit_breaker: {recovery_max: 10s}\nservices:\n  a: {}\n  b: {}\n",
            [
                "line 2: defaults.circuit_breaker.recovery_max: recovery_max must be >= recovery_timeout (30), got 10.0"
            ],
        ),
        (
            "defaults:\n  circuit_breaker: {recovery_max: 10s}\nservices:\n  a: {circuit_breaker: {recovery_timeout: 5s}}\n",
            [],
        ),
        (
            "defaults:\n  circuit_breaker: {recovery_max: 40s}\nservices:\n  a: {}\n  b: {circuit_breaker: {recovery_timeout: 50s}}\n",
            [
                "line 5: services.b.circuit_breaker.recovery_timeout: "
                "recovery_max must be >= recovery_timeout (50), got 40.0"
            ],
        ),
        # What a removal leaves contradicts: it is said at the removal.
        (
            "defaults:\n  circuit_breaker: {recovery_timeout: 5s, recovery_max: 10s}\n"
            "services:\n  a: {circuit_breaker: {recovery_timeout: null}}\n",
            [
                "line 4: services.a.circuit_breaker.recovery_timeout: "
                "recovery_max must be >= recovery_timeout (30), got 10.0"
            ],
        ),
        (
            "defaults: {retry: {backoff: {initial: 40s}}}",
            ["line 1: defaults.retry.backoff.initial: max must be >= initial (40), got 30.0"],
        ),
    ],
)
def test_contradictions_are_found_after_merging_and_said_where_they_arise(
    text: str, faults: list[str]
) -> None:
    assert faults_of(text) == faults


@pytest.mark.parametrize(
    ("text", "forced", "mode"),
    [
        ("services: {a: {}}", None, Mode.ENFORCE),
        ("mode: shadow\nservices: {a: {}}", None, Mode.SHADOW),
        ("mode: shadow\nservices: {a: {mode: enforce}}", None, Mode.ENFORCE),
        ("mode: shadow\ndefaults: {mode: off}\nservices: {a: {}}", None, Mode.OFF),
        ("mode: shadow\ndefaults: {mode: off}\nservices: {a: {mode: null}}", None, Mode.SHADOW),
        ("mode: shadow\nservices: {a: {mode: enforce}}", Mode.OFF, Mode.OFF),
    ],
)
def test_the_mode_of_a_service(text: str, forced: Mode | None, mode: Mode) -> None:
    config = Config(spec_of(text), mode=forced)
    assert config.mode_of("a") is mode
    assert config.pipeline("a").mode is mode
