"""The instrumentor for ``httpx``'s ``Client`` and ``AsyncClient``.

Patched: their ``send`` for the policies, their ``_send_single_request`` for what each redirect hop carries.
The official instrumentation patches the transports below both. The library is not imported here.
"""

from __future__ import annotations

from collections.abc import Iterable
from types import ModuleType

from otel_resilience_instrumentation._instrumentor import LayeredInstrumentor
from otel_resilience_instrumentation._layer import Layer

_ONE_HOP = "_send_single_request"


class HttpxInstrumentor(LayeredInstrumentor):
    """Guards every ``httpx`` call whose destination has policies; on all sends fields and reads chains.

    CLIENT spans come from the official instrumentation alone.
    """

    name = "resilience_httpx"
    module = "httpx"
    requires = ("httpx >= 0.24",)

    def layers(self, module: ModuleType) -> Iterable[Layer]:
        from otel_resilience_instrumentation import _httpx_async, _httpx_sync

        for client, ours in ((module.AsyncClient, _httpx_async), (module.Client, _httpx_sync)):
            yield Layer(client, "send", ours.guarded)
            if hasattr(client, _ONE_HOP):
                yield Layer(client, _ONE_HOP, ours.with_fields)
