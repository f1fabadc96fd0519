"""What the shop's services said of themselves: spans, metric points and log records, as plain frozen values."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

Attributes = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class SpanEvent:
    """``time`` in Unix nanoseconds."""

    name: str
    time: int
    attributes: Attributes = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """Ids in lower-case hex, times in Unix nanoseconds; ``kind`` and ``status`` as the protocol names them."""

    trace_id: str
    span_id: str
    service: str
    name: str
    kind: str
    start: int
    end: int
    parent_id: str | None = None
    status: str = "UNSET"
    scope: str = ""
    attributes: Attributes = field(default_factory=dict)
    events: tuple[SpanEvent, ...] = ()

    @property
    def milliseconds(self) -> float:
        """How long it took."""
        return (self.end - self.start) / 1e6


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """One number of one metric stream at ``time`` (Unix nanoseconds). Histograms are not kept."""

    service: str
    name: str
    time: int
    value: float
    attributes: Attributes = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class LogRecord:
    """A log record; ``event_name`` is empty where it is no event, ``trace_id`` (hex) where it was in none."""

    service: str
    time: int
    severity: str
    event_name: str
    body: Any
    trace_id: str = ""
    attributes: Attributes = field(default_factory=dict)


class Telemetry:
    """All that has arrived so far. Safe from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()  # guards the three lists; nothing else happens inside
        self._spans: list[Span] = []
        self._points: list[Point] = []
        self._logs: list[LogRecord] = []

    def add(
        self,
        *,
        spans: Iterable[Span] = (),
        points: Iterable[Point] = (),
        logs: Iterable[LogRecord] = (),
    ) -> None:
        """Keep what has arrived."""
        new_spans, new_points, new_logs = list(spans), list(points), list(logs)
        with self._lock:
            self._spans += new_spans
            self._points += new_points
            self._logs += new_logs

    @property
    def spans(self) -> tuple[Span, ...]:
        """In the order in which they arrived."""
        with self._lock:
            return tuple(self._spans)

    @property
    def points(self) -> tuple[Point, ...]:
        """In the order in which they arrived."""
        with self._lock:
            return tuple(self._points)

    @property
    def logs(self) -> tuple[LogRecord, ...]:
        """In the order in which they arrived."""
        with self._lock:
            return tuple(self._logs)
