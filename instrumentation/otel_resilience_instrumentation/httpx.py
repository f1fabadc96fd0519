"""The instrumentors for ``httpx``'s ``Client`` and ``AsyncClient``, and for those of ``httpx2``, which are the same.

Patched: their ``send`` for the policies, their ``_send_single_request`` for what each redirect hop carries.
The official instrumentation patches the transports below both. Neither library is imported here.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from types import ModuleType

from otel_resilience_instrumentation._instrumentor import LayeredInstrumentor
from otel_resilience_instrumentation._layer import Layer

_ONE_HOP = "_send_single_request"


class _ClientInstrumentor(LayeredInstrumentor):
    def layers(self, module: ModuleType) -> Iterable[Layer]:
        if module.__name__ != self.module:
            return  # httpx2 under the name of httpx, as it lets itself be called: it has an instrumentor of its own
        from otel_resilience_instrumentation import _httpx_async, _httpx_sync

        for client, ours in ((module.AsyncClient, _httpx_async), (module.Client, _httpx_sync)):
            yield Layer(client, "send", partial(ours.guarded, module))
            if hasattr(client, _ONE_HOP):
                yield Layer(client, _ONE_HOP, ours.with_fields)


class HttpxInstrumentor(_ClientInstrumentor):
    """Guards every ``httpx`` call whose destination has policies; on all sends fields and reads chains.

    CLIENT spans come from the official instrumentation alone.
    """

    name = "resilience_httpx"
    module = "httpx"
    requires = ("httpx >= 0.24",)


class Httpx2Instrumentor(_ClientInstrumentor):
    """Does for ``httpx2`` what ``HttpxInstrumentor`` does for ``httpx``."""

    name = "resilience_httpx2"
    module = "httpx2"
    requires = ("httpx2 >= 2",)
