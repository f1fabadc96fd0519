"""One outgoing RPC, from its policies down to what each attempt carries."""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

import grpc
from opentelemetry import trace
from opentelemetry.trace import Span

from otel_resilience import clock
from otel_resilience.context import deadline
from otel_resilience.errors.dialects.grpc import (
    DIALECT,
    CallCancelled,
    refused_call,
    was_cancelled_here,
)
from otel_resilience.errors.failed_call import FailedCall, remember
from otel_resilience.flow.call import NOT_IDEMPOTENT
from otel_resilience.outcome import Failure, unwrap
from otel_resilience_instrumentation import _grpc_span, _processor
from otel_resilience_instrumentation._grpc_metadata import Pairs, distinct, receive, with_fields
from otel_resilience_instrumentation._grpc_parked import ParkedCall, settle_given_up
from otel_resilience_instrumentation._grpc_settlement import Settlement, Unguarded
from otel_resilience_instrumentation._outbound import request_fields
from otel_resilience_instrumentation._settings import runtime

_log = logging.getLogger("otel_resilience")

Invoke = Callable[..., Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Method:
    """Which method of whom: ``target`` as the channel was made for it, ``host`` as the boundary judges it.

    ``official``: the official interceptor of the channel draws the CLIENT spans.
    """

    name: str
    target: str
    host: str | None
    official: bool


class OutgoingRpc:
    """One logical call of ``method``, made by ``invoke``; ``options`` are handed on as they are."""

    def __init__(
        self,
        method: Method,
        invoke: Invoke,
        request: Any,
        timeout: float | None,
        metadata: Any,
        options: dict[str, Any],
    ) -> None:
        self._method = method
        self._invoke = invoke
        self._request = request
        self._timeout = timeout
        self._metadata: Pairs = tuple((key, value) for key, value in metadata or ())
        self._options = options
        self._target = runtime().find_grpc(method.name, method.target)
        settle_given_up()

    def block(self, *, replayable: bool) -> Any:
        """Make the call in this thread: what it returns, or the very error that it raises."""
        try:
            if self._target is None:
                return self._unguarded()
            _processor.ensure_added()
            may_repeat = replayable and self._target.idempotent
            return self._target.pipeline.execute(
                self._attempt,
                dialect=DIALECT,
                peer=self._target.service,
                not_replayable=None if may_repeat else NOT_IDEMPOTENT,
            )
        except CallCancelled as cancelled:
            error = cancelled.error
        raise error or grpc.RpcError()

    def park(self) -> Any:
        """Begin a call that ends elsewhere, once: the future or stream of it.

        A refused one is a call that has failed.
        """
        _processor.ensure_added()
        execution = (
            Unguarded()
            if self._target is None
            else self._target.pipeline.park(dialect=DIALECT, peer=self._target.service)
        )
        if execution.refused is not None:
            return refused_call(execution.refused)
        settlement = Settlement(execution, self._method.host)
        try:
            call = settlement.run(lambda: self._start(settlement))
        except BaseException as error:
            ended = settlement.end(Failure(error))
        else:
            return ParkedCall(call, settlement)
        return unwrap(ended)

    def _unguarded(self) -> Any:
        began = clock.current().monotonic()
        try:
            return self._attempt()
        except Exception as error:
            if isinstance(error, grpc.RpcError):
                remember(FailedCall.of(DIALECT.read(Failure(error)), began=began))
            raise

    def _attempt(self) -> Any:
        span, metadata = self._dressed()
        try:
            with _current(span):
                result = self._send(metadata)
        except BaseException as error:
            receive(error, self._method.host)
            if span is not None:
                _grpc_span.end(span, error)
            if was_cancelled_here(error):
                raise CallCancelled(error) from None
            raise
        if span is not None:
            _grpc_span.end(span, None)
        return result

    def _start(self, settlement: Settlement) -> Any:
        settlement.span, metadata = self._dressed()
        with _current(settlement.span):
            return self._send(metadata)

    def _send(self, metadata: Pairs | None) -> Any:
        timeout = self._timeout
        left = deadline.remaining() if self._target is not None else None
        if left is not None:
            timeout = left if timeout is None else min(timeout, left)
        return self._invoke(self._request, timeout=timeout, metadata=metadata, **self._options)

    def _dressed(self) -> tuple[Span | None, Pairs | None]:
        """The CLIENT span, if it is ours to draw, and the metadata of this attempt; the user's alone where ours fails."""
        span, metadata = None, self._metadata
        try:
            metadata = with_fields(metadata, request_fields(self._method.host, deadline=False))
            if self._method.official:
                return None, distinct(metadata) or None
            span, carried = _grpc_span.start(
                self._method.name, self._method.target, guarded=self._target is not None
            )
            metadata = with_fields(metadata, dict(carried))
        except Exception:
            _log.exception("an RPC is sent without its fields")
        return span, metadata or None


def _current(span: Span | None) -> AbstractContextManager[Any]:
    if span is None:
        return nullcontext()
    return trace.use_span(span, end_on_exit=False, record_exception=False, set_status_on_exception=False)
