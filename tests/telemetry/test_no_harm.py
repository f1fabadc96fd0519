"""Telemetry costs nothing where it is not needed, and never hurts."""

from __future__ import annotations

import asyncio
import logging
import os
import subprocess
import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.trace import NonRecordingSpan, NoOpTracer, Span, SpanContext, TraceFlags

from otel_resilience import (
    Backoff,
    CircuitBreaker,
    CircuitOpenError,
    DistributedTracer,
    Pipeline,
    Retry,
    Timeout,
)
from otel_resilience.events import Event
from otel_resilience.flow.call import Call
from otel_resilience.listener import LISTENERS
from otel_resilience.outcome import Outcome
from otel_resilience.telemetry import install, safely
from otel_resilience.telemetry.counts import Counts
from otel_resilience.telemetry.error_roots import ErrorRoots
from otel_resilience.telemetry.spans import SpanTracing, current_call_span_id
from tests.telemetry.observatory import Observatory

AT_ONCE = Backoff(initial=0.0, jitter="none")


def calls_into_opentelemetry(run: Callable[[], object]) -> list[str]:
    """The functions of the API and the SDK that ``run`` calls, in this thread."""
    seen: list[str] = []

    def profile(frame: FrameType, event: str, argument: Any) -> None:
        if event == "call" and f"{os.sep}opentelemetry{os.sep}" in frame.f_code.co_filename:
            seen.append(frame.f_code.co_qualname)

    sys.setprofile(profile)
    try:
        run()
    finally:
        sys.setprofile(None)
    return seen


def local_pipeline(name: str) -> Pipeline:
    return Pipeline(
        name, Timeout(5.0), Retry(on=OSError, backoff=AT_ONCE), CircuitBreaker(failure_threshold=1)
    )


def test_a_healthy_local_call_calls_nothing_of_opentelemetry(observatory: Observatory) -> None:
    guard = local_pipeline("harm.sync")
    breaker = CircuitBreaker("harm.block")

    async def coroutine() -> None:
        return None

    def block() -> None:
        with breaker:
            pass

    with observatory.tracer().start_as_current_span("work"):
        assert calls_into_opentelemetry(lambda: guard.call(len, "")) == []
        assert calls_into_opentelemetry(block) == []
        loop = asyncio.new_event_loop()
        try:
            assert calls_into_opentelemetry(lambda: loop.run_until_complete(guard.acall(coroutine))) == []
        finally:
            loop.close()
    # The spy sees what there is to see.
    traced = Pipeline("harm.traced", trace=True)
    assert "Histogram.record" in calls_into_opentelemetry(lambda: traced.call(len, ""))


def test_without_an_sdk_a_traced_call_makes_no_span_and_hurts_nobody() -> None:
    tracing = SpanTracing(NoOpTracer(), ErrorRoots(Counts()))
    scope = tracing.call_started("harm.api", "payments", False)
    assert scope is not None
    assert trace.get_current_span() is trace.INVALID_SPAN
    attempt = scope.attempt_started(1)
    assert attempt is not None
    assert trace.get_current_span() is trace.INVALID_SPAN
    attempt.finish(Outcome.SUCCESS, None)
    scope.finish(Call("harm.api"))
    assert current_call_span_id() is None


def test_without_an_sdk_the_callers_context_stays_current() -> None:
    remote = NonRecordingSpan(SpanContext(1, 2, is_remote=True, trace_flags=TraceFlags(1)))
    with trace.use_span(remote):
        scope = SpanTracing(NoOpTracer(), ErrorRoots(Counts())).call_started("harm.remote", None, True)
        assert scope is not None
        assert trace.get_current_span().get_span_context() == remote.get_span_context()
        scope.finish(Call("harm.remote"))
        assert trace.get_current_span() is remote


class Broken:
    """An SDK in which nothing works but being there."""

    def __getattr__(self, name: str) -> Any:
        def fail(*args: object, **kwargs: object) -> Any:
            raise RuntimeError(f"{name} is broken")

        return fail


class BrokenSpan(Broken, NonRecordingSpan):
    def __init__(self) -> None:
        NonRecordingSpan.__init__(self, SpanContext(1, 2, is_remote=False, trace_flags=TraceFlags(1)))

    def is_recording(self) -> bool:
        return True

    def set_attributes(self, attributes: object) -> None:
        raise RuntimeError("no attributes")

    def set_attribute(self, key: str, value: object) -> None:
        raise RuntimeError("no attribute")

    def add_event(self, *args: object, **kwargs: object) -> None:
        raise RuntimeError("no event")

    def end(self, end_time: int | None = None) -> None:
        raise RuntimeError("no end")


class BrokenAtTheEnd(NoOpTracer):
    def start_span(self, *args: Any, **kwargs: Any) -> Span:
        return BrokenSpan()


class BrokenAtTheStart(NoOpTracer):
    def start_span(self, *args: Any, **kwargs: Any) -> Span:
        raise RuntimeError("no span")


@pytest.mark.parametrize("tracer", [BrokenAtTheStart, BrokenAtTheEnd])
def test_a_broken_sdk_reaches_no_caller(
    observatory: Observatory,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    tracer: type[NoOpTracer],
) -> None:
    monkeypatch.setattr(safely, "_reported", set())
    monkeypatch.setattr(observatory.telemetry.tracing, "_tracer", tracer())
    monkeypatch.setattr(observatory.telemetry.listener, "_duration", Broken())
    monkeypatch.setattr(observatory.telemetry.listener._emitter, "_logger", Broken())
    guard = Pipeline(
        "harm.broken", Retry(on=OSError, backoff=AT_ONCE), CircuitBreaker(failure_threshold=2), trace=True
    )

    def fail() -> None:
        raise OSError("away")

    with caplog.at_level(logging.ERROR, "otel_resilience"):
        for _ in range(3):
            with pytest.raises((OSError, CircuitOpenError)):
                guard.call(fail)
    assert trace.get_current_span() is trace.INVALID_SPAN
    # Each thing that went wrong is said once, and telemetry goes on.
    assert caplog.messages
    assert len(caplog.messages) == len(set(caplog.messages))
    assert LISTENERS.active
    assert sum(observatory.points("resilience.executions").values()) == 3


@pytest.mark.parametrize("broken", [BrokenAtTheStart, BrokenAtTheEnd])
def test_a_broken_sdk_reaches_no_caller_of_a_span_by_hand(
    observatory: Observatory,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    broken: type[NoOpTracer],
) -> None:
    monkeypatch.setattr(safely, "_reported", set())
    by_hand = DistributedTracer()
    monkeypatch.setattr(by_hand, "_tracer", broken())
    with observatory.tracer().start_as_current_span("around") as around:
        for _ in range(2):
            with pytest.raises(OSError, match="away"), by_hand.trace("root"), by_hand.span("child"):
                raise OSError("away")
            assert trace.get_current_span() is around
    assert caplog.messages
    assert len(caplog.messages) == len(set(caplog.messages))


def test_a_listener_that_raises_is_dropped_and_ours_goes_on(
    observatory: Observatory, caplog: pytest.LogCaptureFixture
) -> None:
    told: list[Event] = []

    def broken(event: Event) -> None:
        told.append(event)
        raise RuntimeError("broken listener")

    LISTENERS.add(broken)
    with caplog.at_level(logging.ERROR, "otel_resilience"):
        Pipeline("harm.listener").call(len, "")
        Pipeline("harm.listener").call(len, "")
    assert len(told) == 1
    assert len(caplog.messages) == 1
    assert sum(observatory.points("resilience.executions").values()) == 2


def test_installing_twice_changes_nothing() -> None:
    installed = install.install()
    assert install.install() is installed
    assert LISTENERS._listeners.count(installed.listener) <= 1


def test_importing_the_package_wires_it_whenever_the_sdk_comes() -> None:
    script = """
import otel_resilience
from opentelemetry import metrics, trace
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from otel_resilience.context import service

otel_resilience.CircuitBreaker("early").call(len, "")
reader = InMemoryMetricReader()
metrics.set_meter_provider(MeterProvider([reader]))
trace.set_tracer_provider(TracerProvider(resource=Resource({"service.name": "orders"})))
data = reader.get_metrics_data()
names = {m.name for r in data.resource_metrics for s in r.scope_metrics for m in s.metrics}
scopes = {s.scope.name for r in data.resource_metrics for s in r.scope_metrics}
assert {"resilience.executions", "resilience.circuit_breaker.status"} <= names, names
assert scopes == {"otel_resilience"}, scopes
assert service.current().name == "orders"
"""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_importing_the_package_imports_no_sdk() -> None:
    script = "import sys, otel_resilience; print([m for m in sys.modules if m.startswith(('opentelemetry.sdk', 'grpc', 'requests'))])"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.strip() == "[]"
