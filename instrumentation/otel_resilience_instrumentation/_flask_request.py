"""One request in a Flask application's hands: what came in, the exceptions that were met, and what the answer tells."""

from __future__ import annotations

from typing import Any

from flask import request
from opentelemetry import trace
from werkzeug.exceptions import GatewayTimeout, HTTPException

from otel_resilience.errors import codes
from otel_resilience.errors.dialects.http import is_failure
from otel_resilience.errors.peek import peek
from otel_resilience.exceptions import DeadlineExceededError, as_code
from otel_resilience_instrumentation import _answer, _inbound
from otel_resilience_instrumentation._server_span import adopt

Environ = dict[str, Any]


class FlaskRequest:
    """One request in an application's hands: its scope, the exceptions that were met, and whether its answer ``streams``."""

    def __init__(self, environ: Environ) -> None:
        def field(name: str) -> str | None:
            value = environ.get("HTTP_" + name.upper().replace("-", "_"))
            return value if isinstance(value, str) else None

        self.scope = _inbound.enter(fields=field, peer=_peer(environ), operation=None)
        self.refused: DeadlineExceededError | None = None
        self.handled: Exception | None = None
        self.uncaught: Exception | None = None
        self.streams = False

    def begin(self) -> None:
        """The route is known, and the SERVER span current. Raises the answer to work that nobody waits for."""
        adopt(self.scope.request, trace.get_current_span())
        self._name_operation()
        self.refused = _inbound.refusal(self.scope)
        if self.refused is not None:
            raise GatewayTimeout(str(self.refused))

    def answer(self, status: int | None) -> _answer.Answer | None:
        """What the answer with ``status`` tells; ``None`` for the status where the server makes it of an exception."""
        if status is not None and not is_failure(status):
            return None  # whatever was met on the way: the request recovered from it
        error = self.refused or self.uncaught
        code = _own_code(self.handled)
        if error is None and self.handled is not None and code is not None and status != 429:
            error = self.handled
        if status is None and error is None:
            return None
        return _answer.answer(self.scope, status=status, error=error, code=code)

    def _name_operation(self) -> None:
        """The route and never the path: what users write is not shown to others."""
        rule = request.url_rule
        if rule is not None:
            self.scope.request.operation = f"{request.method} {rule.rule}"


def _peer(environ: Environ) -> str:
    """The socket's address, also where a ProxyFix around the application has replaced it."""
    original = environ.get("werkzeug.proxy_fix.orig")
    address = (original if isinstance(original, dict) else environ).get("REMOTE_ADDR")
    if address == "<local>":  # werkzeug's word for a Unix socket
        return "unix:"
    return address if isinstance(address, str) else ""


def _own_code(error: Exception | None) -> str | None:
    """The code of an exception that the application caught and answered for.

    ``None`` where it says no more than the status: a peer's answer, an ``HTTPException``, a type that nobody knows.
    """
    if error is None:
        return None
    own = as_code(peek(error, "error_code"))
    if own is not None:
        return own
    if (
        isinstance(error, HTTPException)
        or codes.http_status(error) is not None
        or codes.grpc_status(error) is not None
    ):
        return None
    code = codes.code_of(error)
    return None if code == codes.INTERNAL else code
