"""What happened, put together from what the customer saw and what the services said."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from otel_resilience.cli.demo.customer import Checkout, Phase, Visit
from otel_resilience.cli.demo.plan import Counts
from otel_resilience.cli.demo.telemetry import LogRecord, Point, Span, Telemetry
from otel_resilience.cli.demo.traces import Trace, is_guard, traces_of
from otel_resilience.telemetry import names

_STATE_CHANGED = "resilience.circuit_breaker.state_changed"


class Result(StrEnum):
    """What one checkout came to."""

    SUCCESS = "success"
    REJECTION = "rejection"
    FAILURE = "failure"


@dataclass(frozen=True, slots=True, kw_only=True)
class Episode:
    """One checkout and its trace; ``trace`` is ``None`` where the gateway said nothing of it."""

    checkout: Checkout
    trace: Trace | None

    @property
    def entry(self) -> Span | None:
        """The gateway's SERVER span, on which the whole story stands."""
        if self.trace is None:
            return None
        return next(iter(self.trace.of(service="gateway", kind="SERVER")), None)

    @property
    def result(self) -> Result:
        """By the status that the customer got; a rejection is a failure for which a guarded call was refused."""
        status = self.checkout.status
        if status is not None and status < 400:
            return Result.SUCCESS
        spans = () if self.trace is None else self.trace.spans
        if any(is_guard(span) and span.attributes.get(names.OUTCOME) == "rejected" for span in spans):
            return Result.REJECTION
        return Result.FAILURE


@dataclass(frozen=True, slots=True, kw_only=True)
class Transition:
    """A breaker went from ``previous`` to ``state`` at ``time`` (Unix nanoseconds); ``cause_*`` say what opened it."""

    time: int
    service: str
    policy: str
    previous: str
    state: str
    cause_service: str | None = None
    cause_code: str | None = None
    cause_trace_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """``transitions`` are those that the spans tell, ``logged`` those that the log records tell; both by time."""

    visit: Visit
    episodes: tuple[Episode, ...]
    transitions: tuple[Transition, ...]
    logged: tuple[Transition, ...]
    points: tuple[Point, ...]

    def of(self, phase: Phase, result: Result | None = None) -> tuple[Episode, ...]:
        """The episodes of ``phase``, all or those of one result."""
        return tuple(
            episode
            for episode in self.episodes
            if episode.checkout.phase is phase and (result is None or episode.result is result)
        )

    def counts(self, phase: Phase) -> Counts:
        """What the checkouts of ``phase`` came to."""
        return Counts(
            successes=len(self.of(phase, Result.SUCCESS)),
            rejections=len(self.of(phase, Result.REJECTION)),
            failures=len(self.of(phase, Result.FAILURE)),
        )

    def streams(self, service: str, metric: str) -> dict[frozenset[tuple[str, Any]], list[float]]:
        """The values over time of each stream of ``metric`` that ``service`` reported, by attributes."""
        streams: dict[frozenset[tuple[str, Any]], list[float]] = {}
        for point in sorted(self.points, key=lambda point: point.time):
            if point.service == service and point.name == metric:
                streams.setdefault(frozenset(point.attributes.items()), []).append(point.value)
        return streams


def tell(visit: Visit, telemetry: Telemetry) -> Story:
    """The story of ``visit`` by the telemetry that has arrived."""
    spans = telemetry.spans
    traces = traces_of(spans)
    return Story(
        visit=visit,
        episodes=tuple(
            Episode(checkout=checkout, trace=_trace_of(checkout, traces)) for checkout in visit.checkouts
        ),
        transitions=_by_time(_told_by_spans(spans)),
        logged=_by_time(_told_by_logs(telemetry.logs)),
        points=telemetry.points,
    )


def _trace_of(checkout: Checkout, traces: Mapping[str, Trace]) -> Trace | None:
    """Found by time alone, for the checkouts come one after the other: what is being judged must not find its own evidence."""
    for trace in traces.values():
        for entry in trace.of(service="gateway", kind="SERVER"):
            if checkout.started <= entry.start and entry.end <= checkout.ended:
                return trace
    return None


def _told_by_spans(spans: Iterable[Span]) -> Iterator[Transition]:
    for span in spans:
        for event in span.events:
            if event.name == _STATE_CHANGED:
                yield _transition(event.time, span.service, event.attributes)


def _told_by_logs(logs: Iterable[LogRecord]) -> Iterator[Transition]:
    for record in logs:
        if record.event_name == _STATE_CHANGED:
            yield _transition(record.time, record.service, record.attributes)


def _transition(time: int, service: str, attributes: Mapping[str, Any]) -> Transition:
    return Transition(
        time=time,
        service=service,
        policy=str(attributes.get(names.POLICY_NAME, "")),
        previous=str(attributes.get(names.BREAKER_PREVIOUS_STATE, "")),
        state=str(attributes.get(names.BREAKER_STATE, "")),
        cause_service=attributes.get(names.CAUSE_SERVICE),
        cause_code=attributes.get(names.CAUSE_CODE),
        cause_trace_id=attributes.get(names.CAUSE_TRACE_ID),
    )


def _by_time(transitions: Iterable[Transition]) -> tuple[Transition, ...]:
    return tuple(sorted(transitions, key=lambda transition: transition.time))
