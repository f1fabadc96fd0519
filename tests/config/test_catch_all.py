"""Under the catch-all each host and port stands for itself, up to a bound."""

from __future__ import annotations

import logging
import threading

import pytest

from otel_resilience.config import catch_all
from otel_resilience.config.config import Config
from otel_resilience.flow.guard import Guard
from otel_resilience.policies.circuit_breaker.policy import CircuitBreaker
from otel_resilience.policies.retry.policy import Retry
from otel_resilience.policies.retry_budget.policy import RetryBudget
from tests.config.files import config_of

_EACH_ALONE = """
services:
  known: {}
  "*":
    retry: {}
    circuit_breaker: {}
    operations:
      "POST /own": {circuit_breaker: {failure_threshold: 1}, retry: {budget: {ratio: 1}}}
"""


def shared_parts(policies: Config, host: str, path: str = "/") -> tuple[CircuitBreaker, RetryBudget]:
    found = policies.find_http(host, 80, "POST", path)
    assert found is not None
    retry, breaker = found.pipeline.policies
    assert isinstance(retry, Retry)
    assert isinstance(breaker, CircuitBreaker)
    assert retry.budget is not None
    assert found.service == found.pipeline.name == "*"
    return breaker, retry.budget


def test_under_the_catch_all_each_host_and_port_has_its_own() -> None:
    policies = config_of(_EACH_ALONE)
    one, same, two = (
        shared_parts(policies, "one"),
        shared_parts(policies, "ONE."),
        shared_parts(policies, "two"),
    )
    other_port = policies.find_http("one", 81, "POST", "/")
    assert one == same
    assert other_port is not None
    assert len({*map(id, one), *map(id, two), *map(id, other_port.pipeline.policies)}) == 6
    assert {breaker.name for breaker, _ in (one, two)} == {"*"}
    assert shared_parts(policies, "one", "/own")[0].name == "* POST /own"
    assert shared_parts(policies, "one", "/own")[0] is not shared_parts(policies, "two", "/own")[0]
    assert policies.find_http("known", 80, "GET", "/") is None


def test_after_so_many_hosts_the_rest_shares_one() -> None:
    policies = config_of(_EACH_ALONE)
    own = [shared_parts(policies, f"h{n}") for n in range(catch_all.MOST_HOSTS)]
    rest = [shared_parts(policies, f"late{n}") for n in range(3)]
    assert len({id(breaker) for breaker, _ in own}) == catch_all.MOST_HOSTS
    assert len({id(breaker) for breaker, _ in rest}) == 1
    assert rest[0][0] not in [breaker for breaker, _ in own]
    assert shared_parts(policies, "h0") == own[0]
    assert rest[0][0] in policies.pipeline("*").policies


def test_many_policies_of_one_name_are_meant_so(caplog: pytest.LogCaptureFixture) -> None:
    policies = config_of(_EACH_ALONE)
    with caplog.at_level(logging.WARNING, logger="otel_resilience"):
        held = [shared_parts(policies, host) for host in ("one", "two", "three")]
    assert (len(held), caplog.messages) == (3, [])


def test_threads_that_meet_at_a_host_get_one_set() -> None:
    policies = config_of(_EACH_ALONE)
    start = threading.Barrier(8)
    found: list[Guard] = []

    def look_up() -> None:
        start.wait()
        found.append(shared_parts(policies, "one")[0])

    threads = [threading.Thread(target=look_up) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8
    assert len({id(guard) for guard in found}) == 1
