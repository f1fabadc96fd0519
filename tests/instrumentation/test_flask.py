"""Flask: what is taken from a caller, what a failing answer tells, where it stands on the SERVER span."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from typing import Any

import flask
import pytest
from flask.app import Flask as RealFlask
from opentelemetry.instrumentation.flask import FlaskInstrumentor as OfficialInstrumentor
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind
from werkzeug.exceptions import HTTPException
from werkzeug.middleware.proxy_fix import ProxyFix

from otel_resilience import Deadline, DomainError
from otel_resilience.context import correlation, request, service
from otel_resilience.errors.chain import ErrorChain
from otel_resilience.errors.codecs import error_chain as codec
from otel_resilience.errors.failed_call import FailedCall, remember
from otel_resilience.errors.hop import Hop, HopKind
from otel_resilience_instrumentation._settings import Runtime
from otel_resilience_instrumentation.flask import FlaskInstrumentor
from tests.instrumentation.flask_server import Answer, FlaskServer

Settings = Callable[..., Runtime]

PATCHED = ("__call__", "dispatch_request", "handle_user_exception", "handle_exception", "finalize_request")
ORIGINAL = {name: vars(RealFlask)[name] for name in PATCHED}

LEDGER = Hop(service="ledger", code="DB_UNAVAILABLE", retryable=True, trace_id="a" * 32, span_id="b" * 16)
REFUSED = FailedCall(code="CIRCUIT_OPEN", kind=HopKind.REJECTED)
FAILED = FailedCall(code="HTTP_500", kind=HopKind.REMOTE, received=ErrorChain.of(LEDGER))

ORDERS = {"ours first": (0, 1), "the official one first": (1, 0)}


@pytest.fixture(params=ORDERS)
def instrumented(request: pytest.FixtureRequest, settings: Settings) -> Iterator[None]:
    both = (FlaskInstrumentor(), OfficialInstrumentor())
    settings()
    for position in ORDERS[request.param]:
        both[position].instrument()
    yield
    for instrumentor in both:
        if instrumentor.is_instrumented_by_opentelemetry:
            instrumentor.uninstrument()
    assert {name: vars(RealFlask)[name] for name in PATCHED} == ORIGINAL
    assert flask.Flask is RealFlask


class PaymentRefused(Exception):
    """An exception of the application's own, with a code."""

    error_code = "PAYMENT_REFUSED"


class Teapot(HTTPException):
    code = 503
    error_code = "TEAPOT"


def application() -> flask.Flask:
    """Made as an application makes one: by ``flask.Flask`` as it is now."""
    app = flask.Flask("shop")
    app.logger.disabled = True

    @app.route("/charge/<account>", methods=["GET", "POST"])
    def charge(account: str) -> Any:
        return app.view(account)  # type: ignore[attr-defined]  # set by the test

    return app


def ask(view: Callable[[str], Any], change: Callable[[flask.Flask], Any] | None = None, **headers: str) -> Answer:
    """The answer of an application with this ``view`` to one request of a caller that reads chains."""
    app = application()
    app.view = view  # type: ignore[attr-defined]  # what the route above calls
    served = change(app) if change is not None else None
    with FlaskServer(served or app) as server:
        return server.ask("POST", "/charge/17", **{"resilience": "chain", **headers})


def raising(error: BaseException) -> Callable[[str], Any]:
    def view(account: str) -> Any:
        raise error

    return view


def after(failed: FailedCall, answer: Any) -> Callable[[str], Any]:
    def view(account: str) -> Any:
        remember(failed)
        return answer

    return view


def chain_of(answer: Answer) -> ErrorChain | None:
    text = answer.headers.get("error-chain")
    return None if text is None else codec.decode(text)


def server_span(spans: InMemorySpanExporter) -> ReadableSpan:
    (span,) = [each for each in spans.get_finished_spans() if each.kind is SpanKind.SERVER]
    return span


def attribute(span: ReadableSpan, name: str) -> Any:
    return (span.attributes or {}).get(name)


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


def test_a_received_chain_is_passed_on_one_hop_longer(instrumented: None, spans: InMemorySpanExporter) -> None:
    chain = chain_of(ask(after(FAILED, ("the ledger is away", 502))))
    assert chain is not None
    assert [(hop.service, hop.code) for hop in chain.hops] == [
        ("ledger", "DB_UNAVAILABLE"),
        (service.current().name, "HTTP_502"),
    ]
    span = server_span(spans)
    assert attribute(span, "resilience.error.root.service") == "ledger"
    assert [f"{link.context.span_id:016x}" for link in span.links] == ["b" * 16]


def test_a_root_keeps_what_failed_whatever_it_answers(instrumented: None) -> None:
    chain = chain_of(ask(after(REFUSED, ("later", 503))))
    assert chain is not None
    assert [(hop.code, hop.kind) for hop in chain.hops] == [("CIRCUIT_OPEN", "rejected")]


@pytest.mark.parametrize("answer", ["fine", ("none", 404)])
def test_a_recovery_carries_no_chain(instrumented: None, answer: Any) -> None:
    assert chain_of(ask(after(FAILED, answer))) is None


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
        chain = chain_of(ask(raising(error), lambda app: app.register_error_handler(Exception, lambda e: ("no", status))))
        assert (None if chain is None else chain.root_cause_code) == code

    def test_one_for_500_that_recovers_ends_the_story(self, instrumented: None) -> None:
        answer = ask(raising(LookupError()), lambda app: app.register_error_handler(500, lambda e: ("fine", 200)))
        assert (answer.status, chain_of(answer)) == (200, None)

    def test_one_that_fails_itself_is_what_was_not_caught(self, instrumented: None) -> None:
        def handler(error: Exception) -> Any:
            raise DomainError("HANDLER_BROKEN")

        chain = chain_of(ask(raising(PaymentRefused()), lambda app: app.register_error_handler(PaymentRefused, handler)))
        assert chain is not None
        assert chain.root_cause_code == "HANDLER_BROKEN"

    def test_an_after_request_function_that_fails_is_an_exception_like_others(self, instrumented: None) -> None:
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


@pytest.mark.parametrize(
    "headers",
    [{"resilience": "attempt=1"}, {"x_forwarded_for": "8.8.8.8"}, {"forwarded": "for=unknown"}, {"resilience": "("}],
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


def test_what_a_caller_says_is_known_to_the_application(instrumented: None, spans: InMemorySpanExporter) -> None:
    seen: dict[str, Any] = {}

    def view(account: str) -> Any:
        current, left = request.current(), Deadline.current()
        assert current is not None
        assert left is not None
        seen.update(attempt=current.attempt, id=correlation.current(), left=left.remaining(), span=current.span)
        return "fine"

    ask(view, resilience="deadline=20000, attempt=2, chain", x_correlation_id="order-17")
    span = server_span(spans)
    assert (seen["attempt"], seen["id"]) == (2, "order-17")
    assert 15 < seen["left"] <= 20
    assert seen["span"] == (f"{span.context.trace_id:032x}", f"{span.context.span_id:016x}")
    assert attribute(span, "resilience.correlation.id") == "order-17"


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


def test_a_route_that_is_none_is_no_operation(instrumented: None) -> None:
    app = application()
    app.register_error_handler(404, lambda error: ("gone", 503))
    with FlaskServer(app) as server:
        chain = chain_of(server.ask("GET", "/secret/path", resilience="chain"))
    assert chain is not None
    assert chain.root.operation is None


def test_an_application_mounted_in_another_is_one_request(instrumented: None) -> None:
    inner = application()
    inner.view = lambda account: ("no", 503)  # type: ignore[attr-defined]  # what the route calls
    outer = flask.Flask("outer")
    outer.wsgi_app = inner  # type: ignore[method-assign,assignment]  # any WSGI application may stand there
    with FlaskServer(outer) as server:
        chain = chain_of(server.ask("GET", "/charge/17", resilience="chain"))
    assert chain is not None
    assert chain.chain_length == 1


def test_without_the_official_one_a_failure_still_tells_its_chain(settings: Settings) -> None:
    settings()
    FlaskInstrumentor().instrument()
    try:
        chain = chain_of(ask(lambda account: ("no", 503)))
    finally:
        FlaskInstrumentor().uninstrument()
    assert chain is not None
    assert (chain.root_cause_code, chain.trace_id) == ("HTTP_503", None)


def test_outside_of_a_server_flask_is_as_it_was(instrumented: None) -> None:
    app = application()
    app.view = lambda account: ("no", 503)  # type: ignore[attr-defined]  # what the route calls
    with app.test_request_context("/charge/17"):
        assert app.full_dispatch_request().status_code == 503


def test_when_our_part_fails_the_answer_is_still_made(
    instrumented: None, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    from otel_resilience_instrumentation import _flask_app

    def broken(*args: Any, **kwargs: Any) -> Any:
        raise LookupError("ours")

    monkeypatch.setattr(_flask_app, "_peer", broken)
    assert ask(lambda account: ("no", 503)).status == 503
    monkeypatch.undo()
    monkeypatch.setattr(_flask_app, "is_failure", broken)
    assert ask(lambda account: ("no", 503)).status == 503
    said = [record.getMessage() for record in caplog.records if record.name == "otel_resilience"]
    assert said == ["a request is answered without its fields", "an answer goes out without its error chain"]
