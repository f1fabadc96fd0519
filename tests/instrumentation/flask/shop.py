"""An application whose one view is the test's own, and what is found in its answers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import flask
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind
from werkzeug.exceptions import HTTPException

from otel_resilience.errors.chain import ErrorChain
from otel_resilience.errors.codecs import error_chain as codec
from otel_resilience.errors.failed_call import FailedCall, remember
from tests.instrumentation.flask.server import Answer, FlaskServer


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


def ask(
    view: Callable[[str], Any], change: Callable[[flask.Flask], Any] | None = None, **headers: str
) -> Answer:
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
