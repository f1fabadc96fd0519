"""Which service this process is, by the telemetry provider's resource; the policy file only fills a gap."""

from __future__ import annotations

import logging
import os
from typing import TypeGuard
from urllib.parse import unquote

from opentelemetry import trace

from otel_resilience.context.service import UNKNOWN, Service

_log = logging.getLogger("otel_resilience")

_NAME = "service.name"
_VERSION = "service.version"

_fallback: str | None = None
_warned = False


def find_service() -> Service:
    """Name and version from the tracer provider's resource, else from the environment, else from ``fill_in``."""
    provider = trace.get_tracer_provider()
    resource = getattr(provider, "resource", None)  # the SDK's; the API has none
    attributes = getattr(resource, "attributes", None)
    if attributes is None:
        attributes = _environment()
    name = attributes.get(_NAME)
    version = attributes.get(_VERSION)
    return Service(
        name if _is_known(name) else _fallback or UNKNOWN.name,
        str(version) if version else None,
    )


def fill_in(name: str | None) -> None:
    """Use ``name`` where the resource names no service; one that contradicts it is warned about once."""
    global _fallback, _warned
    _fallback = name
    known = find_service().name
    if name is not None and known != name and not _warned:
        _warned = True
        _log.warning("the policy file's service %r is not used: the telemetry resource says %r", name, known)


def _is_known(name: object) -> TypeGuard[str]:
    return isinstance(name, str) and name != "" and not name.startswith(UNKNOWN.name)


def _environment() -> dict[str, str]:
    """``OTEL_RESOURCE_ATTRIBUTES`` and ``OTEL_SERVICE_NAME``, as an SDK would read them."""
    attributes: dict[str, str] = {}
    for pair in os.environ.get("OTEL_RESOURCE_ATTRIBUTES", "").split(","):
        key, equals, value = pair.partition("=")
        if equals:
            attributes[key.strip()] = unquote(value.strip())
    name = os.environ.get("OTEL_SERVICE_NAME", "").strip()
    if name:
        attributes[_NAME] = name
    return attributes
