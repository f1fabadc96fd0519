"""A request in hand, as a server's part of the plugin enters one: what calls inside read from it, and leave in it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from otel_resilience.context import request
from otel_resilience.context.request import Request


@contextmanager
def request_in_hand(current: Request | None = None) -> Iterator[Request]:
    """For the time of a block: ``current``, or a request that asks for nothing."""
    entered = Request() if current is None else current
    token = request.enter(entered)
    try:
        yield entered
    finally:
        request.leave(token)
