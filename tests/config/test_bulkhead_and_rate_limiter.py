"""The keys of bulkheads and rate limiters in a policy file, and who shares one."""

from __future__ import annotations

import pytest

from otel_resilience.cli.listing import policy_texts
from otel_resilience.config.config import Config
from otel_resilience.outcome import Mode
from otel_resilience.policies.bulkhead.options import BulkheadOptions
from otel_resilience.policies.bulkhead.policy import Bulkhead
from otel_resilience.policies.rate_limit.options import RateLimiterOptions
from otel_resilience.policies.rate_limit.policy import RateLimiter
from tests.config.files import config_of, faults_of, spec_of

_BOTH = """
defaults:
  bulkhead: {max_wait: 500ms}
services:
  a:
    timeout: 2s
    retry: {}
    bulkhead: {max_concurrency: 20, max_queue: 50}
    rate_limiter: {rate: 100, per: 1m, burst: 10, max_wait: 250ms}
    operations:
      Shares: {timeout: 1s}
      Own: {bulkhead: {max_concurrency: 2}, rate_limiter: {rate: 5}}
      Free: {bulkhead: null, rate_limiter: null}
  b:
    bulkhead: null
"""


def _kinds(config: Config, operation: str | None) -> list[str]:
    return [type(policy).__name__ for policy in config.pipeline("a", operation).policies]


def _gates(config: Config, operation: str | None) -> tuple[RateLimiter, Bulkhead]:
    limiter, bulkhead = config.pipeline("a", operation).policies[1:3]
    assert isinstance(limiter, RateLimiter)
    assert isinstance(bulkhead, Bulkhead)
    return limiter, bulkhead


def test_every_option_can_be_written_and_stands_in_its_place() -> None:
    config = config_of(_BOTH)
    assert _kinds(config, None) == ["Timeout", "RateLimiter", "Bulkhead", "Retry"]
    limiter, bulkhead = _gates(config, None)
    assert bulkhead.options == BulkheadOptions(max_concurrency=20, max_queue=50, max_wait=0.5)
    assert limiter.options == RateLimiterOptions(rate=100, per=60.0, burst=10, max_wait=0.25)
    assert (limiter.name, bulkhead.name) == ("a", "a")
    assert config.pipeline("b").policies == ()


def test_operations_share_the_services_unless_they_state_their_own() -> None:
    config = config_of(_BOTH)
    assert _gates(config, "Shares") == _gates(config, None)
    limiter, bulkhead = _gates(config, "Own")
    assert bulkhead.options == BulkheadOptions(max_concurrency=2, max_queue=50, max_wait=0.5)
    assert limiter.options == RateLimiterOptions(rate=5, per=60.0, burst=10, max_wait=0.25)
    assert (limiter.name, bulkhead.name) == ("a Own", "a Own")
    assert _kinds(config, "Free") == ["Timeout", "Retry"]


def test_each_host_of_the_catch_all_has_its_own() -> None:
    config = config_of('services: {"*": {bulkhead: {max_concurrency: 1}, rate_limiter: {rate: 1}}}')
    found = [config.find_http(host, 80, "GET", "/") for host in ("x.internal", "y.internal")]
    pipelines = [target.pipeline for target in found if target is not None]
    assert [pipeline.name for pipeline in pipelines] == ["*", "*"]
    assert len({id(policy) for pipeline in pipelines for policy in pipeline.policies}) == 4


@pytest.mark.parametrize(
    ("text", "faults"),
    [
        (
            "services:\n  a:\n    bulkhead: {max_queue: 3}\n",
            ["line 3: services.a.bulkhead: max_concurrency must be given"],
        ),
        ("services:\n  a: {rate_limiter: {}}\n", ["line 2: services.a.rate_limiter: rate must be given"]),
        # What a service does not say may be inherited, and what nobody inherits need not be whole.
        ("defaults: {bulkhead: {max_concurrency: 3}}\nservices:\n  a: {bulkhead: {max_queue: 3}}\n", []),
        ("defaults: {bulkhead: {max_queue: 3}}\n", []),
        (
            "defaults:\n  bulkhead: {max_queue: 3}\nservices: {a: {}, b: {}}\n",
            ["line 2: defaults.bulkhead: max_concurrency must be given"],
        ),
        (
            "defaults:\n  rate_limiter: {rate: 3}\nservices:\n  a: {rate_limiter: {rate: null}}\n",
            ["line 4: services.a.rate_limiter: rate must be given"],
        ),
        # One that is wrong is not missing as well.
        (
            "services: {a: {rate_limiter: {rate: 0, per: 0s, burst: 1.5}}}",
            [
                "line 1: services.a.rate_limiter.rate: must be a number > 0, got 0",
                "line 1: services.a.rate_limiter.per: must be seconds > 0, got '0s'",
                "line 1: services.a.rate_limiter.burst: must be a whole number >= 1, got 1.5",
            ],
        ),
        (
            "services: {a: {bulkhead: {limit: 3}}}",
            [
                "line 1: services.a.bulkhead.limit: unknown key; known are max_concurrency, max_queue, max_wait",
                "line 1: services.a.bulkhead: max_concurrency must be given",
            ],
        ),
        ("services: {a: {bulkhead: 3}}", ["line 1: services.a.bulkhead: must be a map of options, got 3"]),
    ],
)
def test_faults(text: str, faults: list[str]) -> None:
    assert faults_of(text) == faults


def test_the_listing_shows_what_a_reader_must_know() -> None:
    assert policy_texts(spec_of(_BOTH).services["a"].policies) == [
        "timeout 2s",
        "rate_limiter rate=100 per=60s burst=10 max_wait=250ms",
        "bulkhead max_concurrency=20 max_queue=50 max_wait=500ms",
        "retry max_attempts=3",
    ]


def test_the_mode_of_the_service_holds() -> None:
    config = config_of("mode: shadow\nservices: {a: {bulkhead: {max_concurrency: 1}}}")
    assert config.pipeline("a").mode is Mode.SHADOW
