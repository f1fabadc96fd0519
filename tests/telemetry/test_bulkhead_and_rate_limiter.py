"""What telemetry says of bulkheads and rate limiters, in the words of the contract and in no others."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from otel_resilience import Bulkhead, BulkheadFullError, Pipeline, RateLimitedError, RateLimiter
from otel_resilience.inventory import Inventory
from otel_resilience.policies.bulkhead import policy
from otel_resilience.telemetry import names
from otel_resilience.telemetry.names import Instrument
from otel_resilience.testing import ManualClock
from tests.flow.holder import Holder
from tests.telemetry.observatory import Observatory, attributes

CONTRACT = {
    "resilience.bulkhead.usage",
    "resilience.bulkhead.limit",
    "resilience.bulkhead.queue.usage",
    "resilience.bulkhead.queue.limit",
}
MINE = attributes(resilience__policy__name="mine")


@pytest.fixture
def observed(monkeypatch: pytest.MonkeyPatch) -> Iterator[Observatory]:
    """Bulkheads of this test alone."""
    policies = Inventory()
    monkeypatch.setattr(policy, "POLICIES", policies)
    with Observatory(policies=policies) as observatory:
        yield observatory
    Holder.end_all()


def gauges(observed: Observatory) -> dict[str, dict[object, object]]:
    return {name: dict(observed.points(name)) for name in observed.metrics if name in CONTRACT}


def test_the_names_are_those_of_the_contract() -> None:
    listed = [metric for metric in names.METRICS if "bulkhead" in metric.name or "rate_limit" in metric.name]
    assert {metric.name for metric in listed} == CONTRACT
    assert {(metric.instrument, metric.unit, metric.attributes) for metric in listed} == {
        (Instrument.OBSERVABLE_UP_DOWN_COUNTER, "{execution}", ("resilience.policy.name",))
    }


def test_the_types_and_reasons_are_listed_as_they_are_emitted() -> None:
    assert {Bulkhead.policy_type, RateLimiter.policy_type} <= names.VALUES[names.POLICY_TYPE]
    assert {"bulkhead_full", "rate_limited"} <= names.VALUES[names.REJECTION_REASON]


def test_gauges_show_who_runs_and_who_waits(observed: Observatory) -> None:
    bulkhead = Bulkhead("mine", max_concurrency=2, max_queue=3)
    shadow = Pipeline("mine", bulkhead, mode="shadow")  # its third call would wait, and is shown so
    for _ in range(3):
        Holder(shadow)
    assert gauges(observed) == {
        "resilience.bulkhead.usage": {MINE: 2},
        "resilience.bulkhead.limit": {MINE: 2},
        "resilience.bulkhead.queue.usage": {MINE: 1},
        "resilience.bulkhead.queue.limit": {MINE: 3},
    }
    Holder.end_all()
    assert gauges(observed)["resilience.bulkhead.usage"] == {MINE: 0}
    assert gauges(observed)["resilience.bulkhead.queue.usage"] == {MINE: 0}


def test_bulkheads_of_one_name_are_added_and_gone_ones_are_not_shown(observed: Observatory) -> None:
    first, second = Bulkhead("mine", max_concurrency=2), Bulkhead("mine", max_concurrency=5)
    Holder(first)
    Holder(second)
    assert gauges(observed)["resilience.bulkhead.usage"] == {MINE: 2}
    assert gauges(observed)["resilience.bulkhead.limit"] == {MINE: 7}
    Holder.end_all()
    del first, second
    assert not any(gauges(observed).values())


def test_bulkheads_without_a_limit_to_speak_of_break_no_export(observed: Observatory) -> None:
    made = [Bulkhead("mine", max_concurrency=2**63 - 1, max_queue=2**63 - 1) for _ in range(2)]
    assert gauges(observed)["resilience.bulkhead.limit"] == {MINE: 2**63 - 1}
    assert gauges(observed)["resilience.bulkhead.queue.limit"] == {MINE: 2**63 - 1}
    assert len(made) == 2


def test_looking_changes_nothing(observed: Observatory) -> None:
    bulkhead = Bulkhead("mine", max_concurrency=1, max_queue=1)
    Holder(bulkhead)
    with bulkhead._lock:  # nor does a collection wait for those who decide
        assert gauges(observed) == gauges(observed)


def test_refusals_are_counted_and_told(observed: Observatory) -> None:
    bulkhead, limiter = Bulkhead("full", max_concurrency=1), RateLimiter("often", rate=1.0)
    Holder(bulkhead)
    with ManualClock():
        limiter.call(lambda: None)
        with pytest.raises(RateLimitedError):
            limiter.call(lambda: None)
        Pipeline("often", limiter, mode="shadow").call(lambda: None)
    with pytest.raises(BulkheadFullError):
        bulkhead.call(lambda: None)
    rejections = {
        tuple(dict(series)[key] for key in names.REJECTIONS.attributes): value
        for series, value in observed.points("resilience.rejections").items()
    }
    assert rejections == {
        ("often", "rate_limiter", "rate_limited", True): 1,
        ("often", "rate_limiter", "rate_limited", False): 1,
        ("full", "bulkhead", "bulkhead_full", True): 1,
    }
    told = [dict(each.log_record.attributes or {}) for each in observed.records]
    assert [each.log_record.event_name for each in observed.records] == [
        "resilience.execution.rejected"
    ] * len(told)
    assert {each["resilience.error.code"] for each in told} == {"RATE_LIMITED", "BULKHEAD_FULL"}
    (limited,) = [each for each in told if each["resilience.error.code"] == "RATE_LIMITED"]
    assert limited["resilience.rejection.retry_after"] == pytest.approx(1.0)
    assert all(set(each) <= names.EXECUTION_REJECTED.attributes for each in told)
