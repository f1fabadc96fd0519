"""The instrumentor for ``requests``.

Patched: ``requests.sessions.Session.send``, the narrowest seam that everything passes. The official
instrumentation patches the same attribute, so the layer re-asserts itself (see ``_layer.py``).
``HTTPAdapter.send`` is where a request by a service's name goes to an endpoint. The library is not imported
here.
"""

from __future__ import annotations

from collections.abc import Iterable
from types import ModuleType

from otel_resilience_instrumentation._instrumentor import LayeredInstrumentor
from otel_resilience_instrumentation._layer import Layer


class RequestsInstrumentor(LayeredInstrumentor):
    """Guards every ``requests`` call whose destination has policies; on all sends fields and reads chains.

    An answer that is not streamed is read within the deadline; with ``stream=True`` a call is judged when its
    head is there.
    """

    name = "resilience_requests"
    module = "requests"
    requires = ("requests >= 2.25",)

    def layers(self, module: ModuleType) -> Iterable[Layer]:
        from otel_resilience.mesh.adapter import POOL_KEY, named, routed
        from otel_resilience_instrumentation._requests_call import guarded
        from otel_resilience_instrumentation._routing import line_to

        adapter = module.adapters.HTTPAdapter
        tls = hasattr(adapter, POOL_KEY)
        yield Layer(module.Session, "send", guarded)
        yield Layer(adapter, "send", lambda send: routed(send, tls=tls, find=line_to))
        if tls:
            yield Layer(adapter, POOL_KEY, named)
