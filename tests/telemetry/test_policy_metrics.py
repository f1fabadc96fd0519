"""What breakers and budgets show of themselves, with and without calls."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest

from otel_resilience import CircuitBreaker, RetryBudget
from otel_resilience.inventory import Inventory
from otel_resilience.testing import ManualClock
from tests.telemetry.observatory import Attributes, Observatory, attributes
from tests.telemetry.points import fail, of


@pytest.fixture
def policies() -> Inventory:
    return Inventory()


@pytest.fixture
def own(policies: Inventory) -> Iterator[Observatory]:
    """Shows the policies of ``policies`` alone."""
    with Observatory(policies=policies) as observatory:
        yield observatory


def status(name: str, **states: int) -> dict[Attributes, int]:
    every = {"closed": 0, "open": 0, "half_open": 0, "forced_open": 0, "forced_closed": 0, **states}
    return {
        attributes(resilience__policy__name=name, resilience__circuit_breaker__state=state): value
        for state, value in every.items()
    }


def transition(name: str, previous: str, state: str) -> Attributes:
    return attributes(
        resilience__policy__name=name,
        resilience__circuit_breaker__state=state,
        resilience__circuit_breaker__previous_state=previous,
    )


def test_a_breaker_is_shown_in_every_state_before_any_call(own: Observatory, policies: Inventory) -> None:
    breaker = CircuitBreaker()
    policies.add("circuit_breaker", "fresh", breaker)
    assert own.points("resilience.circuit_breaker.status") == status("fresh", closed=1)
    assert own.points("resilience.circuit_breaker.transitions") == {
        transition("fresh", "closed", "open"): 0,
        transition("fresh", "open", "half_open"): 0,
        transition("fresh", "half_open", "closed"): 0,
        transition("fresh", "half_open", "open"): 0,
    }


def test_collecting_changes_nothing(observatory: Observatory, manual_clock: ManualClock) -> None:
    guard = CircuitBreaker("metrics.scraped", failure_threshold=1, recovery_timeout=5.0)
    with pytest.raises(OSError, match="away"):
        guard.call(fail)
    manual_clock.advance(1_000.0)
    before = guard.snapshot()
    for _ in range(2):
        points = of(observatory.points("resilience.circuit_breaker.status"), "metrics.scraped")
        assert points == status("metrics.scraped", open=1)
    assert guard.snapshot() == before


def test_the_way_of_a_breaker_is_counted(observatory: Observatory, manual_clock: ManualClock) -> None:
    guard = CircuitBreaker("metrics.way", failure_threshold=1, recovery_timeout=5.0)
    for _ in range(2):
        with pytest.raises(OSError, match="away"):
            guard.call(fail)
        manual_clock.advance(60.0)
    guard.call(len, "")
    assert of(observatory.points("resilience.circuit_breaker.transitions"), "metrics.way") == {
        transition("metrics.way", "closed", "open"): 1,
        transition("metrics.way", "open", "half_open"): 2,
        transition("metrics.way", "half_open", "closed"): 1,
        transition("metrics.way", "half_open", "open"): 1,
    }
    guard.force_open()
    points = of(observatory.points("resilience.circuit_breaker.transitions"), "metrics.way")
    assert points[transition("metrics.way", "closed", "forced_open")] == 1


def test_breakers_of_one_name_are_shown_as_the_worst_that_lives(
    own: Observatory, policies: Inventory
) -> None:
    well, ill, forced = CircuitBreaker(), CircuitBreaker(failure_threshold=1), CircuitBreaker()
    for breaker in (well, ill, forced):
        policies.add("circuit_breaker", "twins", breaker)
    with pytest.raises(OSError, match="away"):
        ill.call(fail)
    assert own.points("resilience.circuit_breaker.status") == status("twins", open=1)
    forced.force_open()
    assert own.points("resilience.circuit_breaker.status") == status("twins", forced_open=1)
    del ill, forced, breaker
    gc.collect()
    assert own.points("resilience.circuit_breaker.status") == status("twins", closed=1)


def test_what_a_breaker_did_is_counted_after_it_is_gone(observatory: Observatory) -> None:
    guard = CircuitBreaker("metrics.gone", failure_threshold=1)
    with pytest.raises(OSError, match="away"):
        guard.call(fail)
    del guard
    gc.collect()
    assert of(observatory.points("resilience.circuit_breaker.status"), "metrics.gone") == status(
        "metrics.gone"
    )
    points = observatory.points("resilience.circuit_breaker.transitions")
    assert points[transition("metrics.gone", "closed", "open")] == 1


def test_budgets_of_one_name_are_added(own: Observatory, policies: Inventory) -> None:
    budgets = [RetryBudget(min_per_second=2.0), RetryBudget(ratio=0.0, min_per_second=0.5)]
    for budget in budgets:
        policies.add("retry_budget", "shared", budget)
    assert budgets[0].take(0.0)
    with ManualClock(0.0):
        key = attributes(resilience__policy__name="shared")
        assert own.points("resilience.retry_budget.limit") == {key: 25.0}
        assert own.points("resilience.retry_budget.available") == {key: 24.0}


def test_a_policy_that_cannot_be_read_spoils_no_collection(
    own: Observatory, policies: Inventory, monkeypatch: pytest.MonkeyPatch
) -> None:
    breaker = CircuitBreaker()
    policies.add("circuit_breaker", "well", breaker)

    def broken(budget: RetryBudget) -> float:
        raise RuntimeError("no reading")

    monkeypatch.setattr(RetryBudget, "limit", property(broken))
    budget = RetryBudget()
    policies.add("retry_budget", "broken", budget)
    assert own.points("resilience.circuit_breaker.status") == status("well", closed=1)
    assert own.points("resilience.retry_budget.limit") == {}
