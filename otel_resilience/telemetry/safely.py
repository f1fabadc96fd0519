"""Telemetry never raises into user code: what goes wrong here is logged once and then only not seen."""

from __future__ import annotations

import logging

_log = logging.getLogger("otel_resilience")
_reported: set[str] = set()


def report(what: str) -> None:
    """Log the exception in hand, once for each ``what`` in a process. To be called in an ``except`` block."""
    if what not in _reported:
        _reported.add(what)
        _log.exception("telemetry failed, and goes on without: %s", what)
