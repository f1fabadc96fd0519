"""The sync server's side of one RPC: our interceptor, innermost, with the request's scope around the handler.

The official interceptor puts itself first, users' come between: ours is appended last, so that the SERVER
span is current here and everything that the handler does is seen, whatever loads first.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from typing import Any

import grpc
from opentelemetry.instrumentation.utils import is_instrumentation_enabled

from otel_resilience_instrumentation._grpc_context import WatchedContext
from otel_resilience_instrumentation._grpc_served import (
    Behavior,
    LeftAlone,
    ServedRpc,
    Watch,
    begin,
    behavior_of,
    with_behavior,
    with_last,
)

_log = logging.getLogger("otel_resilience")

#: What ``grpc.server`` takes after the pool; the official instrumentation looks for interceptors by name alone.
_OPTIONS = ("handlers", "interceptors", "options", "maximum_concurrent_rpcs", "compression", "xds")


def with_interceptor(make: Callable[..., grpc.Server]) -> Callable[..., grpc.Server]:
    """``grpc.server`` with our interceptor as the last one."""

    def make_server(thread_pool: Any, *args: Any, **kwargs: Any) -> grpc.Server:
        named = {**dict(zip(_OPTIONS, args, strict=False)), **kwargs}
        return make(thread_pool, **with_last(named, ResilienceServerInterceptor()))

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
    behavior = behavior_of(handler)
    if getattr(behavior, "experimental_non_blocking", False):
        return handler  # it answers through a callback, which nobody can follow
    wrapped = told(behavior, method.removeprefix("/"), streams=handler.response_streaming)
    pool = getattr(behavior, "experimental_thread_pool", None)
    if pool is not None:
        wrapped.experimental_thread_pool = pool  # type: ignore[attr-defined]  # a function's attributes are its own
    return with_behavior(handler, wrapped)


def told(
    behavior: Behavior, operation: str, *, streams: bool, watch: Watch[Any] = WatchedContext
) -> Behavior:
    """``behavior``, which runs in a thread, with the end of each RPC told; ``streams``: it makes many responses."""

    def answer(request: Any, context: Any) -> Any:
        with begin(operation, context, watch) as rpc:
            _refuse_if_expired(rpc)
            return behavior(request, rpc.context)

    # A stream is produced in one thread and one context, that of the RPC: the scope may stay open between two messages.
    def stream(request: Any, context: Any) -> Iterator[Any]:
        with begin(operation, context, watch) as rpc:
            _refuse_if_expired(rpc)
            yield from behavior(request, rpc.context)

    return stream if streams else answer


def _refuse_if_expired(rpc: ServedRpc[Any] | LeftAlone) -> None:
    """Abort, which raises, where nobody waits for what the handler would do."""
    words = rpc.refusal()
    if words is not None:
        rpc.context.abort(grpc.StatusCode.DEADLINE_EXCEEDED, words)
