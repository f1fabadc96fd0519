"""Spans put together into traces."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from otel_resilience.cli.demo.telemetry import Span


@dataclass(frozen=True, slots=True)
class Trace:
    """The spans of one trace, by start."""

    spans: tuple[Span, ...]

    @property
    def trace_id(self) -> str:
        """In lower-case hex."""
        return self.spans[0].trace_id

    @property
    def roots(self) -> tuple[Span, ...]:
        """Spans whose parent is not in the trace: one, where nothing got lost."""
        known = {span.span_id for span in self.spans}
        return tuple(span for span in self.spans if span.parent_id not in known)

    @property
    def services(self) -> frozenset[str]:
        """Who took part."""
        return frozenset(span.service for span in self.spans)

    def children(self, parent: Span) -> tuple[Span, ...]:
        """The spans directly under ``parent``, by start."""
        return tuple(span for span in self.spans if span.parent_id == parent.span_id)

    def of(self, *, service: str, kind: str) -> tuple[Span, ...]:
        """The spans of one kind that one service made, by start."""
        return tuple(span for span in self.spans if span.service == service and span.kind == kind)

    def guards(self, service: str) -> tuple[Span, ...]:
        """The INTERNAL spans around the guarded calls of ``service``, by start."""
        return tuple(span for span in self.of(service=service, kind="INTERNAL") if is_guard(span))


def is_guard(span: Span) -> bool:
    """Whether ``span`` stands for a guarded call."""
    return span.kind == "INTERNAL" and span.name.startswith("execute ")


def traces_of(spans: Iterable[Span]) -> Mapping[str, Trace]:
    """``spans`` by trace id."""
    sorted_by_trace: dict[str, list[Span]] = defaultdict(list)
    for span in spans:
        sorted_by_trace[span.trace_id].append(span)
    return {
        trace_id: Trace(tuple(sorted(group, key=lambda span: (span.start, span.end))))
        for trace_id, group in sorted_by_trace.items()
    }


def walk(trace: Trace) -> Iterator[tuple[int, Span]]:
    """Every span with its depth, each parent before its children."""
    waiting = [(0, span) for span in reversed(trace.roots)]
    while waiting:
        depth, span = waiting.pop()
        yield depth, span
        waiting += [(depth + 1, child) for child in reversed(trace.children(span))]
