"""The server's side of one RPC: our interceptor, innermost, with the request's scope around the handler and its answer told.

The official interceptor puts itself first, users' come between: ours is appended last, so that the SERVER
span is current here and everything that the handler does is seen, whatever loads first.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from typing import Any

import grpc
from opentelemetry import trace
from opentelemetry.instrumentation.utils import is_instrumentation_enabled

from otel_resilience.errors import codes
from otel_resilience.errors.codecs import error_info
from otel_resilience.errors.codecs.carriers import CHAIN_FIELD, get_field
from otel_resilience_instrumentation import _inbound, _processor
from otel_resilience_instrumentation._grpc_context import WatchedContext
from otel_resilience_instrumentation._server_span import adopt, complete_grpc

_log = logging.getLogger("otel_resilience")

Behavior = Callable[..., Any]

#: gRPC says this many seconds, or more, where a call has no deadline.
_ENDLESS = 1e9

_FACTORIES = {
    (False, False): ("unary_unary", grpc.unary_unary_rpc_method_handler),
    (False, True): ("unary_stream", grpc.unary_stream_rpc_method_handler),
    (True, False): ("stream_unary", grpc.stream_unary_rpc_method_handler),
    (True, True): ("stream_stream", grpc.stream_stream_rpc_method_handler),
}


#: What ``grpc.server`` takes after the pool; the official instrumentation looks for interceptors by name alone.
_OPTIONS = ("handlers", "interceptors", "options", "maximum_concurrent_rpcs", "compression", "xds")


def with_interceptor(make: Callable[..., grpc.Server]) -> Callable[..., grpc.Server]:
    """``grpc.server`` with our interceptor as the last one."""

    def make_server(thread_pool: Any, *args: Any, **kwargs: Any) -> grpc.Server:
        named = {**dict(zip(_OPTIONS, args, strict=False)), **kwargs}
        named["interceptors"] = (*(named.get("interceptors") or ()), ResilienceServerInterceptor())
        return make(thread_pool, **named)

    return make_server


class ResilienceServerInterceptor(grpc.ServerInterceptor):
    """Reads the request fields of every RPC and sends an error chain with those that fail.

    Holds nothing, safe for threads.
    """

    def intercept_service(self, continuation: Callable[[Any], Any], handler_call_details: Any) -> Any:
        handler = continuation(handler_call_details)
        if handler is None or not is_instrumentation_enabled():
            return handler
        try:
            return _wrapped(handler, handler_call_details.method)
        except Exception:
            _log.exception("an RPC is answered without its fields")
            return handler


def _wrapped(handler: Any, method: str) -> Any:
    name, factory = _FACTORIES[bool(handler.request_streaming), bool(handler.response_streaming)]
    behavior = getattr(handler, name)
    if getattr(behavior, "experimental_non_blocking", False):
        return handler  # it answers through a callback, which nobody can follow
    around = _streaming if handler.response_streaming else _unary
    wrapped = around(behavior, method.removeprefix("/"))
    pool = getattr(behavior, "experimental_thread_pool", None)
    if pool is not None:
        wrapped.experimental_thread_pool = pool  # type: ignore[attr-defined]  # a function's attributes are its own
    return factory(
        wrapped,
        request_deserializer=handler.request_deserializer,
        response_serializer=handler.response_serializer,
    )


def _unary(behavior: Behavior, operation: str) -> Behavior:
    def answer(request: Any, context: grpc.ServicerContext) -> Any:
        rpc = _begin(operation, context)
        if rpc is None:
            return behavior(request, context)
        with rpc.scope:
            try:
                response = behavior(request, rpc.context)
            except Exception as error:
                rpc.end(error)
                raise
            rpc.end(None)
            return response

    return answer


def _streaming(behavior: Behavior, operation: str) -> Behavior:
    # A stream is produced in one thread and one context, that of the RPC: the scope may stay open between two messages.
    def answer(request: Any, context: grpc.ServicerContext) -> Iterator[Any]:
        rpc = _begin(operation, context)
        if rpc is None:
            yield from behavior(request, context)
            return
        with rpc.scope:
            try:
                yield from behavior(request, rpc.context)
            except Exception as error:
                rpc.end(error)
                raise
            rpc.end(None)

    return answer


class Rpc:
    """One RPC in a handler's hands."""

    def __init__(self, operation: str, context: grpc.ServicerContext) -> None:
        metadata = context.invocation_metadata() or ()
        pairs = [tuple(pair) for pair in metadata]
        left = context.time_remaining()
        self.scope = _inbound.enter(
            fields=lambda name: get_field(pairs, name),
            peer=context.peer(),
            operation=operation,
            deadline_seconds=left if left is not None and left < _ENDLESS else None,
        )
        self.context = WatchedContext(context)
        self._span = trace.get_current_span()
        adopt(self.scope.request, self._span)

    def end(self, error: Exception | None) -> None:
        """Tell how it ended: with ``error``, or with the status that the handler has set. Never raises."""
        try:
            self._tell(error)
        except Exception:
            _log.exception("a failing RPC goes out without its error chain")

    def _tell(self, error: Exception | None) -> None:
        context = self.context
        if context.aborted or error is None:
            error = None  # what abort() raises only stands for its status
            status = context.status or grpc.StatusCode.OK
        elif context.was_left_by_its_caller(error):
            return
        else:
            status = context.status or grpc.StatusCode.UNKNOWN
        if status is grpc.StatusCode.OK:
            return
        failed = status.name in codes.GRPC_FAILURES
        complete_grpc(self._span, status, failed=failed)
        trailing = context.known_trailing_metadata()
        told = None
        if failed:
            told = _inbound.answer(
                self.scope,
                grpc_status=status.name,
                error=error,
                code=None if error is not None else error_info.reason(trailing),
                span=self._span,
            )
        # A handler that hands on another service's trailing metadata hands on its chain too: that is ours to decide.
        kept = tuple(pair for pair in trailing if pair[0] != CHAIN_FIELD)
        if told is not None and told.field is not None:
            kept = (*kept, (CHAIN_FIELD, told.field))
        if kept != trailing:
            context.set_trailing_metadata(kept)


def _begin(operation: str, context: grpc.ServicerContext) -> Rpc | None:
    try:
        _processor.ensure_added()
        return Rpc(operation, context)
    except Exception:
        _log.exception("an RPC is answered without its fields")
        return None
