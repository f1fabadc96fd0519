"""The instrumentor for ``grpc.aio``, clients and servers.

Patched: ``grpc.aio._channel.Channel``, where every way to make a channel ends: the official instrumentation,
which is in front of that, hands its interceptors in, and they are inside ours whatever loads first. And
``grpc.aio.server``, which the official one patches too, so that layer re-asserts itself (see ``_layer.py``).
``grpc`` imports ``grpc.aio`` at its own end, so it is the module to wait for; our own part is loaded by the
first channel or server of asyncio. Channels and servers that were made before are as they were.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from functools import partial
from types import ModuleType
from typing import Any

from otel_resilience_instrumentation._instrumentor import LayeredInstrumentor
from otel_resilience_instrumentation._layer import Layer, Make

_log = logging.getLogger("otel_resilience")

_OF_A_CHANNEL = ("__init__", "unary_unary", "unary_stream", "stream_unary", "stream_stream")


class GrpcAioInstrumentor(LayeredInstrumentor):
    """Guards every RPC of asyncio whose target has policies; reads error chains on all; servers send one with each that fails.

    Calls with one request and one answer may be retried; the others are guarded from begin to end, and never
    sent twice. SERVER spans come from the official instrumentation alone.
    """

    name = "resilience_grpc_aio"
    module = "grpc"
    requires = ("grpcio >= 1.63",)
    needs = "opentelemetry.instrumentation.grpc"

    def layers(self, module: ModuleType) -> Iterable[Layer]:
        for name in _OF_A_CHANNEL:
            yield Layer(module.aio._channel.Channel, name, _when_called(partial(_patch_of_channels, name)))
        yield Layer(module.aio, "server", _when_called(_patch_of_servers))


def _patch_of_channels(name: str) -> Make:
    from otel_resilience_instrumentation._grpc_aio_channel import PATCHES

    return PATCHES[name]


def _patch_of_servers() -> Make:
    from otel_resilience_instrumentation._grpc_aio_server import with_interceptor

    return with_interceptor


def _when_called(load: Callable[[], Make]) -> Make:
    """The patch that is loaded when what it patches is called: a process of threads alone needs none of it."""

    def make(current: Callable[..., Any]) -> Callable[..., Any]:
        patched: Callable[..., Any] | None = None

        def call(*args: Any, **kwargs: Any) -> Any:
            nonlocal patched
            if patched is None:
                try:
                    patched = load()(current)
                except Exception:
                    _log.exception("grpc.aio could not be instrumented and runs as it is")
                    patched = current
            return patched(*args, **kwargs)

        return call

    return make
