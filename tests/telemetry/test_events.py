"""Events, on spans and as log records: what they tell, how severe they are, where they go."""

from __future__ import annotations

import logging
from collections.abc import Mapping

import pytest
from opentelemetry._logs import SeverityNumber

from otel_resilience import Backoff, CircuitBreaker, CircuitOpenError, Pipeline, Retry
from otel_resilience.events import CircuitStateChanged
from otel_resilience.listener import LISTENERS
from otel_resilience.telemetry import names
from otel_resilience.telemetry.events import Signals
from otel_resilience.testing import ManualClock
from tests.telemetry.clients import HTTP, LEDGER_TRACE, Response, get, ledger_chain
from tests.telemetry.events import log_events, span_events
from tests.telemetry.observatory import Observatory

AT_ONCE = Backoff(initial=0.0, jitter="none")


def fail() -> None:
    raise OSError("away")


def test_what_opened_a_circuit_is_told_on_the_span_and_in_the_log(observatory: Observatory) -> None:
    guard = Pipeline("events.opened", CircuitBreaker(failure_threshold=1), trace=True)
    guard.execute(get(observatory.tracer(), Response(503, ledger_chain())), dialect=HTTP)
    told = {
        "resilience.policy.name": "events.opened",
        "resilience.circuit_breaker.state": "open",
        "resilience.circuit_breaker.previous_state": "closed",
        "resilience.circuit_breaker.signal": "threshold_reached",
        "resilience.circuit_breaker.cause.service": "ledger",
        "resilience.circuit_breaker.cause.code": "DB_UNAVAILABLE",
        "resilience.circuit_breaker.cause.trace_id": LEDGER_TRACE,
    }
    name = "resilience.circuit_breaker.state_changed"
    assert span_events(observatory, "execute events.opened") == [(name, told)]
    assert log_events(observatory) == [(name, SeverityNumber.WARN, told)]


def test_log_records_belong_to_the_span_of_the_call(observatory: Observatory) -> None:
    guard = Pipeline("events.where", CircuitBreaker(failure_threshold=1), trace=True)
    with pytest.raises(OSError, match="away"):
        guard.call(fail)
    context = observatory.span("execute events.where").get_span_context()
    assert context is not None
    assert {(record.log_record.trace_id, record.log_record.span_id) for record in observatory.records} == {
        (context.trace_id, context.span_id)
    }


def test_events_of_a_local_guard_are_on_the_current_span(observatory: Observatory) -> None:
    guard = CircuitBreaker("events.local", failure_threshold=1)
    with observatory.tracer().start_as_current_span("work"), pytest.raises(OSError, match="away"):
        guard.call(fail)
    with observatory.tracer().start_as_current_span("more"), pytest.raises(CircuitOpenError):
        guard.call(fail)
    names_of_events = [
        event.name for span in observatory.spans for event in span.events if event.name != "exception"
    ]
    assert names_of_events == ["resilience.circuit_breaker.state_changed", "resilience.execution.rejected"]


@pytest.mark.parametrize(
    ("state", "severity"),
    [
        ("open", SeverityNumber.WARN),
        ("forced_open", SeverityNumber.WARN),
        ("half_open", SeverityNumber.INFO),
        ("closed", SeverityNumber.INFO),
        ("forced_closed", SeverityNumber.INFO),
    ],
)
def test_only_opening_is_a_warning(observatory: Observatory, state: str, severity: SeverityNumber) -> None:
    LISTENERS.announce(CircuitStateChanged(name="b", state=state, previous_state="closed", signal="reset"))
    [(_, told, _)] = log_events(observatory)
    assert told is severity


def test_severities_are_those_of_the_contract() -> None:
    assert {event.name: event.severity for event in names.EVENTS} == {
        "resilience.circuit_breaker.state_changed": SeverityNumber.INFO,
        "resilience.execution.rejected": SeverityNumber.WARN,
        "resilience.retry.scheduled": SeverityNumber.DEBUG,
        "resilience.retry.exhausted": SeverityNumber.WARN,
        "resilience.execution.timed_out": SeverityNumber.WARN,
        "resilience.execution.exception": SeverityNumber.WARN,
        "resilience.fallback.executed": SeverityNumber.INFO,
        "resilience.hedge.started": SeverityNumber.DEBUG,
        "resilience.fault.injected": SeverityNumber.INFO,
    }
    assert [event.name for event in names.EVENTS if not event.capped] == [
        "resilience.circuit_breaker.state_changed"
    ]


def test_a_retry_is_told_with_its_delay_and_its_reason(
    observatory: Observatory, manual_clock: ManualClock
) -> None:
    backoff = Backoff(initial=0.5, jitter="none")
    guard = Pipeline("events.retry", Retry(on=OSError, backoff=backoff, max_attempts=2), trace=True)
    with pytest.raises(OSError, match="away"):
        guard.call(fail)
    failure = {"error.type": "OSError", "resilience.error.code": "INTERNAL"}
    policy = {"resilience.policy.name": "events.retry"}
    assert span_events(observatory, "execute events.retry")[:2] == [
        (
            "resilience.retry.scheduled",
            {**policy, "resilience.attempt.number": 2, "resilience.retry.delay": 0.5, **failure},
        ),
        ("resilience.retry.exhausted", {**policy, "resilience.attempt.count": 2, **failure}),
    ]


def test_our_own_refusal_is_one_event_not_two(observatory: Observatory) -> None:
    guard = Pipeline("events.refused", CircuitBreaker(), trace=True)
    breaker = guard.policies[0]
    assert isinstance(breaker, CircuitBreaker)
    breaker.force_open()
    with pytest.raises(CircuitOpenError):
        guard.call(fail)
    [(name, told)] = span_events(observatory, "execute events.refused")
    assert name == "resilience.execution.rejected"
    assert told == {
        "resilience.policy.name": "events.refused",
        "resilience.policy.type": "circuit_breaker",
        "resilience.rejection.reason": "circuit_open",
        "resilience.enforced": True,
        "resilience.error.code": "CIRCUIT_OPEN",
    }


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({}, (True, True, True)),
        ({"OTEL_RESILIENCE_EVENTS": "both"}, (True, True, True)),
        ({"OTEL_RESILIENCE_EVENTS": " SPAN "}, (True, False, True)),
        ({"OTEL_RESILIENCE_EVENTS": "log"}, (False, True, False)),
        ({"OTEL_RESILIENCE_EVENTS": "none"}, (False, False, False)),
        ({"OTEL_SEMCONV_EXCEPTION_SIGNAL_OPT_IN": "logs"}, (True, True, False)),
        ({"OTEL_SEMCONV_EXCEPTION_SIGNAL_OPT_IN": "logs/dup"}, (True, True, True)),
        # Never lost: without log records the spans keep what the variable would take from them.
        (
            {"OTEL_SEMCONV_EXCEPTION_SIGNAL_OPT_IN": "logs", "OTEL_RESILIENCE_EVENTS": "span"},
            (True, False, True),
        ),
    ],
)
def test_where_events_go(environment: Mapping[str, str], expected: tuple[bool, bool, bool]) -> None:
    signals = Signals.from_environment(environment)
    assert (signals.span, signals.log, signals.exception_on_span) == expected


def test_a_bad_choice_is_said_and_not_used(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "otel_resilience"):
        assert Signals.from_environment({"OTEL_RESILIENCE_EVENTS": "spans"}) == Signals()
    assert caplog.messages == [
        "OTEL_RESILIENCE_EVENTS='spans' is not used: it must be one of both, span, log, none"
    ]


@pytest.mark.parametrize(
    ("signals", "on_span", "as_log"),
    [
        (Signals(), 3, 3),
        (Signals(log=False), 3, 0),
        (Signals(span=False, exception_on_span=False), 0, 3),
        (Signals(exception_on_span=False), 2, 3),
        (Signals(span=False, log=False, exception_on_span=False), 0, 0),
    ],
)
def test_events_go_where_they_are_wanted(signals: Signals, on_span: int, as_log: int) -> None:
    with Observatory(signals=signals) as observatory:
        guard = Pipeline("events.wanted", Retry(on=OSError, backoff=AT_ONCE, max_attempts=2), trace=True)
        with pytest.raises(OSError, match="away"):
            guard.call(fail)
        assert len(span_events(observatory, "execute events.wanted")) == on_span
        assert len(log_events(observatory)) == as_log
