"""A channel whose calls are guarded: it delegates to the one that was made, and wraps what makes its calls.

It is the outermost one: the official instrumentation's interceptors, and those of ``wrap_channel``'s user,
are inside, once for each attempt.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

import grpc

from otel_resilience.boundary import host_of_target
from otel_resilience_instrumentation._grpc_call import SyncRpc
from otel_resilience_instrumentation._grpc_outgoing import GuardedMethod, Invoke, Method, Options
from otel_resilience_instrumentation._grpc_parked import ParkedCall
from otel_resilience_instrumentation._grpc_span import drawn_by_official

_log = logging.getLogger("otel_resilience")


def with_policies(make: Callable[..., grpc.Channel]) -> Callable[..., grpc.Channel]:
    """``grpc.insecure_channel`` or ``grpc.secure_channel`` with the policies of the targets that it is asked for."""

    def make_channel(target: str, *args: Any, **kwargs: Any) -> grpc.Channel:
        return wrap(make(target, *args, **kwargs), target)

    return make_channel


def wrap(channel: grpc.Channel, target: str) -> grpc.Channel:
    """``channel`` with policies; the very channel where that is not possible, or was done before."""
    if isinstance(channel, GuardedChannel):
        return channel
    try:
        return GuardedChannel(channel, target)
    except Exception:
        _log.exception("a channel to %s is used without its policies", target)
        return channel


class GuardedChannel(grpc.Channel):
    """``channel``, which was made for ``target``. As safe for threads as a channel is."""

    def __init__(self, channel: grpc.Channel, target: str) -> None:
        self._channel: Any = channel
        self._target = target
        self._host = host_of_target(target)
        self._official = drawn_by_official(channel)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or "_channel" not in vars(self):
            raise AttributeError(name)
        return getattr(self._channel, name)

    def unary_unary(self, method: str, *args: Any, **kwargs: Any) -> Any:
        return UnaryUnary(self._channel.unary_unary(method, *args, **kwargs), self._method(method))

    def unary_stream(self, method: str, *args: Any, **kwargs: Any) -> Any:
        return UnaryStream(self._channel.unary_stream(method, *args, **kwargs), self._method(method))

    def stream_unary(self, method: str, *args: Any, **kwargs: Any) -> Any:
        return StreamUnary(self._channel.stream_unary(method, *args, **kwargs), self._method(method))

    def stream_stream(self, method: str, *args: Any, **kwargs: Any) -> Any:
        return StreamStream(self._channel.stream_stream(method, *args, **kwargs), self._method(method))

    def subscribe(self, callback: Any, try_to_connect: bool = False) -> None:
        self._channel.subscribe(callback, try_to_connect=try_to_connect)

    def unsubscribe(self, callback: Any) -> None:
        self._channel.unsubscribe(callback)

    def close(self) -> None:
        self._channel.close()

    def __enter__(self) -> Self:
        self._channel.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> bool | None:
        done: bool | None = self._channel.__exit__(kind, error, at)
        return done

    def _method(self, name: str) -> Method:
        return Method(name=name, target=self._target, host=self._host, official=self._official)


class _Method(GuardedMethod[SyncRpc]):
    outgoing = SyncRpc

    def _park(self, invoke: Invoke, request: Any, timeout: Any, metadata: Any, options: Options) -> Any:
        return self._make(invoke, request, timeout, metadata, options, lambda rpc: rpc.park(ParkedCall))


class _Unary(_Method):
    """What calls with one answer have in common."""

    #: Whether the request can be sent a second time.
    _replayable = True

    def _block(self, invoke: Invoke, request: Any, timeout: Any, metadata: Any, options: Options) -> Any:
        return self._make(
            invoke, request, timeout, metadata, options, lambda rpc: rpc.block(replayable=self._replayable)
        )

    def __call__(
        self,
        request: Any,
        timeout: float | None = None,
        metadata: Any = None,
        credentials: Any = None,
        wait_for_ready: bool | None = None,
        compression: Any = None,
    ) -> Any:
        options = {"credentials": credentials, "wait_for_ready": wait_for_ready, "compression": compression}
        return self._block(self._base, request, timeout, metadata, options)

    def with_call(
        self,
        request: Any,
        timeout: float | None = None,
        metadata: Any = None,
        credentials: Any = None,
        wait_for_ready: bool | None = None,
        compression: Any = None,
    ) -> Any:
        options = {"credentials": credentials, "wait_for_ready": wait_for_ready, "compression": compression}
        return self._block(self._base.with_call, request, timeout, metadata, options)

    def future(
        self,
        request: Any,
        timeout: float | None = None,
        metadata: Any = None,
        credentials: Any = None,
        wait_for_ready: bool | None = None,
        compression: Any = None,
    ) -> Any:
        options = {"credentials": credentials, "wait_for_ready": wait_for_ready, "compression": compression}
        return self._park(self._base.future, request, timeout, metadata, options)


class _Stream(_Method):
    """What calls with many answers have in common."""

    def __call__(
        self,
        request: Any,
        timeout: float | None = None,
        metadata: Any = None,
        credentials: Any = None,
        wait_for_ready: bool | None = None,
        compression: Any = None,
    ) -> Any:
        options = {"credentials": credentials, "wait_for_ready": wait_for_ready, "compression": compression}
        return self._park(self._base, request, timeout, metadata, options)


class UnaryUnary(_Unary, grpc.UnaryUnaryMultiCallable):  # type: ignore[type-arg]  # not generic at run time
    """One request, one answer: the only kind that is ever sent twice."""


class StreamUnary(_Unary, grpc.StreamUnaryMultiCallable):  # type: ignore[type-arg]  # not generic at run time
    """Many requests, one answer; the requests are gone when they are sent."""

    _replayable = False


class UnaryStream(_Stream, grpc.UnaryStreamMultiCallable):  # type: ignore[type-arg]  # not generic at run time
    """One request, many answers: guarded from its begin to the end of the stream."""


class StreamStream(_Stream, grpc.StreamStreamMultiCallable):  # type: ignore[type-arg]  # not generic at run time
    """Many requests, many answers: guarded from its begin to the end of the stream."""
