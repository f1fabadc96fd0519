"""The instrumentor for ``Flask``.

Patched: methods of the one class ``flask.Flask``, whichever subclass an application is made of (the official
instrumentation's is one). Its SERVER span is current between its first ``before_request`` and the teardown,
so what is recorded on it is recorded inside. The library is not imported here.
"""

from __future__ import annotations

from collections.abc import Iterable
from types import ModuleType

from otel_resilience_instrumentation._instrumentor import LayeredInstrumentor
from otel_resilience_instrumentation._layer import Layer


class FlaskInstrumentor(LayeredInstrumentor):
    """Reads the request fields of what a Flask application is asked, and sends an error chain with what it fails to answer.

    SERVER spans come from the official instrumentation alone.
    """

    name = "resilience_flask"
    module = "flask"
    requires = ("flask >= 2.2",)
    needs = "opentelemetry.instrumentation.flask"

    def layers(self, module: ModuleType) -> Iterable[Layer]:
        from flask.app import Flask  # the class itself: ``module.Flask`` may be somebody's subclass of it

        from otel_resilience_instrumentation import _flask_app

        yield Layer(Flask, "__call__", _flask_app.in_scope)
        yield Layer(Flask, "dispatch_request", _flask_app.with_span)
        yield Layer(Flask, "handle_user_exception", _flask_app.knowing_handled)
        yield Layer(Flask, "handle_exception", _flask_app.knowing_uncaught)
        yield Layer(Flask, "finalize_request", _flask_app.telling)
