"""The server's side of one request, whatever the transport: what came in is judged, what goes out is told once."""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextvars import Token
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Self

from opentelemetry import trace

from otel_resilience import clock
from otel_resilience.context import correlation, request, service
from otel_resilience.context import deadline as deadlines
from otel_resilience.context.request import Request
from otel_resilience.errors import codes
from otel_resilience.errors.adopt import is_exhausted
from otel_resilience.errors.chain import ErrorChain
from otel_resilience.errors.codecs import baggage, request_field
from otel_resilience.errors.codecs import error_chain as chain_codec
from otel_resilience.errors.codecs.carriers import CORRELATION_FIELD, REQUEST_FIELD, valid_correlation_id
from otel_resilience.errors.codecs.field_error import FieldError
from otel_resilience.errors.codecs.request_field import RequestField
from otel_resilience.errors.hop import Hop, HopKind
from otel_resilience.errors.reading import read_error
from otel_resilience.outcome import Failure
from otel_resilience.telemetry import install as telemetry
from otel_resilience.telemetry.chain_on_span import record_chain
from otel_resilience_instrumentation._received import discard
from otel_resilience_instrumentation._settings import runtime

_log = logging.getLogger("otel_resilience")

Fields = Callable[[str], str | None]

_NOTHING_ASKED = RequestField(deadline=None, attempt=None, chain=False)


class InboundScope:
    """One request in hand: request, correlation id and deadline are current from ``enter`` until ``leave``.

    Used in one thread or task; ``leave`` may be called twice, and from another context, where it only forgets.
    """

    def __init__(
        self, current: Request, tokens: list[tuple[Callable[[Token[Any]], None], Token[Any]]]
    ) -> None:
        self.request = current
        self._tokens = tokens
        self.answered: Answer | None = None

    def leave(self) -> None:
        while self._tokens:
            undo, token = self._tokens.pop()
            try:
                undo(token)
            except ValueError:  # a stream that somebody else closes: its context ends with it
                continue

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        self.leave()


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a failing answer tells: ``chain``, this service's hop last.

    ``field``: its text, ``None`` where the caller may not read it.
    """

    chain: ErrorChain
    field: str | None


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
                undo.append((deadlines.restore, deadlines.tighten(seconds)))
        undo.append((correlation.leave, correlation.enter(_correlation_id(fields))))
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


def answer(
    scope: InboundScope,
    *,
    status: int | None = None,
    grpc_status: str | None = None,
    error: BaseException | None = None,
    stands_for_answer: bool = False,
    code: str | None = None,
    span: trace.Span | None = None,
) -> Answer | None:
    """What a failing answer tells, ``None`` where it tells nothing: a success, a recovery, a caller's mistake.

    Never raises. Call it when the answer is known, while the SERVER span (``span``, by default the current
    one) is recording: the chain is recorded on it and counted, once for a request. ``error``: the uncaught
    exception, or the one that made the answer; ``stands_for_answer``: it only stands for a status
    (``HTTPException``, ``abort``). ``code``: what the application itself says of its answer, as the reason of
    an ``ErrorInfo``.
    """
    if scope.answered is not None:
        return scope.answered
    if stands_for_answer:
        error = None
    if error is not None and not isinstance(error, Exception):
        return None  # the server is being stopped, or the caller has gone
    if error is None and not _begins_a_hop(status, grpc_status):
        return None
    try:
        span = trace.get_current_span() if span is None else span
        chain = _chain(scope.request, status, grpc_status, error, code, span)
        error_type = _error_type(status, grpc_status, error)
        record_chain(span, chain)
        telemetry.count_error(chain, error_type)
        field = chain_codec.encode(chain) if scope.request.reads_chains else None
        scope.answered = Answer(chain=chain, field=field)
    except Exception:
        _log.exception("a failing answer goes out without its error chain")
    return scope.answered


def _begins_a_hop(status: int | None, grpc_status: str | None) -> bool:
    if grpc_status is not None:
        return grpc_status in codes.GRPC_FAILURES
    return status is not None and (status >= 500 or status == 429)


def _chain(
    current: Request,
    status: int | None,
    grpc_status: str | None,
    error: BaseException | None,
    code: str | None,
    span: trace.Span,
) -> ErrorChain:
    own = _own_hop(current, code or _code(status, grpc_status), error, span)
    if error is None and status == 429:
        return ErrorChain.of(own)  # this service's own refusal, whatever failed before it
    failed = current.last_failure
    carried = None if error is None else read_error(Failure(error)).chain
    received = carried if failed is None or failed.received is None else failed.received
    exhausted = is_exhausted(error) or (failed is not None and failed.exhausted)
    if received is not None:
        # What decides on retries is the root's word; a hop on the way only passes it on.
        return received.extended(replace(own, exhausted=exhausted, retryable=False, kind=HopKind.LOCAL))
    if failed is not None:
        # The root keeps what failed, whatever it answers.
        return ErrorChain.of(
            replace(own, code=failed.code, kind=failed.kind, retryable=failed.retryable, exhausted=exhausted)
        )
    return ErrorChain.of(replace(own, exhausted=exhausted))


def _own_hop(current: Request, code: str, error: BaseException | None, span: trace.Span) -> Hop:
    kind, retryable = HopKind.LOCAL, code in codes.RETRYABLE
    if error is not None:
        reading = read_error(Failure(error))
        code, kind, retryable = reading.code or codes.INTERNAL, reading.kind, reading.retryable
    trace_id, span_id = current.span or _ids(span)
    this = service.current()
    return Hop(
        service=this.name,
        version=this.version,
        operation=current.operation,
        code=code,
        kind=kind,
        retryable=retryable,
        trace_id=trace_id,
        span_id=span_id,
        timestamp=datetime.fromtimestamp(clock.current().wall(), UTC),
    )


def _code(status: int | None, grpc_status: str | None) -> str:
    return grpc_status or (codes.INTERNAL if status is None else f"HTTP_{status}")


def _error_type(status: int | None, grpc_status: str | None, error: BaseException | None) -> str:
    if error is not None:
        return read_error(Failure(error)).error_type or codes.INTERNAL
    return grpc_status or str(status)


def _ids(span: trace.Span) -> tuple[str | None, str | None]:
    context = span.get_span_context()
    if not context.is_valid:
        return None, None
    return trace.format_trace_id(context.trace_id), trace.format_span_id(context.span_id)
