"""A WSGI body that is made while it is sent: its request is in hand whenever a piece is made, and never between two."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Self

from otel_resilience_instrumentation._inbound import InboundScope


class StreamedBody:
    """``body``, whose pieces are made with ``scope`` current. Used by one thread at a time, which may be another each time."""

    def __init__(self, body: Iterable[bytes], scope: InboundScope) -> None:
        self._body = body
        self._pieces = iter(body)
        self._scope = scope

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> bytes:
        with self._scope.resume():
            return next(self._pieces)

    def close(self) -> None:
        """What WSGI asks for at the end, whatever the end was."""
        close = getattr(self._body, "close", None)
        if close is not None:
            with self._scope.resume():
                close()
