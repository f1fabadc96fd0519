"""The server's side: whom it believes, what it remembers, what a failing answer tells."""

from __future__ import annotations

import asyncio
import contextvars
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from otel_resilience import Deadline, DomainError, ErrorChain, Hop
from otel_resilience.context import correlation, deadline, request
from otel_resilience.context.service import Service, use
from otel_resilience.errors.adopt import attach, mark_exhausted
from otel_resilience.errors.codecs import error_chain as codec
from otel_resilience.errors.failed_call import FailedCall
from otel_resilience.errors.hop import HopKind
from otel_resilience.events import FieldDiscarded
from otel_resilience.exceptions import CircuitOpenError
from otel_resilience.telemetry import names
from otel_resilience.telemetry.install import install
from otel_resilience.telemetry.service import find_service
from otel_resilience.testing import ManualClock, Recorder
from otel_resilience_instrumentation import _inbound
from otel_resilience_instrumentation._inbound import InboundScope
from otel_resilience_instrumentation._settings import Runtime

Settings = Callable[..., Runtime]

LEDGER = Hop(service="ledger", code="DB_UNAVAILABLE", retryable=True, trace_id="a" * 32, span_id="b" * 16)
RECEIVED = ErrorChain.of(LEDGER)
ASKS = {"resilience": "deadline=1500, attempt=2, chain"}


@pytest.fixture(autouse=True)
def this_service(settings: Settings) -> Iterator[None]:
    settings()
    use(lambda: Service("payments", "1.4"))
    with ManualClock():
        yield
    use(find_service)


def enter(fields: dict[str, str] | None = None, peer: str = "127.0.0.1", **more: Any) -> InboundScope:
    return _inbound.enter(fields=(fields or {}).get, peer=peer, operation="POST /charge", **more)


class TestEnter:
    def test_takes_what_a_caller_inside_says(self) -> None:
        with enter(ASKS) as scope:
            assert request.current() is scope.request
            assert (scope.request.attempt, scope.request.reads_chains) == (2, True)
            assert deadline.remaining() == pytest.approx(1.5)
            assert scope.request.operation == "POST /charge"
        assert request.current() is None
        assert Deadline.current() is None
        assert correlation.current() is None

    @pytest.mark.parametrize(
        ("fields", "peer"),
        [
            ({}, "8.8.8.8"),
            ({"x-forwarded-for": "10.0.0.1, 8.8.8.8"}, "127.0.0.1"),
            ({"x-forwarded-for": "unknown"}, "127.0.0.1"),
            ({"forwarded": "for=8.8.8.8"}, "127.0.0.1"),
            ({"forwarded": "for=_hidden"}, "127.0.0.1"),
        ],
    )
    def test_believes_nobody_outside(self, fields: dict[str, str], peer: str) -> None:
        with Recorder() as recorder, enter({**ASKS, **fields}, peer) as scope:
            assert (scope.request.attempt, scope.request.reads_chains) == (1, False)
            assert Deadline.current() is None
        assert [event.reason for event in recorder.of(FieldDiscarded)] == ["untrusted"]

    @pytest.mark.parametrize("fields", [{"x-forwarded-for": "10.0.0.1"}, {"forwarded": 'for="[fd00::1]:80"'}])
    def test_believes_proxies_inside(self, fields: dict[str, str]) -> None:
        with enter({**ASKS, **fields}) as scope:
            assert scope.request.reads_chains

    @pytest.mark.parametrize(
        ("text", "reason"),
        [("attempt=0", "malformed"), ("deadline=?1", "malformed"), ("a" * 4096, "oversized")],
    )
    def test_ignores_and_counts_what_it_cannot_read(self, text: str, reason: str) -> None:
        with Recorder() as recorder, enter({"resilience": text}) as scope:
            assert (scope.request.attempt, scope.request.reads_chains) == (1, False)
        assert [event.reason for event in recorder.of(FieldDiscarded)] == [reason]

    def test_the_earlier_of_two_deadlines_holds(self) -> None:
        with enter(ASKS, deadline_seconds=0.5):
            assert deadline.remaining() == pytest.approx(0.5)
        with enter(ASKS, deadline_seconds=5.0):
            assert deadline.remaining() == pytest.approx(1.5)

    def test_a_deadline_around_the_server_is_none_of_the_requests(self) -> None:
        token = deadline.tighten(1.0)
        with enter():
            assert Deadline.current() is None
        assert deadline.remaining() == pytest.approx(1.0)
        deadline.restore(token)

    @pytest.mark.parametrize("peer", ["127.0.0.1", "8.8.8.8"])
    def test_a_correlation_id_is_taken_from_anywhere(self, peer: str) -> None:
        with enter({"x-correlation-id": "order-7.a_b"}, peer):
            assert correlation.current() == "order-7.a_b"

    @pytest.mark.parametrize("bad", ["", "a b", "é", "a" * 129, "a\n"])
    def test_a_bad_one_is_replaced(self, bad: str) -> None:
        with Recorder() as recorder, enter({"x-correlation-id": bad}):
            made = correlation.current()
        assert made is not None
        assert len(made) == 32
        assert [event.name for event in recorder.of(FieldDiscarded)] == ["x-correlation-id"]

    def test_baggage_is_read(self) -> None:
        with enter({"baggage": "user=7,correlation.id=order-7"}):
            assert correlation.current() == "order-7"
        with enter({"baggage": "correlation.id=not%20valid"}):
            assert correlation.current() != "not valid"

    @pytest.mark.parametrize(
        ("propagation", "peer", "reads", "taken"),
        [
            ("internal", "127.0.0.1", True, True),
            ("internal", "8.8.8.8", False, True),
            ("edge", "127.0.0.1", False, False),
            ("off", "127.0.0.1", False, False),
            ("all", "8.8.8.8", True, True),
        ],
    )
    def test_whom_a_service_exchanges_fields_with(
        self, settings: Settings, propagation: str, peer: str, reads: bool, taken: bool
    ) -> None:
        settings(propagation=propagation)
        with enter({**ASKS, "x-correlation-id": "theirs"}, peer) as scope:
            assert scope.request.reads_chains is reads
            assert (correlation.current() == "theirs") is taken

    def test_leaving_in_another_context_only_forgets(self) -> None:
        scope = contextvars.copy_context().run(enter)
        scope.leave()
        scope.leave()
        assert request.current() is None

    async def test_a_sibling_task_sees_nothing_of_it(self) -> None:
        async def other() -> object:
            return request.current(), Deadline.current(), correlation.current()

        task = asyncio.create_task(other())
        with enter(ASKS):
            assert await task == (None, None, None)


def answer(last_failure: FailedCall | None = None, /, **known: Any) -> _inbound.Answer | None:
    with enter({"resilience": "chain"}) as scope:
        scope.request.span = ("c" * 32, "d" * 16)
        scope.request.last_failure = last_failure
        return _inbound.answer(scope, **known)


def hops(last_failure: FailedCall | None = None, /, **known: Any) -> list[tuple[str, str]] | None:
    told = answer(last_failure, **known)
    return None if told is None else [(hop.service, hop.code) for hop in told.chain.hops]


PASSED_ON = FailedCall(code="HTTP_503", kind=HopKind.REMOTE, received=RECEIVED)
WITHOUT_CHAIN = FailedCall(code="CONNECT_FAILED", kind=HopKind.REMOTE, retryable=True)
REJECTED = FailedCall(code="CIRCUIT_OPEN", kind=HopKind.REJECTED)
ROOT = ("ledger", "DB_UNAVAILABLE")


class TestWhoIsAHop:
    @pytest.mark.parametrize("status", [200, 302, 400, 404, 428, 499])
    @pytest.mark.parametrize("last", [None, PASSED_ON])
    def test_any_other_answer_is_none_or_a_recovery(self, status: int, last: FailedCall | None) -> None:
        assert hops(last, status=status) is None

    @pytest.mark.parametrize(
        "status", ["OK", "NOT_FOUND", "INVALID_ARGUMENT", "ABORTED", "UNIMPLEMENTED", "CANCELLED"]
    )
    def test_a_grpc_status_that_is_an_answer_is_none(self, status: str) -> None:
        assert hops(PASSED_ON, grpc_status=status) is None

    @pytest.mark.parametrize("status", [429, 500, 503, 599])
    def test_a_failing_status_begins_one(self, status: int) -> None:
        assert hops(status=status) == [("payments", f"HTTP_{status}")]

    @pytest.mark.parametrize(
        "status",
        ["UNAVAILABLE", "DEADLINE_EXCEEDED", "INTERNAL", "UNKNOWN", "RESOURCE_EXHAUSTED", "DATA_LOSS"],
    )
    def test_a_grpc_failure_begins_one(self, status: str) -> None:
        assert hops(grpc_status=status) == [("payments", status)]

    def test_an_uncaught_exception_begins_one_by_its_own_code(self) -> None:
        assert hops(error=DomainError("LIMIT_REACHED"), status=500) == [("payments", "LIMIT_REACHED")]
        assert hops(error=KeyError("x"), status=500) == [("payments", "INTERNAL")]

    def test_an_exception_that_stands_for_an_answer_counts_as_its_status(self) -> None:
        stands = {"error": DomainError("LIMIT_REACHED"), "stands_for_answer": True}
        assert hops(status=404, **stands) is None
        assert hops(status=503, **stands) == [("payments", "HTTP_503")]

    def test_after_a_failed_call_the_chain_is_passed_on(self) -> None:
        assert hops(PASSED_ON, status=502) == [ROOT, ("payments", "HTTP_502")]
        assert hops(PASSED_ON, grpc_status="UNAVAILABLE") == [ROOT, ("payments", "UNAVAILABLE")]
        assert hops(PASSED_ON, error=DomainError("CHARGE_FAILED"), status=500) == [
            ROOT,
            ("payments", "CHARGE_FAILED"),
        ]

    def test_429_begins_a_chain_of_its_own(self) -> None:
        assert hops(PASSED_ON, status=429) == [("payments", "HTTP_429")]

    @pytest.mark.parametrize("failed", [WITHOUT_CHAIN, REJECTED])
    @pytest.mark.parametrize(
        "known", [{"status": 502}, {"grpc_status": "UNKNOWN"}, {"error": KeyError(), "status": 500}]
    )
    def test_a_root_keeps_what_failed_whatever_it_answers(
        self, failed: FailedCall, known: dict[str, Any]
    ) -> None:
        told = answer(failed, **known)
        assert told is not None
        assert told.chain.chain_length == 1
        root = told.chain.root
        assert (root.code, root.kind, root.retryable) == (failed.code, failed.kind, failed.retryable)

    def test_an_uncaught_exception_brings_its_own_chain(self) -> None:
        error = DomainError("QUEUE_FAILED")
        attach(error, RECEIVED)
        assert hops(error=error) == [ROOT, ("payments", "QUEUE_FAILED")]

    def test_a_rejection_here_that_nobody_caught_is_of_that_kind(self) -> None:
        told = answer(error=CircuitOpenError("not called"))
        assert told is not None
        assert (told.chain.root.code, told.chain.root.kind) == ("CIRCUIT_OPEN", HopKind.REJECTED)

    def test_what_the_application_says_of_its_answer_is_its_code(self) -> None:
        assert hops(grpc_status="UNAVAILABLE", code="LEDGER_CLOSED") == [("payments", "LEDGER_CLOSED")]

    def test_who_has_used_up_its_retries_says_so(self) -> None:
        told = answer(FailedCall(code="HTTP_503", exhausted=True, received=RECEIVED), status=503)
        assert told is not None
        assert [hop.exhausted for hop in told.chain.hops] == [False, True]
        error = DomainError("GONE")
        mark_exhausted(error)
        told = answer(error=error)
        assert told is not None
        assert told.chain.exhausted

    @pytest.mark.parametrize("error", [KeyboardInterrupt(), SystemExit(), asyncio.CancelledError()])
    def test_the_end_of_the_server_is_no_failure(self, error: BaseException) -> None:
        assert hops(error=error) is None


class TestAnswer:
    def test_what_goes_out(self) -> None:
        told = answer(PASSED_ON, status=502)
        assert told is not None
        assert told.field == codec.encode(told.chain)
        assert told.field.endswith(', "payments";c=HTTP_502;s="dddddddddddddddd";o="POST /charge";v="1.4"')

    def test_who_did_not_ask_gets_none_but_it_is_recorded(self, spans: InMemorySpanExporter) -> None:
        tracer = trace.get_tracer("test")
        with (
            enter() as scope,
            tracer.start_as_current_span("POST /charge", kind=trace.SpanKind.SERVER) as span,
        ):
            told = _inbound.answer(scope, status=503)
        assert told is not None
        assert told.field is None
        (finished,) = spans.get_finished_spans()
        attributes = finished.attributes or {}
        assert attributes["resilience.error.code"] == "HTTP_503"
        assert attributes["resilience.error.root.service"] == "payments"
        assert attributes["resilience.error.root.span_id"] == f"{span.get_span_context().span_id:016x}"
        assert finished.links == ()

    def test_the_chain_stands_on_the_servers_span_with_a_link_to_its_root(
        self, spans: InMemorySpanExporter
    ) -> None:
        tracer = trace.get_tracer("test")
        with enter() as scope:
            scope.request.last_failure = PASSED_ON
            with tracer.start_as_current_span("POST /charge", kind=trace.SpanKind.SERVER):
                _inbound.answer(scope, status=502)
        (finished,) = spans.get_finished_spans()
        assert (finished.attributes or {})["resilience.error.chain.services"] == ("ledger", "payments")
        assert [f"{link.context.span_id:016x}" for link in finished.links] == ["b" * 16]

    def test_a_request_is_told_of_once(self) -> None:
        with counted("GONE") as types, enter() as scope:
            first = _inbound.answer(scope, status=500, error=DomainError("GONE"))
            assert _inbound.answer(scope, status=500) is first
        assert types == {"otel_resilience.exceptions.DomainError": 1}

    @pytest.mark.parametrize(
        ("known", "code", "error_type"),
        [
            ({"status": 503}, "HTTP_503", "503"),
            ({"grpc_status": "UNAVAILABLE"}, "UNAVAILABLE", "UNAVAILABLE"),
            ({"error": KeyError()}, "INTERNAL", "KeyError"),
        ],
    )
    def test_by_what_type_it_is_counted(self, known: dict[str, Any], code: str, error_type: str) -> None:
        with counted(code) as types:
            answer(**known)
        assert types == {error_type: 1}


@contextmanager
def counted(code: str) -> Iterator[dict[str | None, int]]:
    """What is counted inside in ``resilience.errors`` with that root of this service, by ``error.type``."""
    counts = install().counts

    def read() -> Counter[str | None]:
        series = counts.read(names.ERRORS).items()
        return Counter(
            {str(kind): n for (service, root, kind), n in series if (service, root) == ("payments", code)}
        )

    before, found = read(), dict[str | None, int]()
    yield found
    found.update(read() - before)
