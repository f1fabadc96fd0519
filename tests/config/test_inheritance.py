"""Maps merge deeply, null removes, and every option of a policy can be written."""

from __future__ import annotations

import inspect
from typing import Any

import pytest

from otel_resilience.config.config import Config
from otel_resilience.config.merge import merged
from otel_resilience.config.policy_shapes import BULKHEAD, CIRCUIT_BREAKER, FAULT, HEDGE, RATE_LIMITER, RETRY
from otel_resilience.config.shape import Map
from otel_resilience.config.specs import PoliciesSpec
from otel_resilience.outcome import Mode
from otel_resilience.policies.bulkhead.options import BulkheadOptions
from otel_resilience.policies.bulkhead.policy import Bulkhead
from otel_resilience.policies.circuit_breaker.options import CircuitBreakerOptions
from otel_resilience.policies.circuit_breaker.policy import CircuitBreaker
from otel_resilience.policies.circuit_breaker.state import BreakerState
from otel_resilience.policies.fault.options import FaultInjectorOptions
from otel_resilience.policies.hedge.options import HedgeOptions
from otel_resilience.policies.rate_limit.options import RateLimiterOptions
from otel_resilience.policies.retry.backoff import Backoff
from otel_resilience.policies.retry.conditions import Codes
from otel_resilience.policies.retry.options import RetryOptions
from otel_resilience.policies.retry.policy import Retry
from otel_resilience.policies.retry_budget.policy import RetryBudget
from otel_resilience.policies.timeout.policy import Timeout
from tests.config.files import config_of, spec_of
from tests.config.pipelines import kinds, one

_CONTRACT = """
mode: enforce
propagation: internal
defaults:
  timeout: 2s
  retry: {max_attempts: 3}
  circuit_breaker: {failure_rate: 0.5, window_calls: 50, recovery_timeout: 10s}
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
    assert breaker.options == CircuitBreakerOptions(failure_rate=0.5, window_calls=50, recovery_timeout=10.0)

    charge = config.pipeline("payments", "POST /charge")
    assert kinds(charge) == [Timeout, Bulkhead, Retry, CircuitBreaker, Timeout]
    assert one(charge, Retry).options.max_attempts == 2
    assert one(charge, CircuitBreaker) is breaker

    accounts = config.pipeline("payments", "GET /accounts/{id}")
    assert kinds(accounts) == [Timeout, Bulkhead, CircuitBreaker]
    assert [each.name for each in (payments, charge, accounts, breaker)] == ["payments"] * 4
    assert config.named_hosts == {"payments", "10.0.0.7", "10.0.0.8"}


def test_the_documented_file_is_nothing_to_warn_of(caplog: pytest.LogCaptureFixture) -> None:
    config = config_of(_CONTRACT)
    accounts = config.pipeline("payments", "GET /accounts/{id}")
    assert [each.seconds for each in accounts.policies if isinstance(each, Timeout)] == [0.5]
    assert [
        pipeline.warnings for pipeline in (accounts, config.pipeline("payments"), config.pipeline("*"))
    ] == [()] * 3
    # Another file's policies of the same names may live on from another test.
    assert [message for message in caplog.messages if "several live" not in message] == []


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


@pytest.mark.parametrize(
    ("options", "shape"),
    [
        (CircuitBreakerOptions, CIRCUIT_BREAKER),
        (RetryOptions, RETRY),
        (Backoff, RETRY.keys["backoff"]),
        (RetryBudget, RETRY.keys["budget"]),
        (BulkheadOptions, BULKHEAD),
        (RateLimiterOptions, RATE_LIMITER),
        (HedgeOptions, HEDGE),
        (RetryBudget, HEDGE.keys["budget"]),
        (FaultInjectorOptions, FAULT),
    ],
)
def test_the_shapes_know_every_option_that_the_policies_have(options: type[Any], shape: Map) -> None:
    written = set(shape.keys) | {key for key, reason in shape.absent.items() if "in code alone" in reason}
    assert written - {"force"} == set(inspect.signature(options).parameters)


def test_force_open_rejects() -> None:
    config = config_of("services: {a: {circuit_breaker: {force: open}}}")
    assert one(config.pipeline("a"), CircuitBreaker).state is BreakerState.FORCED_OPEN


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
