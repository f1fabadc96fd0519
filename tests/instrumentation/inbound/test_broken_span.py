"""A SERVER span in which nothing works takes nothing away from the answer, and nothing from the request."""

from __future__ import annotations

from typing import Any

import grpc
import pytest
from opentelemetry.trace import NonRecordingSpan, SpanContext, SpanKind, TraceFlags

from otel_resilience.context import request
from otel_resilience.telemetry import safely
from otel_resilience_instrumentation import _answer
from otel_resilience_instrumentation._server_span import adopt, complete_grpc
from tests.instrumentation.inbound.answering import PASSED_ON, enter


class BrokenSpan(NonRecordingSpan):
    kind = SpanKind.SERVER

    def __init__(self) -> None:
        super().__init__(SpanContext(1, 2, is_remote=False, trace_flags=TraceFlags(1)))

    def is_recording(self) -> bool:
        return True

    def set_attribute(self, *args: Any) -> None:
        raise RuntimeError("no attribute")

    set_attributes = set_attribute


@pytest.fixture(autouse=True)
def reports(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(safely, "_reported", set())


def test_the_request_goes_on_and_knows_its_span(caplog: pytest.LogCaptureFixture) -> None:
    with enter() as scope:
        adopt(scope.request, BrokenSpan())
        assert scope.request.span == (f"{1:032x}", f"{2:016x}")
        complete_grpc(BrokenSpan(), grpc.StatusCode.INTERNAL, failed=True)
    assert request.current() is None
    assert len(caplog.messages) == 2


def test_the_chain_goes_out_all_the_same() -> None:
    with enter({"resilience": "chain"}) as scope:
        scope.request.remember(PASSED_ON)
        told = _answer.answer(scope, status=502, span=BrokenSpan())
    assert told is not None
    assert told.field is not None
    assert told.chain.services_involved == ("ledger", "payments")
