"""Flask under both instrumentations, loaded in either order."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import flask
import pytest
from flask.app import Flask as RealFlask
from opentelemetry.instrumentation.flask import FlaskInstrumentor as OfficialInstrumentor

from otel_resilience_instrumentation._settings import Runtime
from otel_resilience_instrumentation.flask import FlaskInstrumentor

Settings = Callable[..., Runtime]


PATCHED = ("__call__", "dispatch_request", "handle_user_exception", "handle_exception", "finalize_request")


ORIGINAL = {name: vars(RealFlask)[name] for name in PATCHED}


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
