"""What was told on a span and in the log, for tests."""

from __future__ import annotations

from typing import Any

from opentelemetry._logs import SeverityNumber

from tests.telemetry.observatory import Observatory


def span_events(observatory: Observatory, span: str) -> list[tuple[str, dict[str, Any]]]:
    return [(event.name, dict(event.attributes or {})) for event in observatory.span(span).events]


def log_events(
    observatory: Observatory, name: str | None = None
) -> list[tuple[str, SeverityNumber, dict[str, Any]]]:
    found = []
    for readable in observatory.records:
        record = readable.log_record
        assert record.event_name is not None
        assert record.severity_number is not None
        assert record.timestamp is not None
        if name in (None, record.event_name):
            found.append((record.event_name, record.severity_number, dict(record.attributes or {})))
    return found
