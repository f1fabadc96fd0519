"""What all HTTP clients have in common: where a call goes, and what guards it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlsplit

from otel_resilience.context import endpoint as in_hand
from otel_resilience.errors.dialects.http import IDEMPOTENCY_KEY
from otel_resilience_instrumentation._settings import runtime

if TYPE_CHECKING:
    from otel_resilience.config.target import Target

#: The ports of schemes where a URL names none.
PORTS = {"http": 80, "https": 443}


class Destination(NamedTuple):
    """Where a request goes, by its URL alone."""

    host: str
    port: int | None
    path: str


def destination(url: str) -> Destination:
    """The destination of ``url``. Raises ``ValueError`` for one that is none."""
    parts = urlsplit(url)
    return Destination(parts.hostname or "", parts.port or PORTS.get(parts.scheme.lower()), parts.path or "/")


def find(method: str, to: Destination, headers: Mapping[str, Any]) -> Target | None:
    """The ``Target`` that guards this request; ``None``: nothing does, or a mesh's call to that service around it."""
    if not to.host or _is_in_hand(to):
        return None
    return runtime().find_http(to.host, to.port, method.upper(), to.path, IDEMPOTENCY_KEY in headers)


def _is_in_hand(to: Destination) -> bool:
    """Whether a mesh's call to this address, or to the service of this name, is around the request."""
    if in_hand.is_at(to.host, to.port):
        return True
    return to.port in PORTS.values() and in_hand.of(to.host) is not None
