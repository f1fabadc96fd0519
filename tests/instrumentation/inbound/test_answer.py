"""What a failing answer tells the caller, the span and the metrics."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from otel_resilience import DomainError, Hop
from otel_resilience.errors.codecs import error_chain as codec
from otel_resilience.errors.failed_call import FailedCall
from otel_resilience.errors.redaction import use_redactor
from otel_resilience.events import ExecutionFailed
from otel_resilience.telemetry import names
from otel_resilience.telemetry.install import install
from otel_resilience.testing import Recorder
from otel_resilience_instrumentation import _answer
from tests.instrumentation.inbound.answering import PASSED_ON, answer, enter


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
            told = _answer.answer(scope, status=503)
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
            scope.request.remember(PASSED_ON)
            with tracer.start_as_current_span("POST /charge", kind=trace.SpanKind.SERVER):
                _answer.answer(scope, status=502)
        (finished,) = spans.get_finished_spans()
        assert (finished.attributes or {})["resilience.error.chain.services"] == ("ledger", "payments")
        assert [f"{link.context.span_id:016x}" for link in finished.links] == ["b" * 16]

    def test_a_request_is_told_of_once(self) -> None:
        with counted("GONE") as types, enter() as scope:
            first = _answer.answer(scope, status=500, error=DomainError("GONE"))
            assert _answer.answer(scope, status=500) is first
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


class TestRecord:
    """One exception record of ours with one stack: where the story begins."""

    @staticmethod
    def recorded(*failures: FailedCall, **ending: Any) -> list[ExecutionFailed]:
        with Recorder() as seen, enter() as scope:
            for failed in failures:
                scope.request.remember(failed)
            _answer.answer(scope, **ending)
            _answer.answer(scope, **ending)
        return seen.of(ExecutionFailed)

    def test_the_origin_records_what_nobody_caught_once_and_not_on_a_span_that_is_not_ours(self) -> None:
        error = DomainError("GONE")
        (event,) = self.recorded(status=500, error=error)
        assert (event.name, event.error, event.error_code) == ("payments", error, "GONE")
        assert (event.remote, event.on_span) == (False, False)

    def test_on_the_way_nothing_is_recorded(self) -> None:
        assert self.recorded(PASSED_ON, status=500, error=KeyError()) == []

    def test_an_answer_without_an_exception_has_no_stack(self) -> None:
        assert self.recorded(status=503) == []


def by_others(hop: Hop) -> Hop | None:
    return None if hop.service == "payments" else hop


class TestRedaction:
    @pytest.fixture(autouse=True)
    def hidden(self) -> Iterator[None]:
        before = use_redactor(lambda hop: None if hop.service == "ledger" else hop)
        yield
        use_redactor(before)

    def test_this_services_own_code_is_shown_as_the_hook_says_it_and_not_where_it_hides_the_hop(
        self, spans: InMemorySpanExporter
    ) -> None:
        tracer = trace.get_tracer("test")
        for redact in (lambda hop: replace(hop, code="WITHHELD"), by_others):
            use_redactor(redact)
            with enter() as scope, tracer.start_as_current_span("POST", kind=trace.SpanKind.SERVER):
                scope.request.remember(PASSED_ON)
                _answer.answer(scope, status=502)
        shown = [(each.attributes or {}).get("resilience.error.code") for each in spans.get_finished_spans()]
        assert shown == ["WITHHELD", None]

    def test_what_is_hidden_is_neither_sent_nor_shown_nor_counted(self, spans: InMemorySpanExporter) -> None:
        tracer = trace.get_tracer("test")
        with (
            enter({"resilience": "chain"}) as scope,
            tracer.start_as_current_span("POST /charge", kind=trace.SpanKind.SERVER),
            counted("HTTP_502") as types,
        ):
            scope.request.remember(PASSED_ON)
            told = _answer.answer(scope, status=502)
        assert told is not None
        assert told.field is not None
        assert "ledger" not in told.field
        (finished,) = spans.get_finished_spans()
        assert (finished.attributes or {})["resilience.error.root.service"] == "payments"
        assert (finished.attributes or {})["resilience.error.chain.omitted"] == 1
        assert finished.links == ()
        assert types == {"502": 1}

    def test_the_exception_on_record_has_the_code_as_it_may_be_seen(self) -> None:
        use_redactor(lambda hop: replace(hop, code="HIDDEN"))
        (renamed,) = TestRecord.recorded(status=500, error=DomainError("GONE"))
        use_redactor(lambda hop: None)
        (withheld,) = TestRecord.recorded(status=500, error=DomainError("GONE"))
        assert (renamed.error_code, withheld.error_code) == ("HIDDEN", "INTERNAL")

    def test_where_all_is_hidden_nothing_is_told(self) -> None:
        use_redactor(lambda hop: None)
        assert answer(status=503) is None


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
