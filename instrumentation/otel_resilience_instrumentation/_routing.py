"""Which requests are routed by name: those to a service of the installed mesh, or with ``endpoints`` in the policy file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from otel_resilience.context import endpoint as in_hand
from otel_resilience.errors.dialects.http import may_be_repeated
from otel_resilience.mesh.installed import installed
from otel_resilience_instrumentation import _http
from otel_resilience_instrumentation._http import Destination
from otel_resilience_instrumentation._settings import runtime

if TYPE_CHECKING:
    from otel_resilience.config.target import Target
    from otel_resilience.mesh.line import Line


def line_to(name: str) -> Line | None:
    """The line to the service called ``name``, if it is one."""
    settings, mesh = runtime(), installed()
    if not settings.enabled:
        return None
    line = None if mesh is None else mesh.find_line(name, settings.config)
    if line is None and settings.mesh is not None:
        line = settings.mesh.find_line(name)
    return line


def find(method: str, url: str, to: Destination, headers: Mapping[str, Any]) -> Target | None:
    """The ``Target`` that guards, and maybe routes, this request; ``None``: nothing does, or a call by name around it."""
    if installed() is None and runtime().mesh is None:
        return _http.find(method, to, headers)
    from otel_resilience.config.target import Target  # a process that routes nothing loads no mesh
    from otel_resilience.mesh.address import name_in

    name = name_in(url)
    line = None if name is None else line_to(name)
    if line is None:
        return _http.find(method, to, headers)
    if in_hand.of(line.service) is not None:
        return None
    method = method.upper()
    routed = line.routed(f"{method} {to.path}", idempotent=may_be_repeated(method, headers))
    if not routed.pipeline.enabled:
        return None
    return Target(line.service, None, routed.pipeline, routed.not_replayable is None)
