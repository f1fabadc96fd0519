"""What a Flask application does for one request, with that in hand and its answer told: the layers of its methods.

The scope begins at ``Flask.__call__``: that is outside of every middleware on ``wsgi_app``, so the peer is
the socket's own, before any proxy header is applied. The answer is known at the end of ``finalize_request``,
for failures too, and the official SERVER span is still current there.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Iterable
from typing import Any

from flask import Flask, Response, request
from opentelemetry.instrumentation.utils import is_http_instrumentation_enabled
from werkzeug.exceptions import HTTPException

from otel_resilience.errors.codecs.carriers import CHAIN_FIELD
from otel_resilience_instrumentation import _processor
from otel_resilience_instrumentation._flask_request import Environ, FlaskRequest
from otel_resilience_instrumentation._streamed_body import StreamedBody

_log = logging.getLogger("otel_resilience")

_KEY = "otel_resilience.request"
_RETRY_AFTER = "Retry-After"


def in_scope(call: Callable[..., Iterable[bytes]]) -> Callable[..., Iterable[bytes]]:
    """``Flask.__call__`` with the request in hand."""

    def scoped(app: Flask, environ: Environ, start_response: Any) -> Iterable[bytes]:
        if not is_http_instrumentation_enabled() or isinstance(environ.get(_KEY), FlaskRequest):
            return call(app, environ, start_response)  # the second: an application mounted in another
        try:
            _processor.ensure_added()
            current = FlaskRequest(environ)
        except Exception:
            _log.exception("a request is answered without its fields")
            return call(app, environ, start_response)
        environ[_KEY] = current
        try:
            body = call(app, environ, start_response)
        finally:
            current.scope.leave()
            environ.pop(_KEY, None)
        return StreamedBody(body, current.scope) if current.streams else body

    return scoped


def with_span(dispatch: Callable[..., Any]) -> Callable[..., Any]:
    """``Flask.dispatch_request`` with route and SERVER span known to the request: calls that fail below may begin at it."""

    def dispatch_with_span(app: Flask, *args: Any, **kwargs: Any) -> Any:
        current = _current()
        if current is not None:
            current.begin()
        return dispatch(app, *args, **kwargs)

    return dispatch_with_span


def knowing_handled(handle: Callable[..., Any]) -> Callable[..., Any]:
    """``Flask.handle_user_exception`` with the exception kept that a handler of the application may answer for."""

    def handle_known(app: Flask, error: Exception) -> Any:
        current = _current()
        if current is not None:
            current.handled = error
        return handle(app, error)

    return handle_known


def knowing_uncaught(handle: Callable[..., Response]) -> Callable[..., Response]:
    """``Flask.handle_exception`` with the exception that nobody caught."""

    def handle_known(app: Flask, error: Exception) -> Response:
        current = _current()
        if current is not None and not isinstance(error, HTTPException):
            current.uncaught = error
        try:
            return handle(app, error)
        except Exception:
            # PROPAGATE_EXCEPTIONS: the WSGI server makes the answer, which has no room for a chain; it is recorded all the same.
            _tell(current, None)
            raise

    return handle_known


def telling(finalize: Callable[..., Response]) -> Callable[..., Response]:
    """``Flask.finalize_request`` with the chain on an answer that fails."""

    def finalize_and_tell(app: Flask, *args: Any, **kwargs: Any) -> Response:
        response = finalize(app, *args, **kwargs)
        _tell(_current(), response)
        return response

    return finalize_and_tell


def _tell(current: FlaskRequest | None, response: Response | None) -> None:
    if current is None:
        return
    try:
        current.streams = response is not None and response.is_streamed and not response.direct_passthrough
        told = current.answer(None if response is None else response.status_code)
        if response is None:
            return
        # An application that hands on what another service said hands on its chain too: that is ours to decide.
        response.headers.pop(CHAIN_FIELD, None)
        if told is not None and told.field is not None:
            response.headers[CHAIN_FIELD] = told.field
            if told.retry_after is not None and _RETRY_AFTER not in response.headers:
                response.headers[_RETRY_AFTER] = str(math.ceil(told.retry_after))
    except Exception:
        _log.exception("an answer goes out without its error chain")


def _current() -> FlaskRequest | None:
    """The request in hand; ``None`` where Flask was not entered by the front door, as in ``test_request_context``."""
    found = request.environ.get(_KEY)
    return found if isinstance(found, FlaskRequest) else None
