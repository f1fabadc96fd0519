"""A ``requests.Session`` whose requests to one service are guarded and routed, with the plugin and without it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from requests.models import PreparedRequest, Response

from otel_resilience.context import deadline
from otel_resilience.context import endpoint as in_hand
from otel_resilience.errors.dialects.http import may_be_repeated
from otel_resilience.errors.dialects.requests import RequestsDialect, begin_again, is_replayable, shortened
from otel_resilience.exceptions import ConfigurationError
from otel_resilience.flow.call import NOT_IDEMPOTENT
from otel_resilience.mesh import adapter
from otel_resilience.mesh.address import name_in
from otel_resilience.mesh.line import Line

_TLS = hasattr(HTTPAdapter, adapter.POOL_KEY)


class RoutingAdapter(HTTPAdapter):
    """Sends what goes to a service in hand to the endpoint in hand."""

    send = adapter.routed(HTTPAdapter.send, tls=_TLS)
    if _TLS:
        build_connection_pool_key_attributes = adapter.named(getattr(HTTPAdapter, adapter.POOL_KEY))


class MeshSession(requests.Session):
    """``session.get("/accounts/7")`` or ``session.get("http://ledger/accounts/7")`` go to the service.

    Other hosts are as ever. Each request is one logical call: retried where it may be, each attempt at
    another endpoint.
    """

    def __init__(self, service: str, line: Callable[[str], Line]) -> None:
        if not _is_a_host(service):
            raise ConfigurationError(
                f"ServiceMesh session service must be a name that a URL can have as its host, got {service!r}"
            )
        super().__init__()
        self._service = service
        self._line = line
        for scheme in ("http://", "https://"):
            self.mount(scheme, RoutingAdapter())

    def prepare_request(self, request: requests.Request) -> PreparedRequest:
        """A request whose URL begins with ``/`` is one to the service, over HTTP."""
        if isinstance(request.url, str) and request.url.startswith("/") and request.url[1:2] != "/":
            request.url = f"http://{self._service}{request.url}"
        return super().prepare_request(request)

    def send(self, request: PreparedRequest, **kwargs: Any) -> Response:
        # Inside an attempt it is a redirect, which is part of it.
        if name_in(request.url or "") != self._service.lower() or in_hand.of(self._service) is not None:
            return super().send(request, **kwargs)
        return _SessionCall(super().send, self._line(self._service), request, kwargs).make()


def _is_a_host(service: str) -> bool:
    """Whether the host of a URL can be ``service``: else requests to it would go to whatever else the URL says."""
    try:
        url = requests.Request("GET", f"http://{service}/").prepare().url
    except requests.RequestException:
        return False
    return url is not None and name_in(url) == service.lower()


class _SessionCall:
    """One logical call."""

    def __init__(
        self, send: Callable[..., Response], line: Line, request: PreparedRequest, kwargs: dict[str, Any]
    ) -> None:
        self._send = send
        self._line = line
        self._request = request
        self._kwargs = kwargs
        self._last: Response | None = None

    def make(self) -> Response:
        request = self._request
        method = (request.method or "").upper()
        routed = self._line.routed(
            f"{method} {request.path_url.partition('?')[0]}",
            idempotent=may_be_repeated(method, request.headers),
        )
        if not routed.pipeline.enabled:
            with self._line.unguarded():
                return self._send(request, **self._kwargs)
        return routed.pipeline.execute(
            self._attempt,
            dialect=RequestsDialect(request),
            peer=self._line.service,
            not_replayable=routed.not_replayable if is_replayable(request) else NOT_IDEMPOTENT,
        )

    def _attempt(self) -> Response:
        if self._last is not None:
            begin_again(self._request, self._last)
        kwargs = self._kwargs
        left = deadline.remaining()
        if left is not None:
            kwargs = {**kwargs, "timeout": shortened(kwargs.get("timeout"), left)}
        self._last = self._send(self._request, **kwargs)
        return self._last
