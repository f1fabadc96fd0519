"""A ``grpc.Channel`` to a service: each RPC is guarded, each attempt of one goes to an endpoint of its own."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any, Self

import grpc

from otel_resilience.discovery.endpoint import Endpoint
from otel_resilience.forking import forget_after_fork
from otel_resilience.mesh.line import Line
from otel_resilience.mesh.rpc import Rpc

Options = Sequence[tuple[str, Any]]

#: Channels to endpoints that are gone are let go when there are more of them.
_SPARE = 16


class EndpointChannels:
    """A channel for each endpoint, made at its first RPC.

    Safe for threads; a forked child makes its own, as gRPC wants it.
    """

    def __init__(
        self, service: str, credentials: grpc.ChannelCredentials | None, options: Options | None
    ) -> None:
        # Whoever answers is asked for as the service, and has the service's certificate, wherever it runs.
        named: list[tuple[str, Any]] = [("grpc.default_authority", service)]
        if credentials is not None:
            named.append(("grpc.ssl_target_name_override", service))
        self._options = [*named, *(options or ())]
        self._credentials = credentials
        self.forget()
        forget_after_fork(self)

    def forget(self) -> None:
        """Begin without channels, with a lock that nobody holds."""
        self._lock = threading.Lock()  # guards the two below; a channel connects later, by itself
        self._channels: dict[str, grpc.Channel] = {}
        self._closed = False

    def to(self, endpoint: Endpoint, present: Callable[[], Sequence[Endpoint]]) -> grpc.Channel:
        """The channel to ``endpoint``; ``present`` are those whose channels are worth keeping."""
        channel = self._channels.get(endpoint.address)
        if channel is not None:
            return channel
        keep = {each.address for each in present()} | {endpoint.address}
        with self._lock:
            if self._closed:
                raise ValueError("the channel is closed")
            if len(self._channels) >= len(keep) + _SPARE:
                # Let go, not closed: RPCs under way on them keep them until they have ended.
                self._channels = {
                    address: known for address, known in self._channels.items() if address in keep
                }
            if endpoint.address not in self._channels:
                self._channels[endpoint.address] = self._make(endpoint.address)
            return self._channels[endpoint.address]

    def close(self) -> None:
        """Close all of them, with what is under way; there will be no others."""
        with self._lock:
            self._closed = True
            channels, self._channels = list(self._channels.values()), {}
        for channel in channels:
            channel.close()

    def _make(self, address: str) -> grpc.Channel:
        if self._credentials is None:
            return grpc.insecure_channel(address, options=self._options)
        return grpc.secure_channel(address, self._credentials, options=self._options)


class MeshChannel(grpc.Channel):
    """To ``service``, by the line that the mesh has to it. As safe for threads as a channel is."""

    def __init__(
        self,
        service: str,
        line: Callable[[str], Line],
        credentials: grpc.ChannelCredentials | None,
        options: Options | None,
    ) -> None:
        self._service = service
        self._line = line
        self._channels = EndpointChannels(service, credentials, options)
        self._watched: dict[Any, grpc.Channel] = {}

    def unary_unary(self, method: str, *args: Any, **kwargs: Any) -> Any:
        return _UnaryUnary(self, "unary_unary", method, args, kwargs)

    def unary_stream(self, method: str, *args: Any, **kwargs: Any) -> Any:
        return _UnaryStream(self, "unary_stream", method, args, kwargs)

    def stream_unary(self, method: str, *args: Any, **kwargs: Any) -> Any:
        return _StreamUnary(self, "stream_unary", method, args, kwargs)

    def stream_stream(self, method: str, *args: Any, **kwargs: Any) -> Any:
        return _StreamStream(self, "stream_stream", method, args, kwargs)

    def line(self) -> Line:
        """The way to the service. Raises ``RuntimeError`` when the mesh is closed."""
        return self._line(self._service)

    def to(self, endpoint: Endpoint) -> grpc.Channel:
        """The channel to one endpoint."""
        return self._channels.to(endpoint, self.line().routes.instances)

    def subscribe(self, callback: Any, try_to_connect: bool = False) -> None:
        """Watch the connection to the endpoint whose turn it is: there is no connection to a service."""
        with self.line().unguarded() as endpoint:
            self._watched[callback] = channel = self.to(endpoint)
        channel.subscribe(callback, try_to_connect=try_to_connect)

    def unsubscribe(self, callback: Any) -> None:
        channel = self._watched.pop(callback, None)
        if channel is not None:
            channel.unsubscribe(callback)

    def close(self) -> None:
        self._watched.clear()
        self._channels.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *ending: object) -> None:
        self.close()


class _MultiCallable:
    """One method of the service; what makes its calls is asked of the channel to each endpoint."""

    #: Whether the request can be sent a second time.
    _replayable = False

    def __init__(
        self,
        channel: MeshChannel,
        kind: str,
        method: str | bytes,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> None:
        self._channel = channel
        self._kind = kind
        self._method = method
        self._args = args
        self._kwargs = kwargs

    def _rpc(self, way: str, request: Any, timeout: float | None, options: dict[str, Any]) -> Rpc:
        method = self._method.decode() if isinstance(self._method, bytes) else self._method

        def send(endpoint: Endpoint, limit: float | None) -> Any:
            made = getattr(self._channel.to(endpoint), self._kind)(self._method, *self._args, **self._kwargs)
            return getattr(made, way)(request, timeout=limit, **options)

        return Rpc(self._channel.line(), method.removeprefix("/"), send, timeout)


class _Unary(_MultiCallable):
    def __call__(self, request: Any, timeout: float | None = None, *args: Any, **options: Any) -> Any:
        return self._rpc("__call__", request, timeout, _named(args, options)).block(self._replayable)

    def with_call(self, request: Any, timeout: float | None = None, *args: Any, **options: Any) -> Any:
        return self._rpc("with_call", request, timeout, _named(args, options)).block(self._replayable)

    def future(self, request: Any, timeout: float | None = None, *args: Any, **options: Any) -> Any:
        return self._rpc("future", request, timeout, _named(args, options)).park()


class _Stream(_MultiCallable):
    def __call__(self, request: Any, timeout: float | None = None, *args: Any, **options: Any) -> Any:
        return self._rpc("__call__", request, timeout, _named(args, options)).park()


class _UnaryUnary(_Unary, grpc.UnaryUnaryMultiCallable):  # type: ignore[type-arg]  # not generic at run time
    """One request, one answer: the only kind that is ever sent twice."""

    _replayable = True


class _StreamUnary(_Unary, grpc.StreamUnaryMultiCallable):  # type: ignore[type-arg, misc]  # not generic; its request has many names
    """Many requests, one answer; the requests are gone when they are sent."""


class _UnaryStream(_Stream, grpc.UnaryStreamMultiCallable):  # type: ignore[type-arg]  # not generic at run time
    """One request, many answers: guarded from its begin to the end of the stream."""


class _StreamStream(_Stream, grpc.StreamStreamMultiCallable):  # type: ignore[type-arg, misc]  # not generic; its request has many names
    """Many requests, many answers: guarded from its begin to the end of the stream."""


_POSITIONS = ("metadata", "credentials", "wait_for_ready", "compression")


def _named(args: tuple[Any, ...], options: dict[str, Any]) -> dict[str, Any]:
    return dict(zip(_POSITIONS, args, strict=False)) | options
