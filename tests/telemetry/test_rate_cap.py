"""Log records are capped, and say what they stand for; changes of state never are."""

from __future__ import annotations

from otel_resilience import CircuitBreaker
from otel_resilience.events import ExecutionRejected
from otel_resilience.listener import LISTENERS
from otel_resilience.telemetry import rate_cap
from otel_resilience.testing import ManualClock
from tests.telemetry.events import log_events, span_events
from tests.telemetry.observatory import Observatory


def rejected(name: str) -> ExecutionRejected:
    return ExecutionRejected(
        name=name,
        policy_type="circuit_breaker",
        reason="circuit_open",
        enforced=True,
        error_code="CIRCUIT_OPEN",
    )


def test_log_records_are_capped_at_one_a_second_and_say_what_they_stand_for(
    observatory: Observatory, manual_clock: ManualClock
) -> None:
    with observatory.tracer().start_as_current_span("work"):
        for _ in range(4):
            LISTENERS.announce(rejected("events.flood"))
        LISTENERS.announce(rejected("events.other"))
        manual_clock.advance(0.999)
        LISTENERS.announce(rejected("events.flood"))
        manual_clock.advance(0.001)
        LISTENERS.announce(rejected("events.flood"))
        manual_clock.advance(1.0)
        LISTENERS.announce(rejected("events.flood"))
    assert [
        (told["resilience.policy.name"], told.get("resilience.suppressed_count"))
        for _, _, told in log_events(observatory)
    ] == [("events.flood", None), ("events.other", None), ("events.flood", 4), ("events.flood", None)]
    # A span holds what happened in its own call; there is nothing to cap.
    assert len(span_events(observatory, "work")) == 8


def test_changes_of_state_are_never_capped(observatory: Observatory, manual_clock: ManualClock) -> None:
    breaker = CircuitBreaker("events.uncapped")
    for _ in range(3):
        breaker.force_open()
        breaker.reset()
    assert len(log_events(observatory)) == 6


def test_the_cap_is_bounded(manual_clock: ManualClock) -> None:
    cap = rate_cap.RateCap()
    assert [cap.take(f"tenant{number}", "e") for number in range(rate_cap.MAX_KINDS)] == [
        0
    ] * rate_cap.MAX_KINDS
    assert cap.take("one more", "e") == 0
    assert cap.take("and another", "e") is None
    assert cap.take("tenant0", "e") is None
    manual_clock.advance(1.0)
    assert cap.take("and another", "e") == 1
