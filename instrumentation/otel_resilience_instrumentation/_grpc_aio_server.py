"""The side of a ``grpc.aio`` server of one RPC: our interceptor, innermost, as on a sync one (see ``_grpc_server.py``).

A handler is a coroutine, an asynchronous generator, a coroutine that writes its responses itself, or a plain
function, which such a server runs in a thread.
"""

from __future__ import annotations

import inspect
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from typing import Any

import grpc
import grpc.aio
from opentelemetry.instrumentation.utils import is_instrumentation_enabled

from otel_resilience_instrumentation._grpc_aio_context import WatchedAioContext, WatchedThreadContext
from otel_resilience_instrumentation._grpc_served import (
    Behavior,
    LeftAlone,
    ServedRpc,
    begin,
    behavior_of,
    with_behavior,
    with_last,
)
from otel_resilience_instrumentation._grpc_server import told

_log = logging.getLogger("otel_resilience")

#: What ``grpc.aio.server`` takes; the official instrumentation looks for interceptors by name alone.
_OPTIONS = (
    "migration_thread_pool",
    "handlers",
    "interceptors",
    "options",
    "maximum_concurrent_rpcs",
    "compression",
)


def with_interceptor(make: Callable[..., grpc.aio.Server]) -> Callable[..., grpc.aio.Server]:
    """``grpc.aio.server`` with our interceptor as the last one."""

    def make_server(*args: Any, **kwargs: Any) -> grpc.aio.Server:
        named = {**dict(zip(_OPTIONS, args, strict=False)), **kwargs}
        return make(**with_last(named, ResilienceAioServerInterceptor()))

    return make_server


class ResilienceAioServerInterceptor(grpc.aio.ServerInterceptor):
    """Reads the request fields of every RPC and sends an error chain with those that fail.

    Holds nothing, safe for tasks.
    """

    async def intercept_service(
        self, continuation: Callable[[Any], Awaitable[Any]], handler_call_details: Any
    ) -> Any:
        handler = await continuation(handler_call_details)
        if handler is None or not is_instrumentation_enabled():
            return handler
        try:
            return with_behavior(handler, _told(handler, handler_call_details.method.removeprefix("/")))
        except Exception:
            _log.exception("an RPC is answered without its fields")
            return handler


def _told(handler: Any, operation: str) -> Behavior:
    behavior = behavior_of(handler)
    if inspect.isasyncgenfunction(behavior):
        return _generating(behavior, operation)
    if inspect.iscoroutinefunction(behavior):
        return (_writing if handler.response_streaming else _answering)(behavior, operation)
    return told(behavior, operation, streams=handler.response_streaming, watch=WatchedThreadContext)


def _answering(behavior: Behavior, operation: str) -> Behavior:
    async def answer(request: Any, context: Any) -> Any:
        with begin(operation, context, WatchedAioContext) as rpc:
            await _refuse_if_expired(rpc)
            return await behavior(request, rpc.context)

    return answer


def _generating(behavior: Behavior, operation: str) -> Behavior:
    # It is iterated over in one task and one context, that of the RPC: the scope may stay open between two messages.
    async def generate(request: Any, context: Any) -> AsyncIterator[Any]:
        with begin(operation, context, WatchedAioContext) as rpc:
            await _refuse_if_expired(rpc)
            async with aclosing(behavior(request, rpc.context)) as responses:
                async for response in responses:
                    yield response

    return generate


def _writing(behavior: Behavior, operation: str) -> Behavior:
    # A generator without items, as the official instrumentation iterates over whatever streams; the server does not mind.
    async def write(request: Any, context: Any) -> AsyncIterator[Any]:
        with begin(operation, context, WatchedAioContext) as rpc:
            await _refuse_if_expired(rpc)
            await behavior(request, rpc.context)
        return
        yield

    return write


async def _refuse_if_expired(rpc: ServedRpc[Any] | LeftAlone) -> None:
    """Abort, which raises, where nobody waits for what the handler would do."""
    words = rpc.refusal()
    if words is not None:
        await rpc.context.abort(grpc.StatusCode.DEADLINE_EXCEEDED, words)
