"""Channels of ``grpc.aio`` whose calls are guarded: what they make of a method is put into ours.

Ours is around the library's own method, with the interceptors of the channel, the official ones too, inside:
once for each attempt.
"""

from __future__ import annotations

import logging
import weakref
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import grpc.aio

from otel_resilience.boundary import host_of_target
from otel_resilience_instrumentation._grpc_aio_call import AioRpc
from otel_resilience_instrumentation._grpc_aio_parked import (
    ParkedStreamStream,
    ParkedStreamUnary,
    ParkedUnaryStream,
    ParkedUnaryUnary,
)
from otel_resilience_instrumentation._grpc_aio_unary import GuardedCall
from otel_resilience_instrumentation._grpc_outgoing import GuardedMethod, Method, Options
from otel_resilience_instrumentation._grpc_span import is_official

_log = logging.getLogger("otel_resilience")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Peer:
    target: str
    host: str | None
    official: bool

    def method(self, name: str | bytes) -> Method:
        text = name.decode() if isinstance(name, bytes) else name
        return Method(name=text, target=self.target, host=self.host, official=self.official)


_peers: weakref.WeakKeyDictionary[Any, _Peer] = weakref.WeakKeyDictionary()


def knowing_its_peer(init: Callable[..., None]) -> Callable[..., None]:
    """``Channel.__init__`` with the target remembered, and whether the official interceptors are among those given."""

    def made(channel: Any, target: str, *args: Any, **kwargs: Any) -> None:
        init(channel, target, *args, **kwargs)
        try:
            interceptors = (*args[3:4], kwargs.get("interceptors"))
            official = any(is_official(each) for given in interceptors for each in given or ())
            _peers[channel] = _Peer(target=target, host=host_of_target(target), official=official)
        except Exception:
            _log.exception("a channel to %s is used without its policies", target)

    return made


def guarding(kind: type[_Method]) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """``Channel.unary_unary`` or another with what it makes put into a ``kind``; channels made before are as they were."""

    def layer(make: Callable[..., Any]) -> Callable[..., Any]:
        def make_method(channel: Any, method: str, *args: Any, **kwargs: Any) -> Any:
            base = make(channel, method, *args, **kwargs)
            peer = _peers.get(channel)
            return base if peer is None else kind(base, peer.method(method))

        return make_method

    return layer


class _Method(GuardedMethod[AioRpc]):
    outgoing = AioRpc
    #: What its calls are to those who hold them, guarded from begin to end.
    parked: Callable[..., Any]

    def _call(self, request: Any, timeout: Any, metadata: Any, options: Options) -> Any:
        return self._make(self._base, request, timeout, metadata, options, self._begin)

    def _begin(self, rpc: AioRpc) -> Any:
        return rpc.park(self.parked)


class _OneRequest(_Method):
    def __call__(
        self,
        request: Any,
        *,
        timeout: float | None = None,
        metadata: Any = None,
        credentials: Any = None,
        wait_for_ready: bool | None = None,
        compression: Any = None,
    ) -> Any:
        options = {"credentials": credentials, "wait_for_ready": wait_for_ready, "compression": compression}
        return self._call(request, timeout, metadata, options)


class _ManyRequests(_Method):
    def __call__(
        self,
        request_iterator: Any = None,
        timeout: float | None = None,
        metadata: Any = None,
        credentials: Any = None,
        wait_for_ready: bool | None = None,
        compression: Any = None,
    ) -> Any:
        options = {"credentials": credentials, "wait_for_ready": wait_for_ready, "compression": compression}
        return self._call(request_iterator, timeout, metadata, options)


class UnaryUnary(_OneRequest, grpc.aio.UnaryUnaryMultiCallable):  # type: ignore[type-arg]  # not generic at run time
    """One request, one answer: the only kind that is ever sent twice."""

    parked = ParkedUnaryUnary

    def _begin(self, rpc: AioRpc) -> Any:
        if not rpc.guarded:
            return super()._begin(rpc)
        return GuardedCall(rpc, self._base)


class UnaryStream(_OneRequest, grpc.aio.UnaryStreamMultiCallable):  # type: ignore[type-arg]  # not generic at run time
    """One request, many answers: guarded from its begin to the end of the stream."""

    parked = ParkedUnaryStream


class StreamUnary(_ManyRequests, grpc.aio.StreamUnaryMultiCallable):  # type: ignore[type-arg]  # not generic at run time
    """Many requests, one answer; the requests are gone when they are sent."""

    parked = ParkedStreamUnary


class StreamStream(_ManyRequests, grpc.aio.StreamStreamMultiCallable):  # type: ignore[type-arg]  # not generic at run time
    """Many requests, many answers: guarded from its begin to the end of the stream."""

    parked = ParkedStreamStream


#: The methods of ``Channel`` that are patched, and by what.
PATCHES: dict[str, Callable[[Callable[..., Any]], Callable[..., Any]]] = {
    "__init__": knowing_its_peer,
    "unary_unary": guarding(UnaryUnary),
    "unary_stream": guarding(UnaryStream),
    "stream_unary": guarding(StreamUnary),
    "stream_stream": guarding(StreamStream),
}
