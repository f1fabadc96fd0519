"""Exceptions on record: once with their stack, where the story begins."""

from __future__ import annotations

import pytest
from opentelemetry._logs import SeverityNumber
from opentelemetry.trace import SpanKind

from otel_resilience import CircuitOpenError, Pipeline, RemoteError
from otel_resilience.events import ExecutionFailed
from otel_resilience.listener import LISTENERS
from tests.telemetry.clients import ledger_chain
from tests.telemetry.events import log_events, span_events
from tests.telemetry.observatory import Observatory


def fail() -> None:
    raise OSError("away")


def test_an_exception_is_recorded_with_its_stack_where_it_began(observatory: Observatory) -> None:
    guard = Pipeline("events.stack", trace=True)
    with pytest.raises(OSError, match="away"):
        guard.call(fail)
    [(name, told)] = span_events(observatory, "execute events.stack")
    stack = told.pop("exception.stacktrace")
    assert name == "resilience.execution.exception"
    assert told == {
        "resilience.policy.name": "events.stack",
        "resilience.error.code": "INTERNAL",
        "exception.type": "OSError",
        "exception.message": "away",
    }
    assert 'raise OSError("away")' in stack
    assert log_events(observatory) == [(name, SeverityNumber.WARN, {**told, "exception.stacktrace": stack})]


def test_the_stack_is_recorded_once_for_nested_guards(observatory: Observatory) -> None:
    outer, inner = Pipeline("events.outer", trace=True), Pipeline("events.inner", trace=True)
    with pytest.raises(OSError, match="away"):
        outer.call(inner.call, fail)
    [(_, told_inside)] = span_events(observatory, "execute events.inner")
    [(_, told_outside)] = span_events(observatory, "execute events.outer")
    assert "exception.stacktrace" in told_inside
    assert "exception.stacktrace" not in told_outside


def test_an_exception_raised_from_one_on_record_is_the_same_story(observatory: Observatory) -> None:
    outer, inner = Pipeline("events.wrapped", trace=True), Pipeline("events.wrapped.inside", trace=True)

    def wrap() -> None:
        try:
            inner.call(fail)
        except OSError as error:
            raise LookupError("no stock") from error

    with observatory.tracer().start_as_current_span("POST /charge", kind=SpanKind.SERVER):
        with pytest.raises(LookupError) as caught:
            outer.call(wrap)
        answered_with(raised(caught.value))
    stacks = ["exception.stacktrace" in told for _, _, told in log_events(observatory)]
    assert stacks == [True, False]


def test_an_exception_met_while_another_is_handled_is_a_story_of_its_own(observatory: Observatory) -> None:
    inner = Pipeline("events.handled", trace=True)

    def stumble() -> None:
        try:
            inner.call(fail)
        except OSError:
            {}["key"]

    with observatory.tracer().start_as_current_span("job"), pytest.raises(KeyError):
        Pipeline("events.stumbled", trace=True).call(stumble)
    assert all("exception.stacktrace" in told for _, _, told in log_events(observatory))


def test_a_stack_is_bounded_whatever_the_exception_says(observatory: Observatory) -> None:
    def fail_at_length() -> None:
        raise OSError("away" * 1_000_000)

    with pytest.raises(OSError, match="away"):
        Pipeline("events.long", trace=True).call(fail_at_length)
    [(_, told)] = span_events(observatory, "execute events.long")
    assert len(told["exception.stacktrace"]) < 70_000
    assert "in fail_at_length" in told["exception.stacktrace"]


def test_a_remote_failure_has_no_stack(observatory: Observatory) -> None:
    def remote() -> None:
        raise RemoteError(ledger_chain())

    with pytest.raises(RemoteError):
        Pipeline("events.remote", trace=True).call(remote)
    [(_, told)] = span_events(observatory, "execute events.remote")
    assert "exception.stacktrace" not in told
    assert told["exception.type"] == "otel_resilience.errors.remote.RemoteError"


def test_what_ends_a_request_is_logged_where_it_began_and_not_written_on_a_span_of_others(
    observatory: Observatory,
) -> None:
    with observatory.tracer().start_as_current_span("POST /charge", kind=SpanKind.SERVER):
        answered_with(raised(OSError("away")))
    assert span_events(observatory, "POST /charge") == []
    [(name, severity, told)] = log_events(observatory)
    assert (name, severity) == ("resilience.execution.exception", SeverityNumber.WARN)
    assert told["resilience.policy.name"] == "orders"
    assert "OSError: away" in told["exception.stacktrace"]


def test_what_a_call_has_recorded_is_not_recorded_again_by_the_request_that_it_ends(
    observatory: Observatory,
) -> None:
    with observatory.tracer().start_as_current_span("POST /charge", kind=SpanKind.SERVER):
        with pytest.raises(OSError, match="away") as caught:
            Pipeline("events.inside", trace=True).call(fail)
        answered_with(caught.value)
        answered_with(raised(CircuitOpenError("not called")))
    assert len(log_events(observatory)) == 1


def raised(error: Exception) -> Exception:
    try:
        raise error
    except type(error) as caught:
        return caught


def answered_with(error: Exception) -> None:
    LISTENERS.announce(
        ExecutionFailed(name="orders", error=error, error_code="INTERNAL", remote=False, on_span=False)
    )


def test_an_exception_without_a_text_is_recorded_all_the_same(observatory: Observatory) -> None:
    class Mute(Exception):
        __slots__ = ()

        def __str__(self) -> str:
            raise RuntimeError("no text")

    def fail_mutely() -> None:
        raise Mute

    with pytest.raises(Mute):
        Pipeline("events.mute", trace=True).call(fail_mutely)
    [(_, told)] = span_events(observatory, "execute events.mute")
    assert told["exception.message"] == "<Mute whose text cannot be made>"
