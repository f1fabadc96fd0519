"""What a Flask application takes from its callers, and from whom."""

from __future__ import annotations

from typing import Any

import flask
import pytest
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from werkzeug.middleware.proxy_fix import ProxyFix

from otel_resilience import CorrelationManager, Deadline
from otel_resilience.context import correlation, request, service
from otel_resilience.events import ExecutionRejected
from otel_resilience.testing import Recorder
from tests.instrumentation.flask.server import FlaskServer
from tests.instrumentation.flask.shop import (
    application,
    ask,
    attribute,
    chain_of,
    server_span,
)


@pytest.mark.parametrize(
    "headers",
    [
        {"resilience": "attempt=1"},
        {"x_forwarded_for": "8.8.8.8"},
        {"forwarded": "for=unknown"},
        {"resilience": "("},
    ],
)
def test_a_caller_that_may_not_read_chains_gets_none(
    instrumented: None, spans: InMemorySpanExporter, headers: dict[str, str]
) -> None:
    def view(account: str) -> Any:
        return "no", 503, {"error-chain": '"inner";c=SECRET'}

    answer = ask(view, **headers)
    assert "error-chain" not in answer.headers
    assert attribute(server_span(spans), "resilience.error.root.code") == "HTTP_503"


@pytest.mark.parametrize("inside", [True, False], ids=["around wsgi_app", "around the application"])
def test_a_proxy_header_does_not_make_a_caller_one_of_us(instrumented: None, inside: bool) -> None:
    """Behind a proxy the socket's peer counts, and everybody in the header too."""

    def proxied(app: flask.Flask) -> Any:
        if inside:
            app.wsgi_app = ProxyFix(app.wsgi_app)  # type: ignore[method-assign]  # as Flask's documentation says
            return None
        return ProxyFix(app)

    def view(account: str) -> Any:
        return flask.request.remote_addr, 503

    known = ask(view, proxied, x_forwarded_for="10.0.0.9")
    assert known.body == b"10.0.0.9"
    assert chain_of(known) is not None
    assert chain_of(ask(view, proxied, x_forwarded_for="8.8.8.8")) is None


def test_what_a_caller_says_is_known_to_the_application(
    instrumented: None, spans: InMemorySpanExporter
) -> None:
    seen: dict[str, Any] = {}

    def view(account: str) -> Any:
        current, left = request.current(), Deadline.current()
        assert current is not None
        assert left is not None
        seen.update(
            attempt=current.attempt, id=correlation.current(), left=left.remaining(), span=current.span
        )
        return "fine"

    ask(view, resilience="deadline=20000, attempt=2, chain", x_correlation_id="order-17")
    span = server_span(spans)
    assert (seen["attempt"], seen["id"]) == (2, "order-17")
    assert 15 < seen["left"] <= 20
    assert seen["span"] == (f"{span.context.trace_id:032x}", f"{span.context.span_id:016x}")
    assert attribute(span, "resilience.correlation.id") == "order-17"


def test_the_way_of_a_request_begins_with_what_it_asks_for(instrumented: None) -> None:
    seen: list[Any] = []
    manager = CorrelationManager()

    def view(account: str) -> Any:
        with manager.enter("risk", "score"):
            error = manager.error("RISK_TOO_HIGH", "no")
        seen.extend([manager.request_path(), error.request_path])
        return "fine"

    ask(view)
    asked = (service.current().name, "POST /charge/<account>")
    assert seen == [(asked,), (asked, ("risk", "score"))]
    assert manager.request_path() == ()


def test_work_whose_deadline_has_passed_is_refused(instrumented: None, spans: InMemorySpanExporter) -> None:
    called: list[str] = []

    def view(account: str) -> Any:
        called.append(account)
        return "fine"

    with Recorder() as seen:
        answer = ask(view, resilience="deadline=0, chain")
    assert (answer.status, called) == (504, [])
    chain = chain_of(answer)
    assert chain is not None
    assert (chain.root_cause_code, str(chain.root.kind), chain.retryable) == (
        "DEADLINE_EXCEEDED",
        "rejected",
        False,
    )
    assert attribute(server_span(spans), "resilience.error.code") == "DEADLINE_EXCEEDED"
    assert [event.reason for event in seen.of(ExecutionRejected)] == ["deadline_exceeded"]


def test_an_error_handler_of_the_applications_may_answer_for_the_refusal(instrumented: None) -> None:
    def words(app: flask.Flask) -> None:
        app.register_error_handler(504, lambda error: ({"title": "too late"}, 504))

    answer = ask(lambda account: "fine", words, resilience="deadline=0, chain")
    assert (answer.status, b"too late" in answer.body) == (504, True)
    chain = chain_of(answer)
    assert chain is not None
    assert chain.root_cause_code == "DEADLINE_EXCEEDED"


def test_requests_of_one_thread_know_nothing_of_each_other(instrumented: None) -> None:
    seen: list[str | None] = []
    app = application()
    app.view = lambda account: seen.append(correlation.current()) or "fine"  # type: ignore[attr-defined,func-returns-value]  # both
    client = app.test_client()
    client.get("/charge/17", headers={"x-correlation-id": "order-17"})
    client.get("/charge/17")
    assert seen[0] == "order-17"
    assert seen[1] not in (None, "order-17")
    assert correlation.current() is None


def test_an_application_mounted_in_another_is_one_request(instrumented: None) -> None:
    inner = application()
    inner.view = lambda account: ("no", 503)  # type: ignore[attr-defined]  # what the route calls
    outer = flask.Flask("outer")
    outer.wsgi_app = inner  # type: ignore[method-assign,assignment]  # any WSGI application may stand there
    with FlaskServer(outer) as server:
        chain = chain_of(server.ask("GET", "/charge/17", resilience="chain"))
    assert chain is not None
    assert chain.chain_length == 1


def test_outside_of_a_server_flask_is_as_it_was(instrumented: None) -> None:
    app = application()
    app.view = lambda account: ("no", 503)  # type: ignore[attr-defined]  # what the route calls
    with app.test_request_context("/charge/17"):
        assert app.full_dispatch_request().status_code == 503


def test_when_our_part_fails_the_answer_is_still_made(
    instrumented: None, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    from otel_resilience_instrumentation import _flask_request

    def broken(*args: Any, **kwargs: Any) -> Any:
        raise LookupError("ours")

    monkeypatch.setattr(_flask_request, "_peer", broken)
    assert ask(lambda account: ("no", 503)).status == 503
    monkeypatch.undo()
    monkeypatch.setattr(_flask_request, "is_failure", broken)
    assert ask(lambda account: ("no", 503)).status == 503
    said = [record.getMessage() for record in caplog.records if record.name == "otel_resilience"]
    assert said == ["a request is answered without its fields", "an answer goes out without its error chain"]
