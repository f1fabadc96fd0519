"""The instrumentor for ``grpc.aio``, clients and servers.

Patched: ``grpc.aio._channel.Channel``, where every way to make a channel ends: the official instrumentation,
which is in front of that, hands its interceptors in, and they are inside ours whatever loads first. And
``grpc.aio.server``, which the official one patches too, so that layer re-asserts itself (see ``_layer.py``).
``grpc`` imports ``grpc.aio`` at its own end, so it is the module to wait for. Channels and servers that were
made before are as they were.
"""

from __future__ import annotations

from collections.abc import Iterable
from types import ModuleType

from otel_resilience_instrumentation._instrumentor import LayeredInstrumentor
from otel_resilience_instrumentation._layer import Layer


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
        from otel_resilience_instrumentation import _grpc_aio_channel as ours
        from otel_resilience_instrumentation import _grpc_aio_server

        channel = module.aio._channel.Channel
        yield Layer(channel, "__init__", ours.knowing_its_peer)
        yield Layer(channel, "unary_unary", ours.guarding(ours.UnaryUnary))
        yield Layer(channel, "unary_stream", ours.guarding(ours.UnaryStream))
        yield Layer(channel, "stream_unary", ours.guarding(ours.StreamUnary))
        yield Layer(channel, "stream_stream", ours.guarding(ours.StreamStream))
        yield Layer(module.aio, "server", _grpc_aio_server.with_interceptor)
