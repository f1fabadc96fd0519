"""What the failing answer of a Flask application tells its caller, and the SERVER span."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import flask
import pytest
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from otel_resilience import DomainError, clock
from otel_resilience.context import request, service
from otel_resilience.errors.chain import ErrorChain
from otel_resilience.errors.failed_call import FailedCall, remember
from otel_resilience.errors.hop import Hop, HopKind
from otel_resilience_instrumentation._settings import Runtime
from otel_resilience_instrumentation.flask import FlaskInstrumentor
from tests.instrumentation.flask.server import FlaskServer
from tests.instrumentation.flask.shop import (
    PaymentRefused,
    Teapot,
    after,
    application,
    ask,
    attribute,
    chain_of,
    raising,
    server_span,
)

Settings = Callable[..., Runtime]


LEDGER = Hop(service="ledger", code="DB_UNAVAILABLE", retryable=True, trace_id="a" * 32, span_id="b" * 16)


REFUSED = FailedCall(code="CIRCUIT_OPEN", kind=HopKind.REJECTED)


FAILED = FailedCall(code="HTTP_500", kind=HopKind.REMOTE, received=ErrorChain.of(LEDGER))


@pytest.mark.parametrize(
    ("view", "status", "code", "retryable"),
    [
        (lambda account: ("no", 503), 503, "HTTP_503", True),
        (lambda account: ("slower", 429), 429, "HTTP_429", True),
        (lambda account: flask.abort(502), 502, "HTTP_502", True),
        (raising(LookupError("none")), 500, "INTERNAL", False),
        (raising(DomainError("OUT_OF_STOCK", retryable=True)), 500, "OUT_OF_STOCK", True),
        (raising(sqlite3.OperationalError("unable to open database file")), 500, "DB_UNAVAILABLE", True),
        (raising(Teapot()), 503, "TEAPOT", False),
    ],
)
def test_a_failing_answer_begins_a_chain(
    instrumented: None, spans: InMemorySpanExporter, view: Any, status: int, code: str, retryable: bool
) -> None:
    answer = ask(view)
    assert answer.status == status
    chain = chain_of(answer)
    assert chain is not None
    (root,) = chain.hops
    span = server_span(spans)
    assert (root.service, root.code, root.retryable) == (service.current().name, code, retryable)
    assert root.operation == "POST /charge/<account>"
    assert (root.trace_id, root.span_id) == (f"{span.context.trace_id:032x}", f"{span.context.span_id:016x}")
    assert attribute(span, "resilience.error.code") == code
    assert attribute(span, "resilience.error.root.span_id") == root.span_id
    assert span.links == ()


@pytest.mark.parametrize(
    "view", [lambda account: "fine", lambda account: ("none", 404), lambda account: flask.abort(409)]
)
def test_any_other_answer_tells_nothing(instrumented: None, spans: InMemorySpanExporter, view: Any) -> None:
    assert chain_of(ask(view)) is None
    assert attribute(server_span(spans), "resilience.error.code") is None


def test_a_received_chain_is_passed_on_one_hop_longer(
    instrumented: None, spans: InMemorySpanExporter
) -> None:
    chain = chain_of(ask(after(FAILED, ("the ledger is away", 502))))
    assert chain is not None
    assert [(hop.service, hop.code) for hop in chain.hops] == [
        ("ledger", "DB_UNAVAILABLE"),
        (service.current().name, "HTTP_502"),
    ]
    span = server_span(spans)
    assert attribute(span, "resilience.error.root.service") == "ledger"
    assert [f"{link.context.span_id:016x}" for link in span.links] == ["b" * 16]


@pytest.mark.parametrize(
    ("headers", "told"), [({}, "30"), ({"Retry-After": "5"}, "5")], ids=["ours", "the application's own"]
)
def test_when_to_come_again_comes_back_through_this_service(
    instrumented: None, headers: dict[str, str], told: str
) -> None:
    def view(account: str) -> Any:
        now = clock.current().monotonic()
        remember(replace(FAILED, retry_after=29.7, began=now, ended=now))
        return "the ledger is away", 502, headers

    assert ask(view).headers["retry-after"] == told
    assert ask(view, resilience="attempt=1").headers.get("retry-after") == headers.get("Retry-After")


def test_a_root_keeps_what_failed_whatever_it_answers(instrumented: None) -> None:
    chain = chain_of(ask(after(REFUSED, ("later", 503))))
    assert chain is not None
    assert [(hop.code, hop.kind) for hop in chain.hops] == [("CIRCUIT_OPEN", "rejected")]


@pytest.mark.parametrize("answer", ["fine", ("none", 404)])
def test_a_recovery_carries_no_chain(instrumented: None, answer: Any) -> None:
    assert chain_of(ask(after(FAILED, answer))) is None


def test_an_exception_that_the_application_lets_through_is_recorded(
    instrumented: None, spans: InMemorySpanExporter
) -> None:
    app = application()
    app.testing = True  # exceptions propagate to the server, which makes the answer
    app.view = raising(DomainError("OUT_OF_STOCK"))  # type: ignore[attr-defined]  # what the route calls
    with pytest.raises(DomainError):
        app.test_client().get("/charge/17")
    assert attribute(server_span(spans), "resilience.error.root.code") == "OUT_OF_STOCK"
    assert request.current() is None


def test_a_route_that_is_none_is_no_operation(instrumented: None) -> None:
    app = application()
    app.register_error_handler(404, lambda error: ("gone", 503))
    with FlaskServer(app) as server:
        chain = chain_of(server.ask("GET", "/secret/path", resilience="chain"))
    assert chain is not None
    assert chain.root.operation is None


def test_without_the_official_one_a_failure_still_tells_its_chain(settings: Settings) -> None:
    settings()
    FlaskInstrumentor().instrument()
    try:
        chain = chain_of(ask(lambda account: ("no", 503)))
    finally:
        FlaskInstrumentor().uninstrument()
    assert chain is not None
    assert (chain.root_cause_code, chain.trace_id) == ("HTTP_503", None)


class TestErrorHandlers:
    """Exceptions for which the application has an answer of its own."""

    @pytest.mark.parametrize(
        ("error", "status", "code"),
        [
            (PaymentRefused(), 503, "PAYMENT_REFUSED"),
            (sqlite3.OperationalError("unable to open database file"), 500, "DB_UNAVAILABLE"),
            (PaymentRefused(), 429, "PAYMENT_REFUSED"),
            (LookupError("none"), 503, "HTTP_503"),
            (Teapot(), 503, "TEAPOT"),
            (PaymentRefused(), 409, None),
        ],
    )
    def test_the_exceptions_own_code_is_that_of_the_answer(
        self, instrumented: None, error: Exception, status: int, code: str | None
    ) -> None:
        chain = chain_of(
            ask(raising(error), lambda app: app.register_error_handler(Exception, lambda e: ("no", status)))
        )
        assert (None if chain is None else chain.root_cause_code) == code

    def test_one_for_500_that_recovers_ends_the_story(self, instrumented: None) -> None:
        answer = ask(
            raising(LookupError()), lambda app: app.register_error_handler(500, lambda e: ("fine", 200))
        )
        assert (answer.status, chain_of(answer)) == (200, None)

    def test_one_that_fails_itself_is_what_was_not_caught(self, instrumented: None) -> None:
        def handler(error: Exception) -> Any:
            raise DomainError("HANDLER_BROKEN")

        chain = chain_of(
            ask(raising(PaymentRefused()), lambda app: app.register_error_handler(PaymentRefused, handler))
        )
        assert chain is not None
        assert chain.root_cause_code == "HANDLER_BROKEN"

    def test_an_after_request_function_that_fails_is_an_exception_like_others(
        self, instrumented: None
    ) -> None:
        def broken(response: Any) -> Any:
            if response.status_code < 500:
                raise DomainError("AFTERWARDS")
            return response

        chain = chain_of(ask(lambda account: "fine", lambda app: app.after_request(broken) and None))
        assert chain is not None
        assert chain.root_cause_code == "AFTERWARDS"

    def test_the_status_of_an_after_request_function_counts(self, instrumented: None) -> None:
        def failing(response: Any) -> Any:
            response.status_code = 503
            return response

        chain = chain_of(ask(lambda account: "fine", lambda app: app.after_request(failing) and None))
        assert chain is not None
        assert chain.root_cause_code == "HTTP_503"
