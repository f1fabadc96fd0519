"""One RPC in a server's hands, whichever server it is: what came in is entered, and how it ended is told once."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable
from types import TracebackType
from typing import Any, Generic, Protocol, Self, TypeVar

import grpc
from opentelemetry import trace

from otel_resilience.errors import codes
from otel_resilience.errors.codecs import error_info
from otel_resilience.errors.codecs.carriers import CHAIN_FIELD, get_field
from otel_resilience.errors.dialects.grpc import PUSHBACK
from otel_resilience.exceptions import DeadlineExceededError
from otel_resilience_instrumentation import _answer, _inbound, _processor
from otel_resilience_instrumentation._grpc_context import Metadata
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


class Watched(Protocol):
    """A handler's context that sees how the handler answers: see ``Watching``."""

    tell: Callable[[], None] | None

    @property
    def status(self) -> grpc.StatusCode | None: ...
    @property
    def aborted(self) -> bool: ...
    def known_trailing_metadata(self) -> Metadata: ...
    def set_trailing_metadata(self, trailing_metadata: Metadata) -> None: ...
    def was_left_by_its_caller(self, error: Exception) -> bool: ...


W = TypeVar("W", bound=Watched)

#: Makes the watched context of the real one.
Watch = Callable[[Any], W]


class ServedRpc(Generic[W]):
    """One RPC: a ``with`` block around its handler, which gets ``context``. The block's end is the RPC's."""

    def __init__(self, operation: str, context: Any, watch: Watch[W]) -> None:
        pairs = [tuple(pair) for pair in context.invocation_metadata() or ()]
        left = context.time_remaining()
        self.scope = _inbound.enter(
            fields=lambda name: get_field(pairs, name),
            peer=context.peer(),
            operation=operation,
            deadline_seconds=left if left is not None and left < _ENDLESS else None,
        )
        self._ended = False
        self._refused: DeadlineExceededError | None = None
        try:
            self.context = watch(context)
            self.context.tell = self.end
            self._span = trace.get_current_span()
            adopt(self.scope.request, self._span)
        except BaseException:
            self.scope.leave()
            raise

    def refusal(self) -> str | None:
        """What an RPC is to be aborted with whose deadline had passed before it came; ``None`` for one to be served."""
        self._refused = _inbound.refusal(self.scope)
        return None if self._refused is None else str(self._refused)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        if isinstance(error, Exception | None):  # else the server is stopped, or the caller has gone
            self.end(error)
        self.context.tell = None  # a circle, which the collector of garbage would have to find
        self.scope.leave()

    def end(self, error: Exception | None = None) -> None:
        """Tell how it ended: with ``error``, or with the status that the handler has set.

        Never raises, and tells once: a status that is sent before the handler ends is told before it is sent.
        """
        if self._ended:
            return
        self._ended = True
        try:
            self._tell(error)
        except Exception:
            _log.exception("a failing RPC goes out without its error chain")

    def _tell(self, error: Exception | None) -> None:
        context = self.context
        if context.aborted or error is None:
            error = self._refused  # what abort() raises only stands for its status
            status = context.status or grpc.StatusCode.OK
        elif context.was_left_by_its_caller(error):
            return
        else:
            status = context.status or grpc.StatusCode.UNKNOWN
        failed = status.name in codes.GRPC_FAILURES
        if status is not grpc.StatusCode.OK:
            complete_grpc(self._span, status, failed=failed)
        trailing = context.known_trailing_metadata()
        told = None
        if failed:
            told = _answer.answer(
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
            if told.retry_after is not None and all(key != PUSHBACK for key, _ in kept):
                kept = (*kept, (PUSHBACK, str(math.ceil(told.retry_after * 1000))))
        if kept != trailing:
            context.set_trailing_metadata(kept)


class LeftAlone:
    """An RPC that our part failed to enter: its handler gets its context as it is."""

    def __init__(self, context: Any) -> None:
        self.context = context

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *ending: object) -> None:
        """Nothing was entered."""

    def refusal(self) -> str | None:
        """Nothing is known of its deadline."""
        return None


def begin(operation: str, context: Any, watch: Watch[W]) -> ServedRpc[W] | LeftAlone:
    """Begin to answer an RPC, whose handler is called inside ``with``. Never raises."""
    try:
        _processor.ensure_added()
        return ServedRpc(operation, context, watch)
    except Exception:
        _log.exception("an RPC is answered without its fields")
        return LeftAlone(context)


def behavior_of(handler: Any) -> Behavior:
    """What ``handler`` does for an RPC."""
    name, _ = _FACTORIES[bool(handler.request_streaming), bool(handler.response_streaming)]
    behavior: Behavior = getattr(handler, name)
    return behavior


def with_behavior(handler: Any, behavior: Behavior) -> Any:
    """``handler`` with another ``behavior``."""
    _, factory = _FACTORIES[bool(handler.request_streaming), bool(handler.response_streaming)]
    return factory(
        behavior,
        request_deserializer=handler.request_deserializer,
        response_serializer=handler.response_serializer,
    )


def with_last(named: dict[str, Any], interceptor: Any) -> dict[str, Any]:
    """The arguments of a server with ``interceptor`` as its last one: the official instrumentation puts its own first."""
    return {**named, "interceptors": (*(named.get("interceptors") or ()), interceptor)}
