"""What fallbacks, hedges and faults emit, held against the list of names."""

from __future__ import annotations

import time

import pytest

from otel_resilience import Fallback, FaultInjectedError, FaultInjector, Hedge, Pipeline, RetryBudget
from otel_resilience.telemetry import names
from tests.telemetry.observatory import Observatory, attributes


def test_a_fallback_is_counted_and_told(observatory: Observatory) -> None:
    def fail() -> None:
        raise OSError

    assert Pipeline("p", Fallback("old"), trace=True).call(fail) == "old"
    assert observatory.points("resilience.fallbacks") == {
        attributes(resilience__policy__name="p", resilience__outcome="fallback"): 1
    }
    span = observatory.span("execute p")
    [event] = [each for each in span.events if each.name == names.FALLBACK_EXECUTED.name]
    assert set(event.attributes or {}) == names.FALLBACK_EXECUTED.attributes
    assert span.status.is_ok
    assert (span.attributes or {})["resilience.outcome"] == "fallback"


def test_a_hedge_is_counted_and_told(observatory: Observatory) -> None:
    calls: list[int] = []

    def slow_once() -> int:
        calls.append(1)
        number = len(calls)
        time.sleep(0.3 if number == 1 else 0.0)
        return number

    assert Pipeline("p", Hedge(after=0.02, budget=RetryBudget()), trace=True).call(slow_once) == 2
    assert observatory.points("resilience.hedges") == {
        attributes(resilience__policy__name="p", resilience__outcome="success"): 1
    }
    attempts = observatory.points("resilience.attempts")
    hedge = attributes(
        resilience__policy__name="p", resilience__attempt__type="hedge", resilience__outcome="success"
    )
    assert attempts[hedge] == 1
    [event] = [each for each in observatory.span("execute p").events if each.name == names.HEDGE_STARTED.name]
    assert set(event.attributes or {}) == names.HEDGE_STARTED.attributes
    assert (observatory.span("execute p").attributes or {})["resilience.attempt.count"] == 2


def test_a_fault_is_counted_and_marked_on_the_span(observatory: Observatory) -> None:
    with pytest.raises(FaultInjectedError):
        Pipeline("p", FaultInjector(), trace=True).call(print)
    assert observatory.points("resilience.faults") == {
        attributes(resilience__policy__name="p", resilience__outcome="failure"): 1
    }
    [event] = [
        each for span in observatory.spans for each in span.events if each.name == names.FAULT_INJECTED.name
    ]
    assert set(event.attributes or {}) == names.FAULT_INJECTED.attributes
    assert [record.log_record.event_name for record in observatory.records].count(
        names.FAULT_INJECTED.name
    ) == 1
