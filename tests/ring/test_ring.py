"""Every error kind of the code table, raised at the far end of six services, arrives at the near end whole."""

from __future__ import annotations

import json
import secrets

import pytest

from otel_resilience.cli.demo.receiver import Receiver
from otel_resilience.cli.demo.telemetry import Span
from otel_resilience.cli.demo.traces import Trace, traces_of
from otel_resilience.errors.codes import is_retryable
from tests.errors.every_kind import EVERY_KIND
from tests.ring.ring import Answer, Ring, way
from tests.ring.stranger import ADDRESS, FORGED, Stranger
from tests.shop.customer import chain_on, wait_for

#: The far end over gRPC, and over HTTP.
WAYS = {"fir": ("amber", 5), "amber": ("cedar", 4)}


def pass_on(ring: Ring, start: str, hops: int, kind: str, **headers: str) -> tuple[Answer, str]:
    """The answer of ``start`` to a caller inside that reads chains, and the trace that all of it is in."""
    trace_id = secrets.token_hex(16)
    known = {"resilience": "chain", "traceparent": f"00-{trace_id}-{secrets.token_hex(8)}-01", **headers}
    return ring.ask(start, f"/pass/{hops}/{kind}", **known), trace_id


def servers(receiver: Receiver, trace_id: str, count: int) -> list[Span]:
    """The SERVER spans of a trace, the first one first, when all have come."""

    def look() -> list[Span] | None:
        trace = traces_of(receiver.telemetry.spans).get(trace_id, Trace(()))
        found = [span for span in trace.spans if span.kind == "SERVER"]
        return found if len(found) == count else None

    return wait_for(look)


@pytest.mark.parametrize("kind", EVERY_KIND)
@pytest.mark.parametrize("far_end", WAYS)
def test_every_kind_arrives_whole(ring: Ring, receiver: Receiver, far_end: str, kind: str) -> None:
    start, hops = WAYS[far_end]
    passed = way(start, hops)
    answer, trace_id = pass_on(ring, start, hops, kind)
    chain = answer.chain
    assert chain is not None
    assert chain.services_involved == passed[::-1]
    error, code = EVERY_KIND[kind].make(), EVERY_KIND[kind].code
    assert (chain.root_cause_code, chain.trace_id, chain.omitted) == (code, trace_id, 0)
    assert chain.retryable is is_retryable(error, code)

    spans = servers(receiver, trace_id, len(passed))
    assert [span.service for span in spans] == list(passed)
    assert [hop.span_id for hop in chain.hops] == [span.span_id for span in spans[::-1]]
    told = [(hop.service, hop.code) for hop in chain.hops]
    for place, span in enumerate(spans):
        assert chain_on(span) == told[: len(told) - place]
        assert span.attributes["resilience.error.root.span_id"] == chain.root.span_id
        assert span.status == "ERROR"


def test_a_way_of_two_rounds_keeps_the_root_and_the_last_seven(ring: Ring) -> None:
    answer, _ = pass_on(ring, "amber", 11, next(iter(EVERY_KIND)))
    chain = answer.chain
    assert chain is not None
    assert (chain.chain_length, chain.omitted) == (8, 4)
    assert chain.services_involved == ("fir", *way("amber", 6)[::-1])


def test_the_stack_goes_on_record_once_and_at_the_origin(ring: Ring, receiver: Receiver) -> None:
    """Two hops away from the near end is cedar, which is nobody's far end else: the records are capped by the second."""
    _, trace_id = pass_on(ring, "amber", 2, "sqlite3.OperationalError")
    servers(receiver, trace_id, 3)

    def stacks() -> list[str] | None:
        records = [
            each
            for each in receiver.telemetry.logs
            if each.event_name == "resilience.execution.exception" and each.trace_id == trace_id
        ]
        found = [each.service for each in records if "exception.stacktrace" in each.attributes]
        return found or None

    assert wait_for(stacks) == ["cedar"]


def test_what_a_request_carries_reaches_the_far_end(ring: Ring, receiver: Receiver) -> None:
    answer, trace_id = pass_on(
        ring, "amber", 5, "none", resilience="deadline=15000, chain", x_correlation_id="order-17"
    )
    assert answer.status == 200
    arrived = json.loads(answer.body)
    assert arrived["correlation_id"] == "order-17"
    assert 0 < arrived["left"] < 15
    assert arrived["request_path"] == [["fir", "ring.v1.Ring/Pass"]]
    spans = servers(receiver, trace_id, 6)
    assert {span.attributes["resilience.correlation.id"] for span in spans} == {"order-17"}


class TestStranger:
    @pytest.fixture(autouse=True)
    def unasked(self, stranger: Stranger) -> None:
        stranger.asked.clear()

    @pytest.mark.parametrize("client", ["requests", "httpx", "httpx_async", "grpc", "grpc_aio"])
    def test_gets_nothing_and_is_believed_nothing(self, ring: Ring, stranger: Stranger, client: str) -> None:
        answer = ring.ask("amber", f"/stranger/{client}", resilience="chain", x_correlation_id="order-17")
        (asked,) = stranger.asked
        assert {"resilience", "x-correlation-id", "error-chain"}.isdisjoint(asked)
        assert "traceparent" in asked
        chain = answer.chain
        assert chain is not None
        assert chain.services_involved == ("amber",)
        assert chain.root_cause_code in ("HTTP_503", "UNAVAILABLE")
        assert chain.root.kind == "remote"

    def test_is_told_nothing(self, ring: Ring, receiver: Receiver) -> None:
        trace_id = secrets.token_hex(16)
        answer = ring.ask(
            "amber",
            f"/pass/2/{next(iter(EVERY_KIND))}",
            source=ADDRESS,
            resilience="deadline=0, attempt=9, chain",
            error_chain=FORGED,
            traceparent=f"00-{trace_id}-{secrets.token_hex(8)}-01",
        )
        assert answer.status == 502  # and not 504: what it says of a deadline is not believed
        assert answer.chain is None
        assert chain_on(servers(receiver, trace_id, 3)[0])[0][0] == "cedar"

    def test_cannot_pass_for_one_of_us(self, ring: Ring) -> None:
        kind = next(iter(EVERY_KIND))
        for headers in (
            {"x_forwarded_for": ADDRESS},
            {"forwarded": f"for={ADDRESS}"},
            {"forwarded": "for=unknown"},
        ):
            assert ring.ask("amber", f"/pass/1/{kind}", resilience="chain", **headers).chain is None
        spoofed = {"x_forwarded_for": "127.0.0.1", "forwarded": "for=127.0.0.1"}
        assert (
            ring.ask("amber", f"/pass/1/{kind}", source=ADDRESS, resilience="chain", **spoofed).chain is None
        )

    def test_what_was_ignored_is_counted(self, ring: Ring, receiver: Receiver) -> None:
        ring.ask("elm", "/pass/0/none", source=ADDRESS, resilience="chain")
        ring.ask("elm", "/stranger/requests")

        def counted() -> float | None:
            points = [
                point.value
                for point in receiver.telemetry.points
                if point.service == "elm"
                and point.name == "resilience.propagation.discarded"
                and point.attributes["resilience.discard.reason"] == "untrusted"
            ]
            return points[-1] if points and points[-1] >= 2 else None

        assert wait_for(counted) == 2
