"""The circuit breaker's keys in a policy file: windows, rates, slowness and the ramp."""

from __future__ import annotations

import pytest

from otel_resilience.cli.listing import policy_texts
from otel_resilience.policies.circuit_breaker.options import CircuitBreakerOptions
from otel_resilience.policies.circuit_breaker.policy import CircuitBreaker
from tests.config.files import config_of, faults_of, spec_of

_ALL = """
defaults:
  circuit_breaker: {failure_rate: 0.5, window_calls: 50, recovery_timeout: 10s}
services:
  a:
    circuit_breaker:
      window_seconds: 1m
      minimum_calls: 20
      slow_call_seconds: 250ms
      slow_call_rate: 0.8
      ramp_seconds: 15s
"""


def test_every_rule_can_be_written() -> None:
    (breaker,) = config_of(_ALL).pipeline("a").policies
    assert isinstance(breaker, CircuitBreaker)
    assert breaker.options == CircuitBreakerOptions(
        failure_rate=0.5,
        window_calls=50,
        window_seconds=60.0,
        minimum_calls=20,
        slow_call_seconds=0.25,
        slow_call_rate=0.8,
        ramp_seconds=15.0,
        recovery_timeout=10.0,
    )
    assert breaker.options.failure_threshold is None


@pytest.mark.parametrize(
    ("options", "fault"),
    [
        ("failure_rate: 0", "failure_rate: must be a number > 0 and <= 1, got 0"),
        ("slow_call_seconds: 0s", "slow_call_seconds: must be seconds > 0, got '0s'"),
        ("ramp_seconds: -1", "ramp_seconds: must be seconds >= 0, got -1"),
        (
            "minimum_calls: 101",
            "minimum_calls: minimum_calls must be <= window_calls (100), got 101",
        ),
        (
            "slow_call_rate: 0.5",
            "slow_call_rate: slow_call_rate must be given with slow_call_seconds, got 0.5",
        ),
    ],
)
def test_a_fault_is_said_at_its_key(options: str, fault: str) -> None:
    text = f"services: {{a: {{circuit_breaker: {{{options}}}}}}}"
    assert faults_of(text) == [f"line 1: services.a.circuit_breaker.{fault}"]


def test_what_belongs_together_may_stand_in_two_places() -> None:
    text = (
        "defaults: {circuit_breaker: {slow_call_rate: 0.5, minimum_calls: 200}}\n"
        "services: {a: {circuit_breaker: {slow_call_seconds: 1s, window_calls: 300}}}"
    )
    assert faults_of(text) == []


def test_what_is_listed_is_what_is_in_force() -> None:
    spec = spec_of(_ALL).services["a"].policies
    assert policy_texts(spec) == [
        "circuit_breaker failure_rate=0.5 window_calls=50 window_seconds=60s minimum_calls=20 "
        "slow_call_seconds=250ms slow_call_rate=0.8 recovery_timeout=10s ramp_seconds=15s"
    ]
    plain = spec_of("services: {a: {circuit_breaker: {}}}").services["a"].policies
    assert policy_texts(plain) == ["circuit_breaker failure_threshold=5 recovery_timeout=30s"]
