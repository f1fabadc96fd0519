"""One trace as a tree that a person reads: who called whom, how often, and where it broke."""

from __future__ import annotations

import grpc
from rich.text import Text
from rich.tree import Tree

from otel_resilience.cli.demo.telemetry import Span
from otel_resilience.cli.demo.traces import Trace, is_guard
from otel_resilience.telemetry import names

#: Where the instrumentations put the answer of a call, newer names first.
_ANSWERS = (
    "http.response.status_code",
    "http.status_code",
    "rpc.response.status_code",
    "rpc.grpc.status_code",
)
_GRPC_STATUSES = {number: status.name for status in grpc.StatusCode for number in (status.value[0],)}
_KINDS = {"SERVER": "green", "CLIENT": "cyan", "INTERNAL": "magenta"}


def tree_of(trace: Trace) -> Tree:
    """``trace`` for printing with rich. The root of the error chain is marked."""
    top = Tree(Text(f"trace {trace.trace_id}", style="dim"), guide_style="dim")
    waiting = [(top, span) for span in trace.roots]
    while waiting:
        above, span = waiting.pop(0)
        branch = above.add(_line(trace, span))
        waiting += [(branch, child) for child in trace.children(span)]
    return top


def answer_of(span: Span) -> str | None:
    """What the call came to: the HTTP status, or the name of the gRPC status."""
    for name in _ANSWERS:
        value = span.attributes.get(name)
        if value is None:
            continue
        return _GRPC_STATUSES.get(value, str(value)) if name.startswith("rpc.") else str(value)
    return None


def chain_of(span: Span) -> str | None:
    """The error chain on ``span``, root first: ``ledger DB_UNAVAILABLE ← payments UNAVAILABLE``."""
    services = span.attributes.get(names.ERROR_CHAIN_SERVICES)
    codes = span.attributes.get(names.ERROR_CHAIN_CODES)
    if not isinstance(services, list) or not isinstance(codes, list):
        return None
    return " ← ".join(f"{service} {code}" for service, code in zip(services, codes, strict=False))


def _line(trace: Trace, span: Span) -> Text:
    line = Text(no_wrap=False)
    line.append(f"{span.service} ", style="bold")
    line.append(span.name)
    line.append(f"  {span.kind}", style=_KINDS.get(span.kind, ""))
    answer = answer_of(span)
    if answer is not None:
        line.append(f"  {answer}", style="red" if span.status == "ERROR" else "")
    if span.status == "ERROR":
        line.append("  ERROR", style="bold red")
    line.append(f"  {span.milliseconds:.0f} ms", style="dim")
    for note in (*_attempt_notes(span), *_guard_notes(span)):
        line.append(f"\n  {note}", style="yellow")
    chain = chain_of(span)
    if chain is not None and span.kind == "SERVER":
        line.append("\n  chain: ", style="dim").append(chain, style="red")
    if _is_root(trace, span):
        line.append("\n  ↑ root of the error", style="bold red")
    return line


def _attempt_notes(span: Span) -> list[str]:
    number = span.attributes.get(names.ATTEMPT_NUMBER)
    if number is None:
        return []
    resent = span.attributes.get(names.HTTP_RESEND_COUNT)
    return [f"attempt {number}" if resent is None else f"attempt {number}, resend_count {resent}"]


def _guard_notes(span: Span) -> list[str]:
    if not is_guard(span):
        return []
    has = span.attributes
    notes = [f"outcome {has.get(names.OUTCOME)}, attempts {has.get(names.ATTEMPT_COUNT, 0)}"]
    if names.BREAKER_STATE in has:
        notes[0] += f", circuit {has[names.BREAKER_STATE]}"
    if names.REJECTION_REASON in has:
        notes[0] += f", rejected: {has[names.REJECTION_REASON]}"
    if names.CAUSE_CODE in has:
        notes.append(
            f"opened by {has.get(names.CAUSE_SERVICE)} {has[names.CAUSE_CODE]} in trace {has.get(names.CAUSE_TRACE_ID)}"
        )
    return notes


def _is_root(trace: Trace, span: Span) -> bool:
    return any(other.attributes.get(names.ERROR_ROOT_SPAN_ID) == span.span_id for other in trace.roots)
