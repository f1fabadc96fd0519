"""One trace as a tree that a person reads: who called whom, how often, and where it broke."""

from __future__ import annotations

from collections.abc import Iterator

import grpc
from rich.text import Text

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
_GRPC_STATUSES = {status.value[0]: status.name for status in grpc.StatusCode}
_KINDS = {"SERVER": "green", "CLIENT": "cyan", "INTERNAL": "magenta"}


def lines_of(trace: Trace) -> Iterator[Text]:
    """A line for each span, parents before children, with what is to be said of it; the error's root is marked."""
    root_span_ids = {span.attributes.get(names.ERROR_ROOT_SPAN_ID) for span in trace.roots}
    yield Text(f"trace {trace.trace_id}", style="dim")
    # Each with the guide before itself and the one before what is below it.
    waiting = [("", "", span) for span in reversed(trace.roots)]
    while waiting:
        before, below, span = waiting.pop()
        children = trace.children(span)
        # Put together piece by piece: in a sum the style of the first piece would be that of all.
        line = Text.assemble((before, "dim"), _headline(span))
        if span.span_id in root_span_ids:
            line.append("  ← root of the error", style="bold red")
        yield line
        for note in _notes(span):
            yield Text.assemble((below + ("│ " if children else "  "), "dim"), note)
        waiting += [
            (f"{below}├ ", f"{below}│ ", child)
            if child is not children[-1]
            else (f"{below}└ ", f"{below}  ", child)
            for child in reversed(children)
        ]


def answer_of(span: Span) -> str | None:
    """What the call came to: the HTTP status, or the name of the gRPC status."""
    for name in _ANSWERS:
        value = span.attributes.get(name)
        if value is not None:
            return _GRPC_STATUSES.get(value, str(value)) if name.startswith("rpc.") else str(value)
    return None


def chain_of(span: Span) -> str | None:
    """The error chain on ``span``, root first: ``ledger DB_UNAVAILABLE ← payments UNAVAILABLE``."""
    services = span.attributes.get(names.ERROR_CHAIN_SERVICES)
    codes = span.attributes.get(names.ERROR_CHAIN_CODES)
    if not isinstance(services, list) or not isinstance(codes, list):
        return None
    return " ← ".join(f"{service} {code}" for service, code in zip(services, codes, strict=False))


def _headline(span: Span) -> Text:
    line = Text()
    line.append(f"{span.service} ", style="bold")
    line.append(span.name)
    line.append(f"  {span.kind}", style=_KINDS.get(span.kind, ""))
    said = [answer_of(span), *_attempt(span), *_guard(span)]
    line.append("".join(f"  {each}" for each in said if each), style="yellow")
    if span.status == "ERROR":
        line.append("  ERROR", style="bold red")
    code = span.attributes.get(names.ERROR_CODE)
    if span.kind == "SERVER" and code is not None:
        line.append(f" {code}", style="red")
    line.append(f"  {span.milliseconds:.0f} ms", style="dim")
    return line


def _attempt(span: Span) -> Iterator[str]:
    number = span.attributes.get(names.ATTEMPT_NUMBER)
    resent = span.attributes.get(names.HTTP_RESEND_COUNT)
    if number is not None:
        yield f"attempt {number}"
    if resent is not None:
        yield f"resend_count {resent}"


def _guard(span: Span) -> Iterator[str]:
    if not is_guard(span):
        return
    has = span.attributes
    attempts = has.get(names.ATTEMPT_COUNT, 0)
    yield (
        f"{has.get(names.OUTCOME)} after {attempts} attempts" if attempts > 1 else str(has.get(names.OUTCOME))
    )
    if names.BREAKER_STATE in has:
        yield f"circuit {has[names.BREAKER_STATE]}"


def _notes(span: Span) -> Iterator[Text]:
    """The whole chain where the trace begins, and what opened a circuit where it refuses."""
    chain = chain_of(span)
    if span.parent_id is None and chain is not None:
        yield Text.assemble(("error chain: ", "dim"), (chain, "red"))
    has = span.attributes
    if names.CAUSE_CODE in has:
        yield Text(
            f"opened by {has.get(names.CAUSE_SERVICE)} {has[names.CAUSE_CODE]} in trace {has.get(names.CAUSE_TRACE_ID)}",
            style="yellow",
        )
