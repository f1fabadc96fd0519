"""The end of the way: one error of every kind, raised as an application's own code raises it."""

from __future__ import annotations

import json

from otel_resilience import CorrelationManager, Deadline
from tests.errors.every_kind import EVERY_KIND


def arrive(kind: str) -> str:
    """Raise the error called ``kind``; for ``none``, tell what came with the request."""
    if kind != "none":
        raise EVERY_KIND[kind].make()
    deadline = Deadline.current()
    manager = CorrelationManager()
    return json.dumps(
        {
            "left": None if deadline is None else deadline.remaining(),
            "correlation_id": manager.current(),
            "request_path": manager.request_path(),
        }
    )
