"""Where the attempt in hand goes: a mesh says, clients ask."""

from __future__ import annotations

from contextvars import ContextVar, Token
from typing import TYPE_CHECKING

from otel_resilience.context import leaving

if TYPE_CHECKING:
    from otel_resilience.discovery.endpoint import Endpoint

_endpoint: ContextVar[Endpoint | None] = ContextVar("otel_resilience.endpoint", default=None)


def current() -> Endpoint | None:
    """Where the attempt that runs here goes, whatever the service."""
    return _endpoint.get()


def is_at(host: str | None, port: int | None) -> bool:
    """Whether the attempt that runs here goes to ``host`` and ``port``."""
    endpoint = _endpoint.get()
    return endpoint is not None and (endpoint.host, endpoint.port) == (host, port)


def of(service: str) -> Endpoint | None:
    """Where the attempt that runs here goes, if it is one of ``service``, whose case does not matter in a URL."""
    endpoint = _endpoint.get()
    return endpoint if endpoint is not None and endpoint.service.lower() == service.lower() else None


def enter(endpoint: Endpoint) -> Token[Endpoint | None]:
    """Begin an attempt at ``endpoint``; ``leave`` ends it."""
    return _endpoint.set(endpoint)


def leave(token: Token[Endpoint | None]) -> None:
    """Undo ``enter``, in whatever context."""
    leaving.leave(_endpoint, token)
