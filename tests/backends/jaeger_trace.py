"""A trace as Jaeger's query API shows it, as values that tests read easily."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class JaegerSpan:
    """One span. `links` are (trace id, span id); `kind` is written as Jaeger does: `server`, `client`, `internal`."""

    id: str
    parent_id: str | None
    service: str
    name: str
    kind: str
    start: int
    tags: dict[str, Any]
    links: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class JaegerTrace:
    """All spans of one trace, in the order in which they began."""

    id: str
    spans: tuple[JaegerSpan, ...]

    def of(self, service: str, kind: str) -> list[JaegerSpan]:
        """The spans of a service and kind."""
        return [span for span in self.spans if (span.service, span.kind) == (service, kind)]

    def only(self, service: str, kind: str) -> JaegerSpan:
        """The one span of a service and kind; AssertionError if there is none, or more."""
        found = self.of(service, kind)
        assert len(found) == 1, f"{len(found)} {kind} spans of {service} in trace {self.id}"
        return found[0]

    def under(self, span: JaegerSpan) -> list[JaegerSpan]:
        """The children of a span."""
        return [child for child in self.spans if child.parent_id == span.id]


def read_trace(answer: dict[str, Any]) -> JaegerTrace:
    """One element of `data` in Jaeger's answer."""
    services = {key: process["serviceName"] for key, process in answer["processes"].items()}
    spans = [_read_span(answer["traceID"], span, services) for span in answer["spans"]]
    return JaegerTrace(id=answer["traceID"], spans=tuple(sorted(spans, key=lambda span: span.start)))


def _read_span(trace_id: str, span: dict[str, Any], services: dict[str, str]) -> JaegerSpan:
    tags = {tag["key"]: tag["value"] for tag in span["tags"]}
    parents = list(_references(span, "CHILD_OF"))
    assert all(parent_trace == trace_id for parent_trace, _ in parents)
    return JaegerSpan(
        id=span["spanID"],
        parent_id=parents[0][1] if parents else None,
        service=services[span["processID"]],
        name=span["operationName"],
        kind=tags.get("span.kind", "internal"),
        start=span["startTime"],
        tags=tags,
        links=tuple(_references(span, "FOLLOWS_FROM")),
    )


def _references(span: dict[str, Any], kind: str) -> Iterator[tuple[str, str]]:
    for reference in span["references"]:
        if reference["refType"] == kind:
            yield reference["traceID"], reference["spanID"]
