"""Hedges and faults in a policy file."""

from __future__ import annotations

import pytest

from otel_resilience import DomainError, FaultInjector, Hedge, Retry
from otel_resilience.cli.listing import policy_texts
from tests.config.files import config_of, faults_of, spec_of


def test_a_hedge_has_the_services_budget_and_its_place() -> None:
    config = config_of("""
        defaults: {timeout: 2s, retry: {max_attempts: 3}, circuit_breaker: {}, attempt_timeout: 1s}
        services:
          hedged:
            retry: null
            hedge: {after: 50ms, max_hedges: 2}
            fault: {rate: 0.5, latency: 10ms}
            operations:
              "GET /plain": {hedge: null, retry: {}}
              "GET /own": {hedge: {budget: {ratio: 0.5}}}
    """)
    pipeline = config.pipeline("hedged", None)
    kinds = [policy.policy_type for policy in pipeline.policies]  # type: ignore[attr-defined]  # every policy of a file has one
    assert kinds == ["timeout", "hedge", "circuit_breaker", "timeout", "fault"]
    assert pipeline.warnings == ()
    hedge, fault = pipeline.policies[1], pipeline.policies[-1]
    assert isinstance(hedge, Hedge)
    assert isinstance(fault, FaultInjector)
    assert (hedge.options.after, hedge.options.max_hedges) == (0.05, 2)
    assert (fault.options.rate, fault.options.latency) == (0.5, 0.01)
    plain = config.pipeline("hedged", "GET /plain").policies[1]
    assert isinstance(plain, Retry)
    assert plain.budget is hedge.budget
    own = config.pipeline("hedged", "GET /own").policies[1]
    assert isinstance(own, Hedge)
    assert own.budget is not hedge.budget


def test_a_fault_raises_the_code_that_is_written() -> None:
    config = config_of("services: {faulty: {fault: {error: DB_UNAVAILABLE}}}")
    with pytest.raises(DomainError) as caught:
        config.pipeline("faulty", None).call(lambda: None)
    assert (caught.value.error_code, caught.value.retryable) == ("DB_UNAVAILABLE", True)


@pytest.mark.parametrize(
    ("text", "faults"),
    [
        (
            "services:\n  a: {hedge: {max_hedges: 2}}\n",
            ["line 2: services.a.hedge: after or after_quantile must be given"],
        ),
        (
            "defaults: {retry: {}}\nservices:\n  a: {hedge: {after: 1s}}\n",
            [
                "line 3: services.a.hedge: hedge must not be together with retry, their attempts would multiply: "
                "remove one with retry: null"
            ],
        ),
        (
            "services:\n  a: {fault: {error: oops, result: 1}}\n",
            [
                "line 2: services.a.fault.error: must be an error code (UPPER_SNAKE, at most 63 characters), got 'oops'",
                "line 2: services.a.fault.result: result can be said in code alone",
            ],
        ),
        (
            "services:\n  a: {fallback: 1}\n",
            ["line 2: services.a.fallback: fallback can be said in code alone"],
        ),
    ],
)
def test_faults_of_the_file(text: str, faults: list[str]) -> None:
    assert faults_of(text) == faults


def test_defaults_may_say_half_of_a_hedge() -> None:
    config = config_of("defaults: {hedge: {max_hedges: 2}}\nservices: {half: {hedge: {after_quantile: 0.9}}}")
    [hedge] = config.pipeline("half", None).policies
    assert isinstance(hedge, Hedge)
    assert (hedge.options.after_quantile, hedge.options.max_hedges) == (0.9, 2)


def test_both_are_listed_as_they_were_written() -> None:
    spec = spec_of("services: {a: {hedge: {after: 50ms}, fault: {rate: 0.5, latency: 1s, error: HTTP_503}}}")
    assert policy_texts(spec.services["a"].policies) == [
        "hedge after=50ms",
        "fault rate=0.5 latency=1s error=HTTP_503",
    ]
