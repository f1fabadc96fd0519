"""The ratios of circuit breakers as a collection reads them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from otel_resilience import CircuitBreaker
from otel_resilience.inventory import POLICIES, Inventory
from otel_resilience.policies.circuit_breaker import policy
from otel_resilience.telemetry import names
from otel_resilience.testing import ManualClock
from tests.flow.flaky import Flaky
from tests.telemetry.observatory import Observatory, attributes

FAILURES = names.BREAKER_FAILURE_RATIO.name
SLOW = names.BREAKER_SLOW_CALL_RATIO.name
STATUS = names.BREAKER_STATUS.name
MINE = attributes(resilience__policy__name="mine")


@pytest.fixture
def observed(monkeypatch: pytest.MonkeyPatch) -> Iterator[Observatory]:
    """Breakers of this test alone."""
    policies = Inventory()
    monkeypatch.setattr(policy, "POLICIES", policies)
    with Observatory(policies=policies) as observatory:
        yield observatory


def end(breaker: CircuitBreaker, *, failed: bool) -> None:
    try:
        breaker.call(Flaky(int(failed)))
    except OSError:
        assert failed


def status(observed: Observatory) -> str:
    (state,) = [
        dict(series)[names.BREAKER_STATE]
        for series, value in observed.points(STATUS).items()
        if value == 1 and dict(series)[names.POLICY_NAME] == "mine"
    ]
    return str(state)


def test_the_names_are_those_of_the_contract() -> None:
    assert (FAILURES, SLOW) == (
        "resilience.circuit_breaker.failure_ratio",
        "resilience.circuit_breaker.slow_call_ratio",
    )


def test_the_share_of_failures_is_told_from_the_first_moment(observed: Observatory) -> None:
    breaker = CircuitBreaker("mine")
    assert observed.points(FAILURES) == {MINE: 0.0}
    for failed in (True, False, False, True):
        end(breaker, failed=failed)
    assert observed.points(FAILURES) == {MINE: 0.5}
    assert breaker.snapshot().failure_ratio == 0.5


def test_slowness_is_told_where_it_is_said_what_is_slow(observed: Observatory) -> None:
    unaware = CircuitBreaker("unaware")
    breaker = CircuitBreaker("mine", slow_call_seconds=1.0)
    with ManualClock() as clock:
        for seconds in (0.5, 1.0, 3.0, 0.0):
            for each in (breaker, unaware):
                each.call(clock.advance, seconds)
        assert observed.points(SLOW) == {MINE: 0.5}
        assert breaker.snapshot().slow_ratio == 0.5


def test_breakers_of_one_name_weigh_by_their_calls_and_the_worst_is_shown(observed: Observatory) -> None:
    parent = CircuitBreaker("mine", failure_threshold=3)
    end(parent.for_key("small"), failed=True)
    for _ in range(3):
        end(parent.for_key("large"), failed=False)
    assert observed.points(FAILURES) == {MINE: 0.25}
    assert status(observed) == "closed"
    for _ in range(3):
        end(parent.for_key("sick"), failed=True)
    assert observed.points(FAILURES) == {MINE: 4 / 7}
    assert status(observed) == "open"


def test_ten_thousand_keys_are_one_series(observed: Observatory) -> None:
    parent = CircuitBreaker("mine")
    for number in range(500):
        end(parent.for_key(number), failed=False)
    assert len(observed.points(FAILURES)) == 1
    assert len(observed.points(STATUS)) == 5


def test_a_collection_changes_nothing(observed: Observatory) -> None:
    with ManualClock() as clock:
        breaker = CircuitBreaker("mine", failure_rate=0.5, window_seconds=10.0, minimum_calls=1)
        end(breaker, failed=True)
        before = breaker.snapshot()
        assert observed.points(FAILURES) == {MINE: 1.0}
        assert breaker.snapshot() == before
        clock.advance(1e6)
        assert observed.points(FAILURES) == {MINE: 0.0}
        assert status(observed) == "open"


def test_a_breaker_that_is_gone_has_no_ratio(observed: Observatory) -> None:
    breaker = CircuitBreaker("mine")
    end(breaker, failed=False)
    del breaker
    assert observed.points(FAILURES) == {}
    assert "mine" not in POLICIES.live("circuit_breaker")


def test_what_opened_it_is_the_signal_of_the_event(observed: Observatory) -> None:
    breaker = CircuitBreaker("mine", failure_rate=0.5, minimum_calls=1)
    end(breaker, failed=True)
    (record,) = [each for each in observed.records if each.log_record.event_name == names.STATE_CHANGED.name]
    assert (record.log_record.attributes or {})[names.BREAKER_SIGNAL] == "failure_rate_reached"
