"""Requests by a service's name, on their way to one of its endpoints."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit, urlunsplit

if TYPE_CHECKING:
    from otel_resilience.discovery.endpoint import Endpoint

_NAME = "_otel_resilience_name"


def name_in(url: str) -> str | None:
    """The host of ``url`` as a name that may be a service's; ``None`` where a port is written: that is an address."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return None
    return parts.hostname if port is None and parts.scheme.lower() in ("http", "https") else None


def at_endpoint(request: Any, endpoint: Endpoint) -> Any:
    """A copy of the ``requests`` request that goes to ``endpoint``, and says in ``Host`` whom it was meant for.

    A copy, as two threads may send one request at once.
    """
    routed = request.copy()
    parts = urlsplit(request.url)
    routed.url = urlunsplit(parts._replace(netloc=endpoint.address))
    routed.headers.setdefault("Host", parts.hostname)
    setattr(routed, _NAME, parts.hostname)
    return routed


def as_sent(response: Any, request: Any) -> Any:
    """``response`` as the answer to ``request``, which knows the service by its name: redirects are resolved against it."""
    response.url = request.url
    response.request = request
    return response


def certified_name(request: Any) -> str | None:
    """Whose certificate a routed request expects: the service's, wherever it runs."""
    name: str | None = getattr(request, _NAME, None)
    return name
