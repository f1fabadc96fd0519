"""The server's side of one request, whatever the transport: what came in is judged, and set once for all that it causes."""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextvars import Token
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from otel_resilience.context import correlation, request, service
from otel_resilience.context import deadline as deadlines
from otel_resilience.context.request import Request
from otel_resilience.errors.codecs import baggage, request_field
from otel_resilience.errors.codecs.carriers import CORRELATION_FIELD, REQUEST_FIELD, valid_correlation_id
from otel_resilience.errors.codecs.field_error import FieldError
from otel_resilience.errors.codecs.request_field import RequestField
from otel_resilience.events import ExecutionRejected
from otel_resilience.exceptions import DeadlineExceededError
from otel_resilience.listener import LISTENERS
from otel_resilience.outcome import Mode
from otel_resilience_instrumentation._received import discard
from otel_resilience_instrumentation._settings import runtime

if TYPE_CHECKING:
    from otel_resilience_instrumentation._answer import Answer

_log = logging.getLogger("otel_resilience")

Fields = Callable[[str], str | None]

_NOTHING_ASKED = RequestField(deadline=None, attempt=None, chain=False)


class InboundScope:
    """One request in hand: request, correlation id and deadline are current from ``enter`` until ``leave``.

    ``expired``: its deadline had passed when it came. ``answer``: what its failing answer tells, once it is
    ``answered``. Used in one thread or task; ``leave`` may be called twice, and from another context, where it only
    forgets. ``resume`` makes it current again where the answer is made after the handler has ended, piece by piece.
    """

    def __init__(
        self, current: Request, tokens: list[tuple[Callable[[Token[Any]], None], Token[Any]]]
    ) -> None:
        self.request = current
        self._tokens = tokens
        self.expired = False
        self.answered = False
        self.answer: Answer | None = None
        self.correlation_id: str | None = None
        self.expires_at: float | None = None

    def resume(self) -> Self:
        """Make all that is its own current again, until ``leave``; in whatever thread or task."""
        self._tokens.append((request.leave, request.enter(self.request)))
        self._tokens.append((deadlines.restore, deadlines.resume(self.expires_at)))
        if self.correlation_id is not None:
            self._tokens.append((correlation.leave, correlation.enter(self.correlation_id)))
        return self

    def leave(self) -> None:
        while self._tokens:
            undo, token = self._tokens.pop()
            undo(token)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        self.leave()


def enter(
    *, fields: Fields, peer: str, operation: str | None, deadline_seconds: float | None = None
) -> InboundScope:
    """Begin to answer a request. Never raises.

    ``fields`` looks a header or metadata key up, repeated ones joined with ", ". ``peer`` is the address of
    the socket, before any proxy header is applied. ``deadline_seconds`` is what the transport's own deadline
    leaves.
    """
    current = Request(operation=operation)
    scope = InboundScope(current, [])
    undo = scope._tokens
    undo.append((request.leave, request.enter(current)))
    undo.append((deadlines.restore, deadlines.clear()))
    try:
        trusted = runtime().trusts(peer, fields("forwarded"), fields("x-forwarded-for"))
        asked = _read_request_field(fields(REQUEST_FIELD), trusted)
        current.attempt = asked.attempt or 1
        current.reads_chains = asked.chain
        for seconds in (asked.deadline, deadline_seconds):
            if seconds is not None:
                scope.expired = scope.expired or seconds <= 0.0
                undo.append((deadlines.restore, deadlines.tighten(seconds)))
        scope.expires_at = deadlines.expires_at()
        scope.correlation_id = _correlation_id(fields)
        undo.append((correlation.leave, correlation.enter(scope.correlation_id)))
    except Exception:
        _log.exception("an incoming request was not understood and is answered without its fields")
    return scope


def _read_request_field(text: str | None, trusted: bool) -> RequestField:
    if text is None:
        return _NOTHING_ASKED
    if not trusted:
        discard(REQUEST_FIELD, "untrusted")
        return _NOTHING_ASKED
    try:
        return request_field.decode(text)
    except FieldError as error:
        discard(REQUEST_FIELD, error.reason)
        return _NOTHING_ASKED


def _correlation_id(fields: Fields) -> str:
    """The caller's id where it may be taken and fits, else a new one."""
    if not runtime().takes_correlation:
        return correlation.generate()
    text = fields(CORRELATION_FIELD)
    if text is not None:
        if valid_correlation_id(text):
            return text
        discard(CORRELATION_FIELD, "malformed")
    carried = baggage.correlation_id(fields("baggage") or "")
    return carried or correlation.generate()


def refusal(scope: InboundScope) -> DeadlineExceededError | None:
    """The refusal of a request whose deadline had passed before it came: nobody waits for what it would do.

    Counted and announced, on the SERVER span where it is current. In shadow it is only counted, and ``None``.
    """
    mode = runtime().mode
    if not scope.expired or mode is Mode.OFF:
        return None
    enforced = mode is Mode.ENFORCE
    LISTENERS.announce(
        ExecutionRejected(
            name=service.current().name,
            policy_type="timeout",
            reason="deadline_exceeded",
            enforced=enforced,
            error_code=DeadlineExceededError.error_code,
        )
    )
    return DeadlineExceededError("the deadline of this request had passed when it came") if enforced else None
