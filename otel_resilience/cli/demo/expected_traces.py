"""What must hold of the spans of one checkout."""

from __future__ import annotations

from collections.abc import Iterator

from otel_resilience.cli.demo.check import Check
from otel_resilience.cli.demo.fault import WAY
from otel_resilience.cli.demo.plan import GUARD, GUARDED, ExpectedChain, Plan
from otel_resilience.cli.demo.telemetry import Span
from otel_resilience.cli.demo.traces import Trace, is_guard
from otel_resilience.telemetry import names


def check_success(trace: Trace) -> Iterator[Check]:
    """A checkout that went well: all four services, one attempt a call, nothing marked as an error."""
    yield from _shape(trace)
    yield Check(what="services in the trace", wanted=set(WAY), seen=set(trace.services))
    yield Check(
        what="spans with an error",
        wanted=[],
        seen=[
            span.name for span in trace.spans if span.status == "ERROR" or names.ERROR_CODE in span.attributes
        ],
    )
    yield Check(
        what="calls that took more than one attempt",
        wanted=[],
        seen=[
            span.name
            for span in trace.spans
            if is_guard(span) and span.attributes.get(names.ATTEMPT_COUNT, 1) != 1
        ],
    )


def check_failure(plan: Plan, trace: Trace, entry: Span) -> Iterator[Check]:
    """A checkout that the fault broke."""
    way = WAY[: WAY.index(plan.fault.service) + 1]
    yield from _shape(trace)
    yield Check(what="services in the trace", wanted=set(way), seen=set(trace.services))
    yield from _chain(trace, entry, plan.failure_chain)
    yield from _attempts(plan, trace)


def check_rejection(plan: Plan, trace: Trace, entry: Span, opening: str | None) -> Iterator[Check]:
    """A checkout that met the open circuit; ``opening`` is the id of the trace that opened it."""
    yield from _shape(trace)
    yield Check(what="services in the trace", wanted={GUARD, "gateway"}, seen=set(trace.services))
    yield from _chain(trace, entry, plan.rejection_chain)
    guards = trace.guards(GUARD)
    yield Check(
        what="guarded calls of orders", wanted=[f"execute {GUARDED}"], seen=[span.name for span in guards]
    )
    for guard in guards:
        yield Check(
            what="outcome, reason and state of the rejected call",
            wanted=("rejected", "circuit_open", "open", "ERROR"),
            seen=(
                guard.attributes.get(names.OUTCOME),
                guard.attributes.get(names.REJECTION_REASON),
                guard.attributes.get(names.BREAKER_STATE),
                guard.status,
            ),
        )
        yield Check(
            what="what opened the circuit, on the rejected call",
            wanted=(plan.fault.service, plan.fault.code, opening),
            seen=tuple(
                guard.attributes.get(name)
                for name in (names.CAUSE_SERVICE, names.CAUSE_CODE, names.CAUSE_TRACE_ID)
            ),
        )
        yield Check(what="attempts sent by the rejected call", wanted=0, seen=len(trace.children(guard)))


def _shape(trace: Trace) -> Iterator[Check]:
    """The one shape of every trace: SERVER under CLIENT under INTERNAL under SERVER, and nothing twice."""
    yield Check(what="spans without a parent", wanted=1, seen=len(trace.roots))
    by_id = {span.span_id: span for span in trace.spans}
    for span in trace.spans:
        parent = by_id.get(span.parent_id or "")
        if span.kind == "CLIENT":
            yield Check(
                what=f"what is around the CLIENT span {span.name} of {span.service}",
                wanted=(span.service, True),
                seen=None if parent is None else (parent.service, is_guard(parent)),
            )
        elif span.kind == "SERVER" and parent is not None:
            yield Check(what=f"parent of {span.service}'s SERVER span", wanted="CLIENT", seen=parent.kind)
        if is_guard(span):
            sent = [child.kind for child in trace.children(span)]
            yield Check(
                what=f"CLIENT spans under {span.name!r} of {span.service}",
                wanted=["CLIENT"] * int(span.attributes.get(names.ATTEMPT_COUNT, 0)),
                seen=sent,
            )
    for service in WAY[:-1]:
        # The ledger is asked twice, once for the account and once for the entry; every other one once.
        served = len(trace.of(service=service, kind="SERVER"))
        yield Check(what=f"no more than one SERVER span of {service}", wanted=True, seen=served <= 1)


def _chain(trace: Trace, entry: Span, wanted: ExpectedChain) -> Iterator[Check]:
    root = wanted.services[0]
    spans_of_root = trace.of(service=root, kind="SERVER")
    expected = {
        names.ERROR_ROOT_SERVICE: root,
        names.ERROR_ROOT_CODE: wanted.codes[0],
        names.ERROR_ROOT_TRACE_ID: trace.trace_id,
        names.ERROR_ROOT_SPAN_ID: spans_of_root[-1].span_id if spans_of_root else "(no such span)",
        names.ERROR_CHAIN_SERVICES: list(wanted.services),
        names.ERROR_CHAIN_CODES: list(wanted.codes),
        names.ERROR_CHAIN_LENGTH: len(wanted.services),
        names.ERROR_CODE: wanted.codes[-1],
        names.ERROR_RETRYABLE: wanted.retryable,
    }
    for name, value in expected.items():
        yield Check(
            what=f"{name} on the gateway's SERVER span", wanted=value, seen=entry.attributes.get(name)
        )
    yield Check(what="status of the gateway's SERVER span", wanted="ERROR", seen=entry.status)
    for place, service in enumerate(wanted.services):
        for span in trace.of(service=service, kind="SERVER"):
            yield Check(
                what=f"{names.ERROR_CHAIN_SERVICES} on the SERVER span of {service}",
                wanted=list(wanted.services[: place + 1]),
                seen=span.attributes.get(names.ERROR_CHAIN_SERVICES),
            )


def _attempts(plan: Plan, trace: Trace) -> Iterator[Check]:
    """The reads of the account, which is where the shop retries."""
    if not plan.attempts:
        return
    guards = trace.guards("payments")
    yield Check(
        what="guarded calls of payments", wanted=["execute ledger"], seen=[span.name for span in guards]
    )
    attempts = [span for guard in guards for span in trace.children(guard)]
    numbers = list(range(1, plan.attempts + 1))
    yield Check(
        what=f"{names.ATTEMPT_NUMBER} of the reads",
        wanted=numbers,
        seen=[span.attributes.get(names.ATTEMPT_NUMBER) for span in attempts],
    )
    yield Check(
        what=f"{names.HTTP_RESEND_COUNT} of the reads",
        wanted=[None, *numbers[:-1]],
        seen=[span.attributes.get(names.HTTP_RESEND_COUNT) for span in attempts],
    )
    yield Check(
        what="what the ledger was asked for",
        wanted=["GET"] * plan.attempts,
        seen=[
            span.attributes.get("http.request.method", span.attributes.get("http.method"))
            for span in trace.of(service="ledger", kind="SERVER")
        ],
    )
