"""The instrumentor for ``httpx``'s ``AsyncClient``.

Patched: ``httpx.AsyncClient.send`` for the policies, ``AsyncClient._send_single_request`` for what each
redirect hop carries. The official instrumentation patches the transports below both. The library is not
imported here.
"""

from __future__ import annotations

from collections.abc import Iterable
from types import ModuleType

from otel_resilience_instrumentation._instrumentor import LayeredInstrumentor
from otel_resilience_instrumentation._layer import Layer


class HttpxInstrumentor(LayeredInstrumentor):
    """Guards every ``httpx.AsyncClient`` call whose destination has policies; on all sends fields and reads chains.

    CLIENT spans come from the official instrumentation alone. The sync ``httpx.Client`` is not covered.
    """

    name = "resilience_httpx"
    module = "httpx"
    requires = ("httpx >= 0.24",)

    def layers(self, module: ModuleType) -> Iterable[Layer]:
        from otel_resilience_instrumentation._httpx_call import guarded, with_fields

        yield Layer(module.AsyncClient, "send", guarded)
        if hasattr(module.AsyncClient, "_send_single_request"):
            yield Layer(module.AsyncClient, "_send_single_request", with_fields)
