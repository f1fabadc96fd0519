"""The instrumentor for ``grpc``, clients and servers (sync).

Patched: ``grpc.insecure_channel`` and ``grpc.secure_channel``, which the official instrumentation patches
too, so the layers re-assert themselves (see ``_layer.py``), and ``grpc.server``. The library is not imported
here. Channels and servers that were made before, and names that were imported from ``grpc`` before, are as
they were: ``wrap_channel`` is for those.
"""

from __future__ import annotations

from collections.abc import Iterable
from types import ModuleType
from typing import TYPE_CHECKING

from otel_resilience_instrumentation._instrumentor import LayeredInstrumentor
from otel_resilience_instrumentation._layer import Layer

if TYPE_CHECKING:
    from grpc import Channel


class GrpcInstrumentor(LayeredInstrumentor):
    """Guards every RPC whose target has policies; reads error chains on all; servers send one with each that fails.

    Blocking calls with one request may be retried; futures and streams are guarded from begin to end, and
    never sent twice. SERVER spans come from the official instrumentation alone.
    """

    name = "resilience_grpc"
    module = "grpc"
    requires = ("grpcio >= 1.63",)
    needs = "opentelemetry.instrumentation.grpc"

    def layers(self, module: ModuleType) -> Iterable[Layer]:
        from otel_resilience_instrumentation._grpc_channel import with_policies
        from otel_resilience_instrumentation._grpc_server import with_interceptor

        yield Layer(module, "insecure_channel", with_policies)
        yield Layer(module, "secure_channel", with_policies)
        yield Layer(module, "server", with_interceptor)


def wrap_channel(channel: Channel, target: str) -> Channel:
    """``channel``, which was made for ``target`` before anything was instrumented, with the policies of that target."""
    from otel_resilience_instrumentation._grpc_channel import wrap

    return wrap(channel, target)
